"""Supervised fine-tuning: TRL's `SFTTrainer` on preprocessed rows."""

from __future__ import annotations

from math import gcd
from pathlib import Path
from typing import Any

from datasets import Dataset
from torch import Tensor
from torch.utils.data import SequentialSampler
from transformers import Trainer
from transformers.trainer_utils import SaveStrategy
from trl import SFTConfig, SFTTrainer

from reassess.training.engine import (
    COMMON_ARGUMENTS,
    HistoryCallback,
    StrictResume,
    check_loss,
    lengths,
    row_order,
    seed_everything,
    train_to_end,
)
from reassess.training.flops import flops_model
from reassess.training.history import History, Outcome
from reassess.training.layout import Layout
from reassess.training.loading import Model, Processor
from reassess.training.own_rows import require_own
from reassess.training.preprocessed import IGNORED, PreprocessedRows
from reassess.training.probe import Probe
from reassess.training.sft_settings import SftSettings

ONE_CPU = Layout()


class PreprocessedSftTrainer(StrictResume, SFTTrainer):  # type: ignore[misc]
    """`SFTTrainer` on preprocessed rows, in a given order, with tokens and FLOPs counted."""

    def __init__(
        self, rows: PreprocessedRows, order: list[int], history: History, work: Path, **kwargs: Any
    ) -> None:
        """Train on `rows` in `order`; the keyword arguments are `SFTTrainer`'s.

        Raises:
            ReassessError: in a cell's job, a row that is not the cell's.
        """
        require_own(rows.ids)
        self.rows, self.history, self.work = rows, history, work
        super().__init__(
            train_dataset=Dataset.from_dict({"row": order}), data_collator=self._collate, **kwargs
        )
        # transformers assumes that the loss of Qwen2-VL's relatives cannot be given the number of
        # tokens of the whole update, and takes the mean of micro-batch means. It can: their forward
        # passes the number on to the loss.
        self.model_accepts_loss_kwargs = True
        self._flops = flops_model(self.model)
        self._end = self.processing_class.tokenizer.pad_token_id

    def _collate(self, batch: list[dict[str, int]]) -> dict[str, Tensor | list[int]]:
        rows = [example["row"] for example in batch]
        return {
            **self.rows.sft_batch(rows, self._end),
            "patches": [self.rows.images.patches(row) for row in rows],
        }

    def _get_train_sampler(self, *_: object) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)

    def compute_loss(
        self,
        model: Model,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor | tuple[Tensor, object]:
        """The mean token cross-entropy: by TRL's fused head on a GPU, else as transformers does it.

        The fused head gives the same loss in tiles; without a GPU kernel it scores every position
        twice, which takes longer than the rest of a small model's step.
        """
        inputs["use_cache"] = False
        if self.args.device.type == "cuda":
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return Trainer.compute_loss(self, model, inputs, return_outputs, num_items_in_batch)

    def training_step(
        self,
        model: Model,
        inputs: dict[str, Any],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Take a step and count it; stop at a loss that is not finite."""
        scored = int((inputs["labels"] != IGNORED).sum())
        sizes = lengths(inputs)
        patches = inputs.pop("patches")
        loss = super().training_step(model, inputs, num_items_in_batch)
        check_loss(loss, self.state.global_step, self.work)
        self.history.spend_everywhere(
            self.args.device,
            samples=len(sizes),
            tokens=sum(sizes),
            flops=self._flops.training(sizes, scored, patches),
        )
        return loss


def train_sft(
    model: Model,
    processor: Processor,
    rows: PreprocessedRows,
    settings: SftSettings,
    *,
    order_seed: int,
    work: Path,
    probe: Probe | None = None,
    layout: Layout = ONE_CPU,
    save: bool = True,
) -> Outcome:
    """Fine-tune `model` in place.

    Args:
        model: image-text model.
        processor: its processor.
        rows: prompts with completions.
        settings: batch, updates, learning rate and so on.
        order_seed: decides the order of rows.
        work: folder of trainer checkpoints; the run continues from a complete one found there.
        probe: held-out items scored every `settings.probe_every` updates.
        layout: how the job uses its hardware.
        save: whether trainer checkpoints are written; a benchmark of speed needs none.

    Raises:
        ReassessError: the layout cannot divide the rows of an update.
    """
    seed_everything(order_seed)
    history, updates = History(), settings.updates(len(rows))
    once, accumulation = layout.split(settings.batch_size)
    arguments = SFTConfig(
        output_dir=str(work),
        per_device_train_batch_size=once,
        gradient_accumulation_steps=accumulation,
        max_steps=updates,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.lr_scheduler_type,
        warmup_steps=settings.warmup(len(rows)),
        adam_beta2=settings.adam_beta2,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        loss_type="nll",
        max_length=None,
        # A resumed run then logs the same means.
        logging_steps=min(gcd(10, settings.save_every), updates),
        save_steps=settings.save_every,
        seed=order_seed,
        dataset_kwargs={"skip_prepare_dataset": True},
        **COMMON_ARGUMENTS,
        **layout.arguments(),
    )
    if not save:
        arguments.save_strategy = SaveStrategy.NO
    trainer = PreprocessedSftTrainer(
        rows,
        row_order(len(rows), settings.batch_size * updates, order_seed),
        history,
        work,
        model=model,
        args=arguments,
        processing_class=processor,
        callbacks=[HistoryCallback(history, probe, settings.probe_every)],
    )
    resumed = train_to_end(trainer, history, work, layout)
    return Outcome(history, resumed)
