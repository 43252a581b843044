"""Whether weights have moved as gradients say, and no two cells share what is each one's own."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from reassess.core.files import Json
from reassess.grid.cells import Cell
from reassess.grid.study import Grid
from reassess.training.rl_settings import RlSettings
from reassess.training.sft_settings import SftSettings
from reassess.verify.cells import is_shipped, width_of
from reassess.verify.curves import NOTHING, Trained
from reassess.verify.stored import Stored


def check_gradients(stored: Stored, trained: list[Trained]) -> Iterator[str]:
    """Yield weights, and gradients, that cells trained otherwise cannot share.

    Training with a gradient moves weights, and with another seed, data or model elsewhere. Rounded
    weights may stay where they are; they are not compared.
    """
    known: dict[tuple[str, object], tuple[str, tuple[object, ...]]] = {}
    for grid, cell, curves in trained:
        gradient, rate = (curves.get(name, NOTHING) for name in ("grad_norm", "learning_rate"))
        train, settings = stored.records[cell.id]["train"], grid.arms[cell.arm].settings
        if not is_shipped(grid, cell) or not (rate > 0).any():
            continue
        if not gradient.empty and not (gradient > 0).any():
            yield from _unmoved(grid, cell, train, gradient)
            continue
        seed = None if _of_one_batch(settings, cell) else cell.seed
        trained_on = cell.model, cell.distribution, cell.size, grid.kind(cell), seed
        shared: dict[str, object] = {} if gradient.empty else {"gradients": tuple(gradient)}
        if grid.world.layout(cell.model).precision == "float32":
            shared["weights"] = train.get("weights_hash")
            if shared["weights"] == train.get("start_weights_hash"):
                yield f"{cell.id}: its weights are those it started from, though it had a gradient"
        for what, value in shared.items():
            first, other = known.setdefault((what, value), (cell.id, trained_on))
            if other != trained_on:
                yield f"{cell.id}: the same {what} as {first}, which was trained otherwise"


def _unmoved(grid: Grid, cell: Cell, train: Json, gradient: pd.Series[float]) -> Iterator[str]:
    """Yield whether weights moved, or rows were learned, without a gradient at any update.

    Public checkpoints, whose width no config states, are saved in another form than trained ones.
    """
    settings, layout = grid.arms[cell.arm].settings, grid.world.layout(cell.model)
    if isinstance(settings, SftSettings):
        yield f"{cell.id}: grad_norm is 0 at every update, though there are rows to learn"
        return
    alike = grid.start(cell) is not None or width_of(grid, cell.model) is not None
    exact = layout.precision == "float32" and layout.processes == 1
    if not isinstance(settings, RlSettings) or settings.weight_decay or not (alike and exact):
        return
    if len(gradient) == settings.updates(cell.size or 0) and (
        train.get("weights_hash") != train.get("start_weights_hash")
    ):
        yield f"{cell.id}: its weights are not those it started from, though it had no gradient"


def _of_one_batch(settings: object, cell: Cell) -> bool:
    """Whether every update has all rows equally often, whatever their order."""
    return isinstance(settings, SftSettings) and settings.batch_size % (cell.size or 1) == 0
