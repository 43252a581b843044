"""One training job: everything a method may use, and what it leaves behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from reassess.core.errors import ReassessError
from reassess.core.files import (
    Json,
    read_json,
    read_parquet,
    sha256_file,
    sha256_text,
    write_json,
    write_parquet,
    write_text,
)
from reassess.core.manifest import Manifest
from reassess.core.seeds import derive_seed
from reassess.data.items import Item, Prompts
from reassess.data.pool import read_pool
from reassess.data.rows import drawn
from reassess.training.adapters import add_adapters, merged
from reassess.training.checkpoints import CheckedCheckpoint, CheckpointHashes, describe
from reassess.training.content import rows_hash
from reassess.training.flops import FORMULA
from reassess.training.history import Outcome
from reassess.training.layout import Layout
from reassess.training.loading import (
    Model,
    Processor,
    freeze_vision,
    load_model,
    load_processor,
    save_checkpoint,
)
from reassess.training.preemption import ignore_signals
from reassess.training.preprocessed import PreprocessedRows, preprocess
from reassess.training.probe import Probe
from reassess.training.settings import TrainedSettings
from reassess.training.sharding import rank, wait_for_all

REGISTERED = "claims.json"  # file in the work folder: the claims when it was made


@dataclass(frozen=True)
class TrainingFiles:
    """The files of a training job.

    Attributes:
        start: the checkpoint it starts from.
        template: the checkpoint whose processor the rows were preprocessed with.
        rows: the frozen rows of the model's family.
        preprocessed: the same rows, tokenised.
        pool: the split that the rows are from.
        probe: the split of held-out items scored during training.
        work: trainer checkpoints; they remain after a job is killed.
        checkpoint: the finished checkpoint.
        history: the finished curves.
        manifest: written last.
    """

    start: Path
    template: Path
    rows: Path
    preprocessed: Path
    pool: Path
    probe: Path
    work: Path
    checkpoint: Path
    history: Path
    manifest: Path


class ItemPrompts(Prompts, Protocol):
    """Prompts of items that can be read from a pool."""

    @property
    def item_type(self) -> type[Item]:
        """The dataclass of the items."""


@dataclass
class TrainingRun:
    """A cell's training job, as a method's `fit` gets it.

    `model` and `processor` are loaded before `fit` is called, and saved after it; a method trains
    `model` in place, on `rows` (tokenised prompts and completions) or on `rows` and `items` (their
    questions and reference answers).

    Attributes:
        cell: the cell's id.
        kind: `sft` or `rl`.
        size: rows of the pool.
        distribution: where the traces come from.
        seed: the fine-tuning seed; methods use `order_seed` and `sampling_seed`.
        settings: the arm's settings.
        files: the job's files.
        prompts: makes prompts from items.
        spec: everything that can change the result.
        spec_hash: its hash.
        base_layout: how the job should use its hardware; `layout` is how it does.
        max_new_tokens: token budget of a completion in evaluation.
        command: the arguments of `reassess` that start this job.
        row_draw: the seed by which the rows are drawn; None: they are the first ones.
        micro_batch: rows of a forward pass instead of the layout's own, after memory ran out.
        claims: the digests of all claims as they stand now, by id; `registered` is what the
            manifest records.
        checked_start: the start as it was compared with its manifest; None in the processes of a
            job of several, whose launcher compares it.
    """

    cell: str
    kind: str
    size: int
    distribution: str
    seed: int
    settings: TrainedSettings
    files: TrainingFiles
    prompts: ItemPrompts
    spec: Json
    spec_hash: str
    base_layout: Layout
    max_new_tokens: int
    command: Sequence[str]
    row_draw: int | None = None
    micro_batch: int | None = None
    claims: Mapping[str, str] = field(default_factory=dict)
    checked_start: CheckedCheckpoint | None = None
    manifest: Manifest = field(init=False)
    model: Model = field(init=False)
    processor: Processor = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self.manifest = Manifest("train", self.spec, self.spec_hash)

    # --- what a method uses ------------------------------------------------------------------

    @property
    def order_seed(self) -> int:
        """Seed of the order of rows, the same for all methods of a (distribution, size, seed)."""
        return derive_seed("order", self.distribution, self.size, self.seed)

    @property
    def sampling_seed(self) -> int:
        """Seed of rollouts."""
        return derive_seed("sampling", self.distribution, self.size, self.seed)

    @cached_property
    def row_ids(self) -> list[str]:
        """The cell's rows: the first `size` of the family's frozen rows, in their drawn order.

        Raises:
            ReassessError: there are fewer rows than `size`.
        """
        frozen = read_parquet(self.files.rows)["id"].tolist()
        if len(frozen) < self.size:
            raise ReassessError(
                f"cell {self.cell} wants {self.size} rows, but only {len(frozen)} rows of the pool "
                "have a trace in every distribution of its family; raise world.pool_rows or "
                "distributions.*.samples, or lower the size"
            )
        return drawn([str(row) for row in frozen], self.row_draw)[: self.size]

    @cached_property
    def rows(self) -> PreprocessedRows:
        """The cell's rows, tokenised, with the traces of its distribution."""
        rows = PreprocessedRows.load(self.files.preprocessed).select(self.row_ids)
        if self.prompts.keep_pixels:
            return rows
        return rows.process_later(self.items, load_processor(self.files.start))

    @cached_property
    def items(self) -> list[Item]:
        """The pool items of the cell's rows."""
        items: list[Item] = read_pool(self.files.pool, self.prompts.item_type)
        by_id = {item.id: item for item in items}
        return [by_id[row] for row in self.row_ids]

    @cached_property
    def probe(self) -> Probe:
        """The held-out items scored during training, preprocessed for `processor`."""
        items: list[Item] = read_pool(self.files.probe, self.prompts.item_type)
        rows = preprocess(
            items,
            None,
            self.processor,
            self.prompts.prompt,
            keep_pixels=self.prompts.keep_pixels,
        )
        return Probe(
            items,
            rows,
            self.processor.tokenizer,
            self.max_new_tokens,
            samples=self.settings.probe_samples,
            seed=derive_seed("probe", self.seed),
        )

    @property
    def layout(self) -> Layout:
        """How the job uses its hardware."""
        if self.micro_batch is None:
            return self.base_layout
        return replace(self.base_layout, micro_batch=self.micro_batch)

    @cached_property
    def work(self) -> Path:
        """The folder of trainer checkpoints, emptied if it belongs to another spec."""
        folder, mark = self.files.work, json.dumps({"spec_hash": self.spec_hash})
        note = folder / "spec.json"
        if note.is_file() and note.read_text() == mark:
            # Not rewritten: another process of the job could read it empty and clear the folder.
            return folder
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / REGISTERED, dict(self.claims))
        write_text(note, mark)
        return folder

    @property
    def registered(self) -> Json:
        """The digests of the claims as they stood when the training began, resumed or not.

        There are none of a training that an earlier version began.
        """
        note = self.work / REGISTERED
        return read_json(note) if note.is_file() else {}

    # --- what the job does around a method ---------------------------------------------------

    def is_finished(self) -> bool:
        """Whether another job has finished this spec: manifest and checkpoint exist."""
        complete = (
            self.files.manifest.is_file() and (self.files.checkpoint / "config.json").is_file()
        )
        return complete and read_json(self.files.manifest)["spec_hash"] == self.spec_hash

    @property
    def rows_per_update(self) -> int:
        """Rows (SFT) or completions (RL) that an update sees."""
        return self.settings.rows_per_update

    def halve(self) -> None:
        """Halve the rows of a forward pass; an update keeps its rows.

        Raises:
            ReassessError: it is one row already; names what can be changed.
        """
        self.micro_batch = self.layout.halved(self.rows_per_update).micro_batch

    def release(self) -> None:
        """Drop the model and what was made for it: a second attempt must not hold two."""
        for name in ("model", "processor", "probe"):
            self.__dict__.pop(name, None)

    def load(self) -> None:
        """Load the model to train and its processor, with what the settings freeze frozen.

        Raises:
            ReassessError: rows and model do not share tokenizer and template, the start changed
                since it was compared with its manifest, there is no vision tower to freeze, or
                sharded weights are to get adapters.
        """
        self.release()
        self.processor = load_processor(self.files.start)
        self._check_template()
        self.model = load_model(self.files.start, attention=self.layout.attention)
        if self.checked_start is not None:
            self.checked_start.require_unchanged()
        if self.settings.freeze_vision:
            freeze_vision(self.model)
        if self.settings.lora_rank is not None:
            if self.layout.sharding != "none":
                raise ReassessError(
                    f"cell {self.cell}: adapters cannot be merged into sharded weights; lora_rank "
                    "needs `sharding: none` for its model"
                )
            seed = derive_seed("adapters", self.seed)
            self.model = add_adapters(self.model, self.settings.lora_rank, seed)

    def _check_template(self) -> None:
        """Compare the model's template with the one its rows were preprocessed with."""
        other = load_processor(self.files.template)
        same = self.processor.chat_template == other.chat_template
        if not same or len(self.processor.tokenizer) != len(other.tokenizer):
            raise ReassessError(
                f"cell {self.cell}: its model has another chat template or tokenizer than "
                f"{self.files.template}, with which the rows of its family were preprocessed; "
                "give it a family of its own"
            )

    def finish(self, outcome: Outcome) -> None:
        """Write checkpoint, history and, last, the manifest; then remove the trainer checkpoints.

        All processes of a job must call it; the first one writes.
        """
        ignore_signals()
        precision = None if self.layout.precision == "float32" else self.layout.precision
        save_checkpoint(merged(self.model), self.processor, self.files.checkpoint, precision)
        if rank() == 0:
            self._record(outcome)
            shutil.rmtree(self.work, ignore_errors=True)
        wait_for_all()

    def _record(self, outcome: Outcome) -> None:
        frame, totals = outcome.history.frame(), outcome.history.totals
        start = self._start_hashes()
        write_parquet(self.files.history, frame)
        self.manifest.add(
            cell=self.cell,
            kind=self.kind,
            rows_hash=rows_hash(self.rows, self.items),
            row_ids_hash=sha256_text("\n".join(self.row_ids)),
            rows=len(self.row_ids),
            order_seed=self.order_seed,
            sampling_seed=self.sampling_seed,
            template_hash=sha256_text(str(self.processor.chat_template)),
            processor_hash=sha256_file(self.files.checkpoint / "processor_config.json"),
            start_weights_hash=start["weights_hash"],
            start_checkpoint_hash=start["checkpoint_hash"],
            **describe(self.files.checkpoint),
            samples=totals["samples"],
            updates=int(frame["step"].max()),
            tokens=totals["tokens"],
            flops=totals["flops"],
            flops_formula=FORMULA,
            training_seconds=round(totals["seconds"], 3),
            resumed=outcome.resumed,
            layout=asdict(self.layout),
            micro_batch_halved=self.micro_batch is not None,
        )
        write_json(self.files.manifest, self.manifest.close())

    def _start_hashes(self) -> CheckpointHashes:
        """The hashes of the start, as it was checked if it was."""
        if self.checked_start is None:
            return describe(self.files.start)
        return self.checked_start.hashes


class SupportsFit(Protocol):
    """The part of a method that a training job uses."""

    def fit(self, run: TrainingRun) -> Outcome:
        """Train `run.model` in place."""
