"""Dynamic sampling: groups without variance are replaced, and batches are merged."""

import copy

import torch

from reassess.training.dynamic_sampling import (
    choose_groups,
    dynamic_sampling_trainer,
    groups_with_variance,
    merge_groups,
)
from reassess.training.rl import train_grpo
from reassess.training.rl_settings import RlSettings

RL = RlSettings(
    max_steps=2, prompts_per_step=3, num_generations=4, max_completion_length=12, save_every=1
)


def test_dynamic_sampling_keeps_groups_that_teach(fresh, rows, items, tmp_path):
    model, processor = copy.deepcopy(fresh)
    trainer = dynamic_sampling_trainer(2)
    settings = RL.model_copy(update={"loss_type": "dapo"})
    history, _ = train_grpo(
        model,
        processor,
        rows,
        items,
        settings,
        order_seed=1,
        sampling_seed=1,
        work=tmp_path,
        trainer_class=trainer,
    )
    shares = [value for _, name, value in history.rows if name == "resampled_share"]
    assert len(shares) == 2
    # Fresh weights earn nothing: every group is without variance, so every round is drawn.
    assert shares == [1.0, 1.0]
    assert history.totals["samples"] == 2 * 3 * 12


def test_groups_are_chosen_by_variance_then_age():
    advantages = torch.tensor([0.0, 0.0, 1.0, -1.0, 0.0, 0.0])
    assert groups_with_variance(advantages, 2) == [1]
    assert choose_groups([[1], [0, 2]], 3) == [(0, 1), (1, 0), (1, 2)]
    assert choose_groups([[1], []], 3) == [(0, 1), (0, 0), (0, 2)]
    assert choose_groups([[0, 1, 2], [0]], 3) == [(0, 0), (0, 1), (0, 2)]


def test_merged_groups_are_padded_to_common_widths():
    def batch(prompt, completion, fill):
        shape = {"prompt": (4, prompt), "completion": (4, completion)}
        return {
            "prompt_ids": torch.full(shape["prompt"], fill),
            "prompt_mask": torch.ones(shape["prompt"], dtype=torch.long),
            "completion_ids": torch.full(shape["completion"], fill),
            "completion_mask": torch.ones(shape["completion"], dtype=torch.long),
            "advantages": torch.arange(4.0) + 10 * fill,
            "row": torch.arange(4) + 10 * fill,
            "num_items_in_batch": torch.tensor(4 * completion),
        }

    merged = merge_groups([batch(3, 2, 1), batch(2, 5, 2)], [(0, 1), (1, 0)], 2, pad=0)
    assert merged["prompt_ids"].tolist() == [[1, 1, 1], [1, 1, 1], [0, 2, 2], [0, 2, 2]]
    assert merged["completion_ids"][0].tolist() == [1, 1, 0, 0, 0]
    assert merged["advantages"].tolist() == [12.0, 13.0, 20.0, 21.0]
    assert merged["row"].tolist() == [12, 13, 20, 21]
    assert merged["completion_mask"].sum() == 2 * 2 + 2 * 5
