"""Writing the scores of a study, a cell at a time, with the bytes of a table written whole.

The types and dictionaries of a table follow from all of its rows. So the cells are passed over
twice: once for what they hold, once to write them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from reassess.analysis.bundle import CATEGORIES, OPTIONAL_SCORES, SCORES
from reassess.analysis.scores import Scores
from reassess.bundles.stored_answers import KEYS
from reassess.core.files import replacing

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 2**20  # of a row group: what Arrow takes for tables that are written whole
Cells = Callable[[], Iterable[pd.DataFrame]]  # the scores of each cell, in the order of their ids


@dataclass(frozen=True)
class _Form:
    """What is the same in every row group.

    Attributes:
        schema: of the file.
        frame: a few rows, in which every column has its type and all of its categories.
    """

    schema: pa.Schema
    frame: pd.DataFrame


def write_scores(path: Path, cells: Cells, columns: Iterable[str]) -> None:
    """Write the scores of cells; equal rows become equal bytes.

    Args:
        path: the file.
        cells: gives the same cells whenever it is called; within a cell the rows are sorted here.
        columns: those of the file; what a cell lacks is missing in its rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    given = {*columns}
    names = [name for name in dict.fromkeys([*SCORES, *OPTIONAL_SCORES, *given]) if name in given]
    form = _form(cells(), names)
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, form.schema, compression="zstd") as writer,
    ):
        formed = (_formed(frame, form).sort_values(KEYS, kind="stable") for frame in cells())
        for group in _groups(formed, form.frame.iloc[:0]):
            table = pa.Table.from_pandas(group, schema=form.schema, preserve_index=False)
            writer.write_table(table, row_group_size=ROWS)


def rewrite_scores(path: Path, into: Path) -> None:
    """Write stored scores again.

    Raises:
        ReassessError: the file is missing or damaged.
    """
    scores = Scores.load(path, CATEGORIES)
    write_scores(into, lambda: (scores.coded([cell]) for cell in scores.cells), scores.columns)


def cells_of(frame: pd.DataFrame) -> Cells:
    """The cells of a table in memory, in the order of their ids."""
    return lambda: (rows for _, rows in frame.groupby(frame["cell"].astype(object), sort=True))


def settled(frame: pd.DataFrame, categories: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """A table with types that follow from its values, so that it is written twice alike.

    Args:
        frame: the table, typed.
        categories: by column of names, all of its values, sorted.
    """
    import pyarrow as pa

    frame = frame.copy()
    for name in frame.columns:
        if name in CATEGORIES:
            frame[name] = pd.Categorical(frame[name], categories=pd.Index(categories[name]))
        elif name in OPTIONAL_SCORES and frame[name].isna().all():
            frame[name] = pd.Series([None] * len(frame), dtype=object, index=frame.index)
        elif frame[name].dtype == object:
            values = pa.array(frame[name], from_pandas=True).to_pandas()
            frame[name] = values.set_axis(frame.index)
    return frame


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of a bundle with the types of its columns."""
    types = {
        "size": "Int64",
        "seed": "int64",
        "length": "Int32",
        "hops": "Int8",
        "filled": "Int8",
        "updates": "Int64",
        "step": "int64",
        **dict.fromkeys(("value", "tokens", "flops", "seconds", "peak_memory_mb"), "float64"),
    }
    return frame.astype({name: kind for name, kind in types.items() if name in frame.columns})


def _form(cells: Iterable[pd.DataFrame], columns: list[str]) -> _Form:
    """What follows from all rows: of each cell, its names and the rows that show its types."""
    import pyarrow as pa

    values: dict[str, set[str]] = {name: set() for name in columns if name in CATEGORIES}
    few = []
    for cell in cells:
        frame = cell.reindex(columns=columns)
        for name, held in values.items():
            held.update(frame[name].dropna().unique())
        rows = set[int]()
        for name in columns:
            missing = frame[name].isna().to_numpy()
            rows |= {int(of.argmax()) for of in (missing, ~missing) if of.any()}
        few.append(typed(frame.iloc[sorted(rows)].astype(dict.fromkeys(values, object))))
    shown = pd.concat(few, ignore_index=True) if few else typed(pd.DataFrame(columns=columns))
    frame = settled(typed(shown), {name: sorted(held) for name, held in values.items()})
    return _Form(pa.Table.from_pandas(frame, preserve_index=False).schema, frame)


def _formed(cell: pd.DataFrame, form: _Form) -> pd.DataFrame:
    """The rows of a cell with the types of the whole table, in which names sort as texts."""
    columns = {}
    for name, like in form.frame.items():
        held = cell[name] if name in cell else pd.Series(None, index=cell.index, dtype=object)
        if like.dtype == object:
            columns[name] = held.astype(object).where(held.notna(), None)
        else:
            columns[name] = held.astype(like.dtype)
    return pd.DataFrame(columns, index=cell.index)


def _groups(cells: Iterable[pd.DataFrame], empty: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the rows of cells, `ROWS` at a time; once none, if there are no cells."""
    waiting, count, some = [empty], 0, False
    for cell in cells:
        waiting.append(cell)
        count += len(cell)
        while count >= ROWS:
            together = pd.concat(waiting, ignore_index=True)
            yield together.iloc[:ROWS]
            waiting, count, some = [together.iloc[ROWS:]], count - ROWS, True
    if count or not some:
        yield pd.concat(waiting, ignore_index=True)
