"""Picking cells out of a bundle and lining their outcomes up by model, seed and item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reassess.analysis.bundle import AXES, Bundle
from reassess.analysis.statistics import MeanEstimate, Source, mean_estimate, paired_difference
from reassess.analysis.strata import Matrix, Run
from reassess.core.errors import ReassessError
from reassess.grid.cells import replicate_of

Axes = Mapping[str, object]  # values of columns: one, several in a tuple, or None for missing
RUN = ["model", "seed"]
OUTCOMES = ["cell", *RUN, "benchmark", "item", "correct"]
NAMED = 3  # items named in an error


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
    cells = pick(bundle.scored, **_of_cells(axes))
    return pick(
        bundle.scores_of(cells["cell"], columns),
        **{name: wanted for name, wanted in axes.items() if name not in AXES},
    )


def outcomes(bundle: Bundle, **axes: object) -> pd.DataFrame:
    """Outcomes (0 or 1) as a table: a row for each (model, seed), a column for each (benchmark,
    item); empty if there are none.

    Where the axes leave several cells to a run (sizes, say), their outcomes are averaged.

    Raises:
        ReassessError: a cell lacks items that another has, or has an item twice; names the cell,
            the benchmark and the items.
    """
    scores = scores_at(bundle, OUTCOMES, **axes)
    if scores.empty:
        return pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=RUN))
    table = scores.pivot_table(
        index=[*RUN, "cell"],
        columns=["benchmark", "item"],
        values="correct",
        aggfunc="mean",
    )
    table = table.astype(float)
    lacking = table.isna().to_numpy()
    if lacking.any():
        row = int(lacking.any(axis=1).argmax())
        refuse(table.index[row][2], table.columns[lacking[row]])
    if table.size < len(scores):
        twice = scores[scores.duplicated(["cell", "benchmark", "item"])].iloc[0]
        raise ReassessError(
            f"{twice['cell']} has more than one outcome of {twice['item']} of benchmark "
            f"{twice['benchmark']!r}: evaluate it again"
        )
    return table.groupby(level=RUN).mean()


def accuracy(bundle: Bundle, **axes: object) -> MeanEstimate | None:
    """The accuracy of the cells at those axes with its interval; None if there are none.

    Raises:
        ReassessError: as `outcomes` does.
    """
    table = outcomes(bundle, **axes)
    if table.empty:
        return None
    return mean_estimate(matrix(table), runs_of(bundle, table), varied=varied(bundle, axes))


# --- pairs ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pairs:
    """The outcomes of two sides, paired by model, seed and item, and what found no partner.

    Attributes:
        first: a row for each (model, seed) that both sides have, a column for each item.
        second: the same of the other side, in the same order.
        runs: which run each row is.
        varied: what differs between the runs of a model.
        unpaired: runs (model and seed) that one side has and the other lacks.
        one_sided: models of which one side has runs and the other none.
        without_scores: the cells of the grid at the axes of either side that have no scores.
    """

    first: pd.DataFrame
    second: pd.DataFrame
    runs: tuple[Run, ...]
    varied: tuple[Source, ...]
    unpaired: tuple[tuple[str, int], ...]
    one_sided: tuple[str, ...]
    without_scores: tuple[str, ...]

    @property
    def estimate(self) -> MeanEstimate | None:
        """The mean of first minus second over the models that both have; None if nothing pairs."""
        if not self.runs:
            return None
        return paired_difference(*self.matrices, self.runs, varied=self.varied)

    @property
    def matrices(self) -> tuple[Matrix, Matrix]:
        """Both sides as arrays of shape (runs, items)."""
        return matrix(self.first), matrix(self.second)


def pairs(bundle: Bundle, first: Axes, second: Axes, **shared: object) -> Pairs:
    """The outcomes at `first` and at `second`, paired by model, seed and item.

    An arm that trains nothing is paired with every run that starts from the same base replicate.
    Runs of two arms that train are paired by their seeds alone.

    Raises:
        ReassessError: a cell lacks items that another has.
    """
    sides = [{**axes, **shared} for axes in (first, second)]
    tables = [outcomes(bundle, **axes) for axes in sides]
    still = [_trains_nothing(bundle, axes) for axes in sides]
    if still[0] and not still[1]:
        tables[0] = _spread(bundle, tables[0], tables[1])
    if still[1] and not still[0]:
        tables[1] = _spread(bundle, tables[1], tables[0])
    left, right = tables
    common = left.index.intersection(right.index)
    if len(common):
        _require_same_items(bundle, sides, left, right)
    models = [set(table.index.get_level_values("model")) for table in tables]
    left, right = left.loc[common], right.loc[common, left.columns if len(common) else []]
    return Pairs(
        left,
        right,
        tuple(runs_of(bundle, left)),
        tuple(
            dict.fromkeys(
                source
                for axes in sides
                for source in varied(bundle, {**axes, "model": models[0] & models[1]})
            )
        ),
        tuple(
            sorted((m, int(s)) for m, s in tables[0].index.symmetric_difference(tables[1].index))
        ),
        tuple(sorted(models[0] ^ models[1])),
        tuple(sorted({cell for axes in sides for cell in without_scores(bundle, **axes)})),
    )


def difference(bundle: Bundle, first: Axes, second: Axes, **shared: object) -> MeanEstimate | None:
    """Accuracy at `first` minus accuracy at `second`; None if nothing pairs.

    The estimate names the models and counts the runs that enter; `pairs` has those that do not.

    Raises:
        ReassessError: as `pairs` does.
    """
    return pairs(bundle, first, second, **shared).estimate


def without_scores(bundle: Bundle, **axes: object) -> list[str]:
    """The cells of the grid at those axes that have no scores."""
    cells = pick(bundle.manifests, **_of_cells(axes))
    return [str(cell) for cell in cells[cells["status"] != "done"]["cell"]]


def _of_cells(axes: Axes) -> dict[str, object]:
    return {name: wanted for name, wanted in axes.items() if name in AXES}


def _trains_nothing(bundle: Bundle, axes: Axes) -> bool:
    """Whether all cells at some axes are of arms that train nothing."""
    cells = pick(bundle.scored, **_of_cells(axes))
    return bool((cells["kind"] == "none").all())


def _spread(bundle: Bundle, table: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """The rows of an arm that trains nothing, for every run of `like` from the same base replicate.

    Where there are several such rows, as in merged studies, a run meets the one with its own seed,
    else their mean. Rows of bases that no run of `like` starts from stay as they are.
    """
    if table.empty or like.empty:
        return table
    by_base: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for model, seed in table.index:
        by_base.setdefault((model, base_of(bundle, seed)), []).append((model, seed))
    rows: dict[tuple[str, int], pd.Series[float]] = {}
    met = set()
    for model, seed in like.index:
        base = model, base_of(bundle, seed)
        if base in by_base:
            met.add(base)
            own = (model, seed) in by_base[base]
            source = [(model, seed)] if own else by_base[base]
            rows[model, seed] = table.loc[source].mean()
    for base in by_base.keys() - met:
        for key in by_base[base]:
            rows[key] = table.loc[[key]].mean()
    spread = pd.DataFrame(list(rows.values()), columns=table.columns)
    spread.index = pd.MultiIndex.from_tuples(list(rows), names=RUN)
    return spread.sort_index()


def _require_same_items(
    bundle: Bundle, sides: Sequence[Axes], left: pd.DataFrame, right: pd.DataFrame
) -> None:
    for axes, table, other in ((sides[0], left, right), (sides[1], right, left)):
        lacking = other.columns.difference(table.columns)
        if len(lacking):
            cells = pick(bundle.scored, **_of_cells(axes))["cell"]
            refuse(str(cells.iloc[0]), lacking)


def refuse(cell: object, lacking: pd.Index) -> None:
    """Refuse to compare a cell that lacks (benchmark, item) pairs.

    Raises:
        ReassessError: names the cell, the benchmark and the first items.
    """
    benchmark = lacking[0][0]
    items = [str(item) for name, item in lacking if name == benchmark]
    more = f" and {len(items) - NAMED} more" if len(items) > NAMED else ""
    raise ReassessError(
        f"{cell} has no outcome of {', '.join(items[:NAMED])}{more} of benchmark {benchmark!r}, "
        "which the cells that it is compared with have: evaluate it again, or drop it from the "
        "comparison"
    )


# --- runs -----------------------------------------------------------------------------------------


def base_of(bundle: Bundle, seed: int) -> int:
    """The base replicate that the runs of a seed start from; a bundle that names none has one."""
    return replicate_of(int(seed), int(bundle.study.get("bases", 1)))


def runs_of(bundle: Bundle, table: pd.DataFrame) -> list[Run]:
    """Which run each row of a table of outcomes is."""
    return [Run(str(model), int(seed), base_of(bundle, seed)) for model, seed in table.index]


def varied(bundle: Bundle, axes: Axes) -> tuple[Source, ...]:
    """What differs between the runs of a model at some axes: "rows", where every model has runs on
    other rows of the same size, and "seeds".
    """
    cells = pick(bundle.scored, **_of_cells(axes))
    trained = cells[cells["kind"] != "none"]
    if trained.empty:
        bases = cells["seed"].map(lambda seed: base_of(bundle, seed))
        repeated = cells.groupby([cells["model"], bases])["seed"].nunique()
        return ("seeds",) if len(repeated) and repeated.min() > 1 else ()
    draws = trained.groupby(["model", "size"], dropna=False)["rows_hash"].nunique()
    return ("rows", "seeds") if draws.min() > 1 else ("seeds",)


def matrix(table: pd.DataFrame) -> Matrix:
    """A table of outcomes as an array."""
    return np.asarray(table.to_numpy(), dtype=np.float64)


def shared_size(bundle: Bundle, *arms: str | None, **axes: object) -> int | None:
    """The largest data size that the grid has for every one of the arms; None if there is none.

    Cells that failed count: what survived does not choose what is shown.
    """
    sizes = [set(pick(bundle.manifests, method=arm, **axes)["size"].dropna()) for arm in arms]
    common = set.intersection(*sizes)
    return int(max(common)) if common else None
