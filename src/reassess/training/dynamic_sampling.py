"""Dynamic sampling of groups (DAPO, arXiv 2503.14476, section 3.2), which TRL does not ship.

A group whose completions all earn the same reward has no advantage and no gradient. Such groups are
replaced by groups of further prompts until every group of the batch has variance, or a number of
rounds is over.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reassess.core.seeds import derive_seed
from reassess.training.rl_trainer import ROW, PreprocessedGrpoTrainer

LEFT_PADDED = ("prompt_ids", "prompt_mask")
RIGHT_PADDED = (
    "completion_ids",
    "completion_mask",
    "old_per_token_logps",
    "ref_per_token_logps",
    "importance_sampling_ratio",
)
PER_ROW = ("advantages", ROW)


def dynamic_sampling_trainer(rounds: int) -> type[PreprocessedGrpoTrainer]:
    """A trainer class that replaces groups without variance.

    It draws at most `rounds` further generation batches.
    """

    class DynamicSamplingTrainer(PreprocessedGrpoTrainer):
        """GRPO in which groups without variance are drawn again."""

        def _generate_and_score_completions(
            self, inputs: list[dict[str, str]]
        ) -> dict[str, Tensor]:
            output = super()._generate_and_score_completions(inputs)
            wanted = len(inputs) // self.num_generations
            batches, usable = (
                [output],
                [groups_with_variance(output["advantages"], self.num_generations)],
            )
            drawn = 0
            while self._anyone(sum(map(len, usable)) < wanted) and drawn < rounds:
                batches.append(
                    super()._generate_and_score_completions(self._further_prompts(wanted, drawn))
                )
                usable.append(groups_with_variance(batches[-1]["advantages"], self.num_generations))
                drawn += 1
            self._metrics["train"]["resampled_share"].append(1 - len(usable[0]) / wanted)
            chosen = choose_groups(usable, wanted)
            merged = merge_groups(
                batches, chosen, self.num_generations, self._tokenizer.pad_token_id
            )
            merged["num_items_in_batch"] = self.accelerator.gather(
                merged["completion_mask"].sum()
            ).sum()
            return merged

        def _anyone(self, lacks: bool) -> bool:
            """Whether any process lacks groups; all then draw again, since they draw together."""
            flag = torch.tensor([lacks], device=self.accelerator.device)
            return bool(self.accelerator.gather(flag).any())

        def _further_prompts(self, count: int, drawn: int) -> list[dict[str, str]]:
            # Drawn by step and round, not from a running state, so that a resumed run draws the
            # same prompts.
            generator = np.random.default_rng(derive_seed(*self._draw(drawn)))
            picked = generator.choice(
                len(self.train_dataset), size=count, replace=count > len(self.train_dataset)
            )
            return [
                self.train_dataset[int(index)]
                for index in picked
                for _ in range(self.num_generations)
            ]

        def _draw(self, drawn: int) -> tuple[str | int, ...]:
            draw = ("resample", self.args.seed, self.state.global_step, drawn)
            if self.accelerator.num_processes == 1:
                return draw
            return (*draw, self.accelerator.process_index)

    return DynamicSamplingTrainer


def groups_with_variance(advantages: Tensor, size: int) -> list[int]:
    """The numbers of the groups of `size` whose advantages (B,) are not all zero."""
    groups: list[int] = advantages.view(-1, size).abs().sum(dim=1).nonzero().flatten().tolist()
    return groups


def choose_groups(usable: list[list[int]], wanted: int) -> list[tuple[int, int]]:
    """(batch, group) pairs: groups with variance first, oldest first.

    Groups of the first batch without variance fill what is left.
    """
    chosen = [(batch, group) for batch, groups in enumerate(usable) for group in groups][:wanted]
    spare = ((0, group) for group in range(wanted) if group not in usable[0])
    return chosen + [next(spare) for _ in range(wanted - len(chosen))]


def merge_groups(
    batches: list[dict[str, Tensor]], chosen: list[tuple[int, int]], size: int, pad: int
) -> dict[str, Tensor]:
    """One generation batch of the chosen groups, padded: prompts left, completions right."""
    rows = {
        name: [_rows(batches[batch][name], group, size) for batch, group in chosen]
        for name in batches[0]
        if _is_rowwise(name)
    }
    merged: dict[str, Tensor] = {}
    for name, parts in rows.items():
        fill = pad if name in ("prompt_ids", "completion_ids") else 0
        if name in PER_ROW:
            merged[name] = torch.cat(parts)
        else:
            merged[name] = torch.cat(_to_width(parts, fill, left=name in LEFT_PADDED))
    return merged


def _is_rowwise(name: str) -> bool:
    return name in (*LEFT_PADDED, *RIGHT_PADDED, *PER_ROW)


def _rows(tensor: Tensor, group: int, size: int) -> Tensor:
    return tensor[group * size : (group + 1) * size]


def _to_width(parts: list[Tensor], fill: int, left: bool) -> list[Tensor]:
    width = max(part.shape[1] for part in parts)
    grown = []
    for part in parts:
        missing = width - part.shape[1]
        grown.append(
            torch.nn.functional.pad(part, (missing, 0) if left else (0, missing), value=fill)
        )
    return grown
