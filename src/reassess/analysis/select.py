"""Picking cells out of a bundle and lining their outcomes up by seed and item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from reassess.analysis.bundle import AXES, Bundle
from reassess.analysis.statistics import Matrix, MeanInterval, mean_interval, paired_difference

Axes = Mapping[str, object]  # values of columns: one, several in a tuple, or None for missing
OUTCOMES = ["model", "seed", "benchmark", "item", "correct"]


def pick(frame: pd.DataFrame, **axes: object) -> pd.DataFrame:
    """The rows whose axes have the given values.

    Args:
        frame: any table of a bundle.
        axes: by column, a value; a tuple, list or set allows several, None means missing.
    """
    for name, wanted in axes.items():
        if wanted is None:
            frame = frame[frame[name].isna()]
        elif isinstance(wanted, tuple | list | set):
            frame = frame[frame[name].isin(list(wanted))]
        else:
            frame = frame[frame[name] == wanted]
    return frame


def scores_at(bundle: Bundle, columns: Sequence[str] | None = None, **axes: object) -> pd.DataFrame:
    """The scores at those axes of cells, benchmarks and items.

    Cells are picked first, because a large study has many others.

    Args:
        bundle: the results of a study.
        columns: those that are needed, with those of benchmarks and items that are picked by; None:
            all.
        axes: by column, the values to pick.
    """
    cells = pick(bundle.scored, **{name: wanted for name, wanted in axes.items() if name in AXES})
    return pick(
        bundle.scores_of(cells["cell"], columns),
        **{name: wanted for name, wanted in axes.items() if name not in AXES},
    )


def outcomes(bundle: Bundle, **axes: object) -> pd.DataFrame:
    """Outcomes (0 or 1) as a table: a row for each (model, seed), a column for each (benchmark,
    item); empty if there are none.
    """
    table = scores_at(bundle, OUTCOMES, **axes).pivot_table(
        index=["model", "seed"], columns=["benchmark", "item"], values="correct", aggfunc="mean"
    )
    return table.astype(float)


def accuracy(bundle: Bundle, **axes: object) -> MeanInterval | None:
    """The accuracy of the cells at those axes with its interval; None if there are none."""
    table = outcomes(bundle, **axes)
    return None if table.empty else mean_interval(_matrix(table))


def difference(bundle: Bundle, first: Axes, second: Axes, **shared: object) -> MeanInterval | None:
    """Accuracy at `first` minus accuracy at `second`, paired by model, seed and item.

    An arm that trains nothing has one seed; it is paired with every seed of the other. Runs of
    two arms that train are paired by their seeds alone. None if nothing pairs.
    """
    sides = [{**axes, **shared} for axes in (first, second)]
    left, right = (outcomes(bundle, **axes) for axes in sides)
    if left.empty or right.empty:
        return None
    if _trains_nothing(bundle, sides[0]):
        left = _spread(left, right)
    if _trains_nothing(bundle, sides[1]):
        right = _spread(right, left)
    left, right = _align(left, right)
    if left.empty:
        return None
    return paired_difference(_matrix(left), _matrix(right))


def _align(left: pd.DataFrame, right: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    columns = left.columns.intersection(right.columns)
    common = left.index.intersection(right.index)
    return left.loc[common, columns], right.loc[common, columns]


def _trains_nothing(bundle: Bundle, axes: Axes) -> bool:
    """Whether all cells at some axes are of arms that train nothing."""
    cells = pick(bundle.scored, **{name: axes[name] for name in AXES if name in axes})
    return bool((cells["kind"] == "none").all())


def _spread(table: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """Repeat a model's only row for every seed that `like` has of that model."""
    single = table.groupby(level="model").filter(lambda rows: len(rows) == 1).droplevel("seed")
    wanted = [key for key in like.index if key[0] in single.index and key not in table.index]
    if not wanted:
        return table
    added = single.loc[[model for model, _ in wanted]]
    added.index = pd.MultiIndex.from_tuples(wanted, names=["model", "seed"])
    return pd.concat([table, added]).sort_index()


def _matrix(table: pd.DataFrame) -> Matrix:
    return np.asarray(table.to_numpy(), dtype=np.float64)


def shared_size(bundle: Bundle, *arms: str | None, **axes: object) -> int | None:
    """The largest data size at which every one of the arms has scores; None if there is none."""
    sizes = [set(pick(bundle.scored, method=arm, **axes)["size"].dropna()) for arm in arms]
    common = set.intersection(*sizes)
    return int(max(common)) if common else None
