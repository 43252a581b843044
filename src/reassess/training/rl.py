"""Reinforcement learning with verifiable rewards: TRL's `GRPOTrainer` on prepared prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from reassess.core.errors import ReassessError
from reassess.data.pool import decode_image
from reassess.training.engine import (
    COMMON_ARGUMENTS,
    HistoryCallback,
    StrictResume,
    check_loss,
    row_order,
    seed_everything,
    train_to_end,
)
from reassess.training.flops import flops_model
from reassess.training.generate import generate
from reassess.training.history import History, Outcome
from reassess.training.images import encode_images_once
from reassess.training.layout import Layout
from reassess.training.pixels import GRID
from reassess.training.preprocessed import IGNORED, PreprocessedRows
from reassess.training.probe import Probe
from reassess.training.rl_settings import RlSettings
from reassess.training.vllm_engine import (
    ban_placeholders,
    check_prompt,
    collapse,
    image_placeholder,
)
from reassess.verifier.rewards import accuracy_reward, format_reward

Reward = Callable[..., list[float]]
ONE_CPU = Layout()


class PreprocessedGrpoTrainer(StrictResume, GRPOTrainer):  # type: ignore[misc]
    """`GRPOTrainer` whose prompts are prepared rows.

    What differs from the stock trainer is only where inputs come from: prompts are not templated and pictures not
    processed again at every step, a prompt and its picture are encoded once for its whole group, and tokens and FLOPs
    are counted. Rewards, advantages, clipping and loss are the stock trainer's.

    With vLLM three more things differ, each because the stock trainer goes wrong without a word: a colocated engine gets one
    placeholder a picture, since it expands them itself; it forgets encoded pictures when the weights change, since its cache
    knows pictures and not weights; and the prompts that it read are held against ours.
    """

    def __init__(
        self,
        rows: PreprocessedRows,
        history: History,
        work: Path,
        items: Sequence[Any] = (),
        **kwargs: Any,
    ) -> None:
        """Train on the prompts of `rows`; the keyword arguments are `GRPOTrainer`'s.

        `items`, those of the rows, are where vLLM gets its pictures from.
        """
        self.rows, self.history, self.work, self.items = rows, history, work, items
        self._where = {row: index for index, row in enumerate(rows.ids)}
        self._synced_at = -1  # update whose weights vLLM has
        self._group: list[int] = []  # row index of each rollout of the current generation batch
        super().__init__(**kwargs)
        self._flops = flops_model(self.model)

    # --- where prompts and pictures come from -----------------------------------------------------------------------

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        self._group = [self._where[prompt] for prompt in prompts]
        return [self.rows.prompts[index].tolist() for index in self._group], None, {}

    def _generate_single_turn(
        self,
        prompt_ids: Sequence[Any],
        images: Any,
        multimodal_fields: Any,
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
        read, completions, logps, _ = engine.generate(
            prompts=[collapse(prompt, placeholder) for prompt in prompts] if colocated else prompts,
            images=images if any(images) else None,
            num_generations=num_generations,
        )
        for index, ours, theirs in zip(self._group, prompts, read, strict=True):
            check_prompt(theirs, ours.count(placeholder), placeholder, self.rows.ids[index])
        return [list(row) for row in completions], [[token[0] for token in row] for row in logps]

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        output["picture"] = torch.tensor(self._group)
        self._count_rollout(output)
        return output

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        self._group = inputs["picture"].tolist()
        loss: torch.Tensor = super()._compute_loss(model, inputs)
        return loss

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        **_: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, None]:
        """Return log-probabilities and entropies of the completion's tokens, (B, C), zero where the mask is."""
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
        entropies = (
            torch.cat([entropy for _, entropy in parts if entropy is not None])
            if compute_entropy
            else None
        )
        return torch.cat([logps for logps, _ in parts]), entropies, None

    def _score(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        group: list[int],
        compute_entropy: bool,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Score the completions of some rows in one forward pass.

        The stock trainer's tiled head scores every position of prompt and padding where there is no GPU kernel; here only the
        tokens of completions are scored. A test holds loss and gradient against the stock trainer's.
        """
        fields, shared = self._vision(
            group, input_ids.shape[1], input_ids.shape[1] - logits_to_keep
        )
        inputs = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            **_to(fields, input_ids.device),
        }
        scored = attention_mask[:, -logits_to_keep:].bool()
        with (
            nullcontext()
            if shared is None
            else encode_images_once(self.accelerator.unwrap_model(model), shared)
        ):
            if (
                input_ids.device.type == "cuda"
            ):  # there the stock trainer's head has a kernel, and logits would not fit
                labels = torch.full_like(input_ids, IGNORED)
                labels[:, -logits_to_keep:] = input_ids[:, -logits_to_keep:].masked_fill(
                    ~scored, IGNORED
                )
                with self.accelerator.autocast():
                    output = model(**inputs, labels=labels, fused_lm_head=True)
                return output.log_probs[:, -logits_to_keep:], output.entropy[
                    :, -logits_to_keep:
                ] if compute_entropy else None
            logits = model(**inputs, logits_to_keep=logits_to_keep + 1, use_cache=False).logits[
                :, :-1
            ]
        distribution = (logits[scored] / self.temperature).log_softmax(dim=-1)
        chosen = distribution.gather(1, input_ids[:, -logits_to_keep:][scored][:, None]).squeeze(1)
        logps = torch.zeros(scored.shape, dtype=chosen.dtype).masked_scatter(scored, chosen)
        if not compute_entropy:
            return logps, None
        with torch.no_grad():
            entropy = -(distribution.exp() * distribution).sum(dim=-1)
        return logps, torch.zeros(scored.shape, dtype=entropy.dtype).masked_scatter(scored, entropy)

    def _vision(
        self, group: list[int], width: int, prompt_width: int
    ) -> tuple[dict[str, Any], torch.Tensor | None]:
        """Return the vision inputs of the current rows and, for each picture of a row, which distinct picture it is."""
        pictured = [index for index in group if self.rows.images.has(index)]
        distinct = sorted(set(pictured))
        fields: dict[str, Any] = dict(self.rows.images.batch(distinct))
        if GRID in fields:  # positions of tokens need the grid of every row
            fields[GRID] = self.rows.images.grids(pictured)
        for name, values in self.rows.token_fields.items():
            grown = torch.zeros((len(group), width), dtype=values[0].dtype)
            for row, index in enumerate(group):
                grown[row, prompt_width - len(values[index]) : prompt_width] = values[index]
            fields[name] = grown
        place = {index: position for position, index in enumerate(distinct)}
        return fields, torch.tensor([place[index] for index in pictured]) if pictured else None

    # --- counting ---------------------------------------------------------------------------------------------------

    def _count_rollout(self, output: dict[str, Any]) -> None:
        prompts = output["prompt_mask"].sum(dim=1).tolist()
        # Truncated completions may be masked out of the loss, but they were generated: count real tokens.
        completions = (output["completion_ids"] != self._tokenizer.pad_token_id).sum(dim=1).tolist()
        patches = [
            self.rows.images.patches(index) for index in self._group[:: self.num_generations]
        ]
        whole = [prompt + completion for prompt, completion in zip(prompts, completions)]
        flops = self._flops.rollout(prompts, completions, self.num_generations, patches)
        flops += self._flops.training(whole, sum(completions), patches)
        self.history.spend_everywhere(
            self.args.device, samples=len(whole), tokens=sum(whole), flops=flops
        )

    def training_step(
        self, model: Any, inputs: Any, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Take a step; stop at a loss that is no number."""
        loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        check_loss(loss, self.state.global_step, self.work)
        return loss


def _to(fields: dict[str, Any], device: torch.device) -> dict[str, Any]:
    return {name: value.to(device) for name, value in fields.items()}


def grpo_arguments(
    settings: RlSettings,
    rows: int,
    sampling_seed: int,
    work: Path,
    extra_rewards: int = 0,
    layout: Layout = ONE_CPU,
) -> GRPOConfig:
    """Return TRL's arguments for the settings on so many prompts; `extra_rewards` further reward functions have weight 1.

    Raises:
        ReassessError: a process would hold parts of groups.
    """
    once, accumulation = layout.split(settings.rows_per_update)
    if (own := once * accumulation * settings.updates_per_batch) % settings.num_generations:
        raise ReassessError(
            f"{layout.processes} processes get {own} completions of a rollout batch each, no multiple of the group of "
            f"{settings.num_generations}: use fewer processes or more prompts_per_step"
        )
    return GRPOConfig(
        output_dir=str(work),
        per_device_train_batch_size=once,
        gradient_accumulation_steps=accumulation,
        steps_per_generation=accumulation * settings.updates_per_batch,
        num_generations=settings.num_generations,
        max_completion_length=settings.max_completion_length,
        max_steps=settings.updates(rows),
        temperature=settings.temperature,
        top_p=1.0,
        top_k=0,
        min_p=None,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=settings.warmup_steps,
        adam_beta2=settings.adam_beta2,
        weight_decay=settings.weight_decay,
        beta=settings.beta,
        epsilon=settings.epsilon,
        epsilon_high=settings.epsilon_high,
        loss_type=settings.loss_type,
        scale_rewards=settings.scale_rewards,
        max_grad_norm=settings.max_grad_norm,
        mask_truncated_completions=settings.mask_truncated_completions,
        reward_weights=[1 - settings.format_weight, settings.format_weight, *[1.0] * extra_rewards],
        shuffle_dataset=False,
        logging_steps=1,
        save_steps=settings.save_every,
        seed=sampling_seed,
        **COMMON_ARGUMENTS,
        **layout.arguments(),
        **layout.rollout_arguments(),
    )


def train_grpo(
    model: Any,
    processor: Any,
    rows: PreprocessedRows,
    items: Sequence[Any],
    settings: RlSettings,
    *,
    order_seed: int,
    sampling_seed: int,
    work: Path,
    probe: Probe | None = None,
    trainer_class: type[PreprocessedGrpoTrainer] = PreprocessedGrpoTrainer,
    extra_rewards: Sequence[Reward] = (),
    layout: Layout = ONE_CPU,
) -> Outcome:
    """Train `model` in place with group-relative advantages; return the history and whether the run was resumed.

    Args:
        model: image-text model.
        processor: its processor.
        rows: prepared prompts, in frozen order.
        items: the pool items of those rows: their answers are what the reward checks.
        settings: see `RlSettings`.
        order_seed: decides the order of prompts (shared by all methods of a seed).
        sampling_seed: decides the rollouts.
        work: folder of trainer checkpoints; a complete one found there is continued.
        probe: held-out items scored every `settings.probe_every` updates.
        trainer_class: subclass to use.
        extra_rewards: reward functions added at weight 1 (penalties, say).
        layout: of the job on its hardware.
    """
    seed_everything(sampling_seed)
    history = History()
    arguments = grpo_arguments(settings, len(rows), sampling_seed, work, len(extra_rewards), layout)
    if arguments.use_vllm:
        longest = max(len(prompt) for prompt in rows.prompts)
        arguments.vllm_max_model_length = longest + settings.max_completion_length
        arguments.generation_kwargs = {"logit_bias": ban_placeholders(processor)}
    if layout.vllm_mode == "server" and arguments.use_vllm and not settings.freeze_vision:
        raise ReassessError(
            "a vLLM server keeps pictures as the old weights encoded them: set freeze_vision, or execution.vllm_mode: colocate"
        )
    batches = arguments.max_steps // settings.updates_per_batch
    order = row_order(len(rows), settings.prompts_per_step * batches, order_seed)
    prompts = Dataset.from_dict(
        {
            "prompt": [rows.ids[index] for index in order],
            "answer": [items[index].answer for index in order],
            "answer_kind": [items[index].answer_kind for index in order],
        }
    )
    trainer = trainer_class(
        rows,
        history,
        work,
        items,
        model=model,
        args=arguments,
        processing_class=processor,
        train_dataset=prompts,
        reward_funcs=[accuracy_reward, format_reward, *extra_rewards],
        callbacks=[HistoryCallback(history, probe, settings.probe_every)],
    )
    resumed = train_to_end(trainer, history, work, layout, period=settings.updates_per_batch)
    return Outcome(history, resumed)
