"""Bundles in memory: chosen outcomes and rewards for the cells of a grid, in no file."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
from synthetic import grid_in

from reassess.analysis.bundle import CATEGORIES, MANIFESTS, SCORES, Bundle
from reassess.analysis.scores import Scores
from reassess.bundles.collect import axes_of, study_of
from reassess.config.claims import digests
from reassess.core.seeds import derive_seed

ROLES = ("iid", "dense", "text")  # one benchmark of each role
STEPS = 48


def small_grid(folder, seeds=(1, 2, 3), rewarded=(20, 200), **changes):
    """A grid in which every claim has cells: two models a tier, few arms."""
    loaded = grid_in(folder, "config/full-micro.yaml").config
    both = ["llava-w32", "qwen3vl-w32", "llava-w64", "qwen3vl-w64"]
    arms = ["base", "sft", "grpo"]
    capacity = loaded.studies["capacity"]
    slices = {
        "capacity": {"methods": arms, "models": both, "sizes": [2000]},
        "scale": {"methods": arms, "models": both[::2], "sizes": [20, 200, 2000]},
        "distribution": {"methods": ["sft"], "models": both[::2], "sizes": [2000],
                         "distributions": ["same-family", "foreign"]},
        "reward": {"methods": ["grpo", "sft-grpo", "format-reward"], "models": both[::2],
                   "sizes": [*rewarded]},
    }  # fmt: skip
    studies = {name: capacity.model_copy(update=axes) for name, axes in slices.items()}
    evaluation = loaded.evaluation.model_copy(update={"benchmarks": [*ROLES]})
    world = loaded.world.model_copy(update={"bases": changes.pop("bases", 1)})
    return grid_in(
        folder,
        "config/full-micro.yaml",
        studies=studies,
        evaluation=evaluation,
        seeds=list(seeds),
        world=world,
        **changes,
    )


def drawn(cell, level, items=40, noise=1.0):
    """Outcomes of a cell's items: about `level` of them right; all cells share what items are hard.

    Args:
        cell: the cell.
        level: the share that is right.
        items: how many there are.
        noise: 0: the same items are right in every cell of that level.
    """
    hard = np.random.default_rng(7).random(items)
    own = np.random.default_rng(derive_seed(cell.id)).random(items)
    rank = np.argsort(np.argsort((1 - noise) * hard + noise * (hard + own) / 2))
    return (rank < round(level * items)).astype(float)


def lose(bundle, cells):
    """The same bundle after some cells have failed."""
    gone = bundle.manifests["cell"].isin(cells)
    manifests = bundle.manifests.assign(
        status=bundle.manifests["status"].where(~gone, "failed"),
        manifest=bundle.manifests["manifest"].where(~gone, None),
    )
    history = bundle.history[~bundle.history["cell"].isin(cells)]
    return replace(bundle, manifests=manifests, history=history, known={})


def memory_bundle(grid, outcomes, rewards=None, without=(), registered=True, **columns):
    """A bundle of a grid's cells.

    Args:
        grid: the grid.
        outcomes: of a cell and benchmark, the outcome of each item.
        rewards: of an RL cell, the reward of each update; None: it rises.
        without: cells that failed.
        registered: whether trainings recorded the claims.
        columns: of manifests, by name, what a cell has.
    """
    scores, history, manifests = [], [], []
    for cell in grid.cells.values():
        axes = axes_of(grid, cell)
        row = {**axes, "status": "done", "error": None, "resumed": False}
        if cell.id in without:
            manifests.append({**row, "status": "failed", "error": "gone"})
            continue
        kind = grid.kind(cell)
        train = {"claims": digests(grid.claims)} if registered and kind != "none" else {}
        row |= {"manifest": json.dumps({"train": train, "evaluate": {}}), "rows_hash": "r"}
        row |= {"updates": 100, "samples": 1.0, "tokens": 1.0, "flops": 1.0}
        manifests.append(row | {name: value(cell) for name, value in columns.items()})
        for name in grid.config.evaluation.benchmarks:
            right = outcomes(cell, name)
            items = [f"{name}-{number:03d}" for number in range(len(right))]
            scores.append(
                pd.DataFrame({**axes, "benchmark": name, "item": items, "correct": right})
            )
        if kind == "rl":
            curve = np.linspace(0.2, 0.8, STEPS) if rewards is None else rewards(cell)
            for step, value in enumerate(curve, 1):
                history.append({**axes, "step": step, "metric": "reward", "value": value})
    frame = pd.concat(scores, ignore_index=True)
    frame = frame.assign(
        format_ok=True, length=5, truncated=False, item_family="c", hops=1, filled=1
    )
    axes = ["cell", "step", "metric", "value"]
    return Bundle(
        Scores.of_frame(frame[SCORES].astype({"correct": bool}), CATEGORIES),
        pd.DataFrame(history) if history else pd.DataFrame(columns=[*axes, "kind", "seed"]),
        pd.DataFrame(manifests, columns=MANIFESTS).astype({"size": "Int64"}),
        study_of(grid, {}),
    )
