"""TRL's `GRPOTrainer` on preprocessed prompts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import Trainer
from transformers.utils import ModelOutput
from trl import GRPOTrainer

from reassess.data.items import Item
from reassess.data.pool import decode_image
from reassess.training.engine import StrictResume, check_loss
from reassess.training.flops import flops_model
from reassess.training.generate import generate
from reassess.training.history import History
from reassess.training.images import encode_images_once
from reassess.training.loading import Model
from reassess.training.overrides import require
from reassess.training.own_rows import require_own
from reassess.training.pixels import GRID
from reassess.training.preprocessed import IGNORED, PreprocessedRows
from reassess.training.prompts import encode_prompts
from reassess.training.vllm_engine import check_prompt, collapse, image_placeholder

if TYPE_CHECKING:
    from PIL.Image import Image

ROW = "row"  # key of a generation batch: the index of each completion's row, (B,)

require(GRPOTrainer)
require(Trainer)


class PreprocessedGrpoTrainer(StrictResume, GRPOTrainer):  # type: ignore[misc]
    """`GRPOTrainer` whose prompts are preprocessed rows.

    It differs from the stock trainer in where inputs come from: prompts are not templated and
    images not processed again at every step, a prompt and its image are encoded once for the whole
    group, and tokens and FLOPs are counted. Rewards, advantages, clipping and loss are the stock
    trainer's.

    With vLLM three more things differ, each because the stock trainer silently goes wrong: a
    colocated engine gets one placeholder per image, since it expands them itself; its cache of
    encoded images is emptied when the weights change, since its keys are images and not weights;
    and the prompts that the engine read are compared with the preprocessed ones.
    """

    def __init__(
        self,
        rows: PreprocessedRows,
        history: History,
        work: Path,
        items: Sequence[Item] = (),
        **kwargs: Any,
    ) -> None:
        """Train on the prompts of `rows`; the keyword arguments are `GRPOTrainer`'s.

        `items`, those of the rows, are where vLLM gets its images from.

        Raises:
            ReassessError: in a cell's job, a row or item that is not the cell's.
        """
        require_own([*rows.ids, *(item.id for item in items)])
        self.rows, self.history, self.work, self.items = rows, history, work, items
        self._index_of = {row: index for index, row in enumerate(rows.ids)}
        self._synced_at = -1  # update whose weights vLLM has
        self._group: list[int] = []  # row index of each rollout of the current generation batch
        super().__init__(**kwargs)
        self._flops = flops_model(self.model)

    # --- where prompts and images come from ------------------------------------------------------

    def _tokenize_prompts(
        self, prompts: list[str]
    ) -> tuple[list[list[int]], None, dict[str, Tensor]]:
        self._group = [self._index_of[prompt] for prompt in prompts]
        return [self.rows.prompts[index].tolist() for index in self._group], None, {}

    def _generate_single_turn(
        self,
        prompt_ids: Sequence[list[int]],
        images: Sequence[list[Image] | None] | None,
        multimodal_fields: dict[str, Tensor],
        num_generations: int,
        has_tool_images: bool = False,
    ) -> tuple[list[list[int]], list[list[float]] | None]:
        if self.use_vllm:
            return self._generate_by_vllm(num_generations)
        completions = generate(
            self.model,
            self.rows,
            self._group[::num_generations],
            pad=self._tokenizer.pad_token_id,
            end=self._tokenizer.eos_token_id,
            max_new_tokens=self.args.max_completion_length,
            temperature=self.args.temperature,
            samples=num_generations,
        )
        return [row.tolist() for row in completions], None

    def _generate_by_vllm(self, num_generations: int) -> tuple[list[list[int]], list[list[float]]]:
        engine = self.vllm_generation
        colocated = engine.mode == "colocate"
        if self.state.global_step != self._synced_at:
            engine.sync_weights()
            if colocated:
                engine.llm.llm_engine.reset_encoder_cache()
            self._synced_at = self.state.global_step
        placeholder = image_placeholder(self.processing_class)
        prompts = [self.rows.prompts[index].tolist() for index in self._group]
        images = [
            [decode_image(self.items[index])] if self.rows.images.has(index) else None
            for index in self._group
        ]
        prompts_read, completions, logps, _ = engine.generate(
            prompts=[collapse(prompt, placeholder) for prompt in prompts] if colocated else prompts,
            images=images if any(images) else None,
            num_generations=num_generations,
        )
        for index, prompt, read in zip(self._group, prompts, prompts_read, strict=True):
            check_prompt(read, prompt.count(placeholder), placeholder, self.rows.ids[index])
        return [list(row) for row in completions], [[token[0] for token in row] for row in logps]

    def _generate_and_score_completions(self, inputs: list[dict[str, str]]) -> dict[str, Tensor]:
        output: dict[str, Tensor] = super()._generate_and_score_completions(inputs)
        output[ROW] = torch.tensor(self._group)
        self._count_rollout(output)
        return output

    # --- loss ------------------------------------------------------------------------------------

    def _compute_loss(self, model: Model, inputs: dict[str, Tensor]) -> Tensor:
        self._group = inputs[ROW].tolist()
        return super()._compute_loss(model, inputs)

    def _get_per_token_logps_and_entropies(
        self,
        model: Model,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        **_: object,
    ) -> tuple[Tensor, Tensor | None, None]:
        """Log-probabilities and entropies of completion tokens, (B, C), zero where masked."""
        rows = range(0, len(input_ids), batch_size or len(input_ids))
        parts = [
            self._score(
                model,
                input_ids[part],
                attention_mask[part],
                logits_to_keep,
                self._group[part],
                compute_entropy,
            )
            for part in (slice(start, start + rows.step) for start in rows)
        ]
        entropies = None
        if compute_entropy:
            entropies = torch.cat([entropy for _, entropy in parts if entropy is not None])
        return torch.cat([logps for logps, _ in parts]), entropies, None

    def _score(
        self,
        model: Model,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        group: list[int],
        compute_entropy: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """Log-probabilities and entropies, (B, C) each.

        The stock trainer's tiled head scores every position of prompt and padding where there is
        no GPU kernel; here only the tokens of completions are scored. A test compares loss and
        gradient with the stock trainer's.
        """
        mask = attention_mask[:, -logits_to_keep:]
        scored, completion_ids = mask.bool(), input_ids[:, -logits_to_keep:]
        if input_ids.device.type == "cuda":
            # The stock trainer's head has a kernel there, and logits would not fit.
            labels = torch.full_like(input_ids, IGNORED)
            labels[:, -logits_to_keep:] = completion_ids.masked_fill(~scored, IGNORED)
            head = {"labels": labels, "fused_lm_head": True}
            with self.accelerator.autocast():
                output = self._whole(
                    model, input_ids, attention_mask, group, logits_to_keep, **head
                )
            entropy = output.entropy[:, -logits_to_keep:] if compute_entropy else None
            return output.log_probs[:, -logits_to_keep:], entropy
        if self.args.gradient_checkpointing:  # which allows no cache
            kept = {"logits_to_keep": logits_to_keep + 1, "use_cache": False}
            output = self._whole(model, input_ids, attention_mask, group, logits_to_keep, **kept)
            logits = output.logits[:, :-1]
        else:
            logits = self._after_prompts(model, completion_ids, mask, group)
        distribution = (logits[scored] / self.temperature).log_softmax(dim=-1)
        chosen = distribution.gather(1, completion_ids[scored][:, None]).squeeze(1)
        logps = torch.zeros(scored.shape, dtype=chosen.dtype).masked_scatter(scored, chosen)
        if not compute_entropy:
            return logps, None
        with torch.no_grad():
            entropy = -(distribution.exp() * distribution).sum(dim=-1)
        return logps, torch.zeros(scored.shape, dtype=entropy.dtype).masked_scatter(scored, entropy)

    def _after_prompts(
        self, model: Model, completion_ids: Tensor, mask: Tensor, group: list[int]
    ) -> Tensor:
        """Logits of completion tokens, (B, C, V), with each distinct prompt encoded once."""
        distinct = sorted(set(group))
        place = {index: position for position, index in enumerate(distinct)}
        batch = self.rows.prompt_batch(distinct, self._tokenizer.pad_token_id)
        prompts = encode_prompts(model, batch).take(torch.tensor([place[one] for one in group]))
        first = prompts.logits[:, None]
        if completion_ids.shape[1] == 1:
            return first
        return torch.cat([first, prompts.read(model, completion_ids[:, :-1], mask[:, :-1])], dim=1)

    def _whole(
        self,
        model: Model,
        input_ids: Tensor,
        attention_mask: Tensor,
        group: list[int],
        completion: int,
        **options: object,
    ) -> ModelOutput:
        """A forward pass over P + C tokens, C of `completion`, each distinct image encoded once."""
        width = input_ids.shape[1]
        fields, shared = self._vision(group, width, width - completion)
        with self._images_once(model, shared):
            return model(
                input_ids=input_ids,
                attention_mask=attention_mask,
                **{name: value.to(input_ids.device) for name, value in fields.items()},
                **options,
            )

    def _images_once(self, model: Model, shared: Tensor | None) -> AbstractContextManager[None]:
        if shared is None:
            return nullcontext()
        return encode_images_once(self.accelerator.unwrap_model(model), shared)

    def _vision(
        self, group: list[int], width: int, prompt_width: int
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """The vision inputs of rows, each distinct image once, and per-token fields (B, `width`).

        The second value says for each image slot, in row order, which distinct image it shows; it
        is None if no row has an image. Prompts end at `prompt_width`.
        """
        with_image = [index for index in group if self.rows.images.has(index)]
        distinct = sorted(set(with_image))
        fields = dict(self.rows.images.batch(distinct))
        if GRID in fields:  # positions of tokens need the grid of every row
            fields[GRID] = self.rows.images.grids(with_image)
        for name, values in self.rows.token_fields.items():
            padded = torch.zeros((len(group), width), dtype=values[0].dtype)
            for row, index in enumerate(group):
                padded[row, prompt_width - len(values[index]) : prompt_width] = values[index]
            fields[name] = padded
        place = {index: position for position, index in enumerate(distinct)}
        return fields, torch.tensor([place[index] for index in with_image]) if with_image else None

    # --- counting --------------------------------------------------------------------------------

    def _count_rollout(self, output: dict[str, Tensor]) -> None:
        prompts = output["prompt_mask"].sum(dim=1).tolist()
        # Truncated completions may be masked out of the loss, but they were generated: count real
        # tokens.
        completions = (output["completion_ids"] != self._tokenizer.pad_token_id).sum(dim=1).tolist()
        patches = [
            self.rows.images.patches(index) for index in self._group[:: self.num_generations]
        ]
        lengths = [prompt + completion for prompt, completion in zip(prompts, completions)]
        flops = self._flops.rollout(prompts, completions, self.num_generations, patches)
        flops += self._flops.training(lengths, sum(completions), patches)
        self.history.spend_everywhere(
            self.args.device, samples=len(lengths), tokens=sum(lengths), flops=flops
        )

    def training_step(
        self,
        model: Model,
        inputs: list[dict[str, str]],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Take a step; stop at a loss that is not finite."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        check_loss(loss, self.state.global_step, self.work)
        return loss
