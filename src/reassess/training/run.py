"""One training job: what a method is given, and what it leaves behind."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from reassess.data.pool import decode_image, read_pool
from reassess.errors import ReassessError
from reassess.files import read_json, read_parquet, sha256_file, sha256_text, write_json, write_parquet, write_text
from reassess.grid import Cell, Grid
from reassess.manifest import Manifest
from reassess.seeds import derive_seed
from reassess.training.adapters import add_adapters, merged
from reassess.training.flops import FORMULA
from reassess.training.history import History
from reassess.training.launch import micro_batch_of_worker
from reassess.training.layout import Layout
from reassess.training.loading import freeze_vision, load_model, load_processor, save_checkpoint, weights_hash
from reassess.training.prepared import PreparedRows, prepare
from reassess.training.probe import Probe
from reassess.training.sharding import rank, wait_for_all
from reassess.training.stops import hear_no_more


class TrainingRun:
    """A cell's job: its rows, its start, its folders. A method's `train` gets this and nothing else.

    Attributes:
        micro_batch: rows of a forward pass in place of the layout's own, once memory has run out.
    """

    def __init__(self, grid: Grid, cell: Cell) -> None:
        """Set up the job of `cell`; nothing is read yet."""
        self.grid, self.cell = grid, cell
        self.settings: Any = grid.arms[cell.arm].settings
        self.manifest = Manifest("train", grid.spec(cell), grid.spec_hash(cell))
        self.micro_batch = micro_batch_of_worker()

    @property
    def start(self) -> Path:
        """The checkpoint the job starts from."""
        start = self.grid.start(self.cell)
        return self.grid.base_dir(self.cell.model) if start is None else self.grid.checkpoint_dir(start)

    @property
    def checkpoint(self) -> Path:
        """The folder of the finished checkpoint."""
        return self.grid.checkpoint_dir(self.cell)

    @cached_property
    def work(self) -> Path:
        """The folder of trainer checkpoints. Emptied if it belongs to another spec; kept across a kill."""
        folder, mark = self.grid.work_dir(self.cell), {"spec_hash": self.grid.spec_hash(self.cell)}
        note = folder / "spec.json"
        if note.is_file() and note.read_text() == json.dumps(mark):
            return folder  # not written again: another process of the job could find it empty, and clear the folder
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(note, json.dumps(mark))
        return folder

    @property
    def order_seed(self) -> int:
        """Seed of the order of rows: the same for every method of a (distribution, size, seed)."""
        return derive_seed("order", self.cell.distribution, self.cell.size, self.cell.seed)

    @property
    def sampling_seed(self) -> int:
        """Seed of rollouts."""
        return derive_seed("sampling", self.cell.distribution, self.cell.size, self.cell.seed)

    @cached_property
    def row_ids(self) -> list[str]:
        """The cell's rows: the first `size` of the family's frozen rows.

        Raises:
            ReassessError: there are fewer rows than `size`.
        """
        family = self.grid.family(self.cell.model)
        frozen = read_parquet(self.grid.rows_file(family, str(self.cell.distribution)))["id"].tolist()
        size = self.cell.size or 0
        if len(frozen) < size:
            raise ReassessError(
                f"cell {self.cell.id} wants {size} rows but only {len(frozen)} rows of the pool have a trace in every distribution "
                f"of family {family!r}; raise world.pool_rows or distributions.*.samples, or lower the size"
            )
        return [str(row) for row in frozen[:size]]

    @cached_property
    def rows(self) -> PreparedRows:
        """The cell's rows, tokenised, with the traces of its distribution."""
        family = self.grid.family(self.cell.model)
        rows = PreparedRows.load(self.grid.prepared_file(family, str(self.cell.distribution))).select(self.row_ids)
        if self.grid.world.keep_pixels:
            return rows
        return rows.process_later(self.items, load_processor(self.start), decode_image)

    @cached_property
    def items(self) -> list[Any]:
        """The pool items of the cell's rows."""
        split = self.grid.world.train_split(str(self.cell.distribution))
        pool = {item.id: item for item in read_pool(self.grid.pool_file(split), self.grid.world.item_type)}
        return [pool[row] for row in self.row_ids]

    def is_finished(self) -> bool:
        """Return whether another job has finished this very spec: manifest, history and checkpoint are there."""
        manifest = self.grid.cell_dir(self.cell) / "train.json"
        whole = manifest.is_file() and (self.checkpoint / "config.json").is_file()
        return whole and read_json(manifest)["spec_hash"] == self.grid.spec_hash(self.cell)

    @property
    def layout(self) -> Layout:
        """The job's layout on its hardware."""
        layout = self.grid.world.layout(self.cell.model)
        return replace(layout, micro_batch=self.micro_batch) if self.micro_batch else layout

    def halve(self) -> None:
        """Work on half as many rows at once from here on, with as many an update as before.

        Raises:
            ReassessError: it is one row already; says what can be done.
        """
        self.micro_batch = self.layout.halved(self.settings.rows_per_update).micro_batch

    def load(self) -> tuple[Any, Any]:
        """Return the model to train and its processor, with what the settings freeze frozen.

        Raises:
            ReassessError: rows and model do not share tokenizer and template, there is no vision tower to freeze, or adapters are
                asked for on sharded weights.
        """
        processor = load_processor(self.start)
        self._check_template(processor)
        model = load_model(self.start, attention=self.layout.attention)
        if self.settings.freeze_vision:
            freeze_vision(model)
        if self.settings.lora_rank is not None:
            if self.layout.sharding != "none":
                raise ReassessError(
                    f"cell {self.cell.id}: adapters cannot be merged into sharded weights; lora_rank needs `sharding: none` for "
                    f"model {self.cell.model!r}"
                )
            model = add_adapters(model, self.settings.lora_rank, derive_seed("adapters", self.cell.seed))
        return model, processor

    def _check_template(self, processor: Any) -> None:
        """Hold the template that the rows were prepared with against the model's own: families share it, by assumption."""
        family = self.grid.family(self.cell.model)
        prepared = load_processor(self.grid.base_dir(self.grid.teacher_model(family)))
        ours, theirs = (sha256_text(str(one.chat_template)) for one in (processor, prepared))
        if ours != theirs or len(processor.tokenizer) != len(prepared.tokenizer):
            raise ReassessError(
                f"model {self.cell.model!r} has another chat template or tokenizer than {self.grid.teacher_model(family)!r}, with "
                f"which the rows of family {family!r} were prepared; give it a family of its own"
            )

    def probe(self, processor: Any) -> Probe:
        """Return the held-out probe, prepared for `processor`."""
        items = read_pool(self.grid.pool_file("probe"), self.grid.world.item_type)
        rows = prepare(items, None, processor, self.grid.world.prompt, decode_image, keep_pixels=self.grid.world.keep_pixels)
        return Probe(items, rows, processor.tokenizer, self.grid.config.evaluation.max_new_tokens)

    def finish(self, model: Any, processor: Any, history: History, resumed: bool) -> None:
        """Write checkpoint, history and, last of all, the manifest; then drop the trainer checkpoints.

        Every process of a job must call it; the first one writes.
        """
        hear_no_more()
        layout = self.layout
        precision = None if layout.precision == "float32" else layout.precision
        save_checkpoint(merged(model), processor, self.checkpoint, precision)
        if rank() != 0:
            wait_for_all()
            return
        folder = self.grid.cell_dir(self.cell)
        frame = history.frame()
        write_parquet(folder / "history.parquet", frame)
        self.manifest.add(
            cell=self.cell.id,
            kind=self.grid.kind(self.cell),
            rows_hash=sha256_text("\n".join(self.row_ids)),
            rows=len(self.row_ids),
            order_seed=self.order_seed,
            sampling_seed=self.sampling_seed,
            template_hash=sha256_text(str(processor.chat_template)),
            processor_hash=sha256_file(self.checkpoint / "processor_config.json"),
            start_weights_hash=weights_hash(self.start),
            weights_hash=weights_hash(self.checkpoint),
            samples=history.totals["samples"],
            updates=int(frame["step"].max()),
            tokens=history.totals["tokens"],
            flops=history.totals["flops"],
            flops_formula=FORMULA,
            training_seconds=round(history.totals["seconds"], 3),
            resumed=resumed,
            layout=asdict(layout),
            micro_batch_halved=self.micro_batch is not None,
        )
        write_json(folder / "train.json", self.manifest.close())
        shutil.rmtree(self.work, ignore_errors=True)
        wait_for_all()
