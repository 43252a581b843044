"""The answers of the models of a study.

They are by far the largest table of a bundle, so they are written and read a few cells at a time,
never whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from reassess.core.errors import ReassessError
from reassess.core.files import parquet_columns, reading_parquet, replacing
from reassess.core.tables import require_ordinary

if TYPE_CHECKING:
    import pandas as pd

ANSWERS = "predictions.parquet"
KEYS = ["cell", "benchmark", "item"]
COLUMNS = [*KEYS, "prompt_hash", "completion", "extracted", "answer", "answer_kind"]
TOGETHER = 20_000  # rows of a row group: cells share items and prompts, which are stored once in it
SAMPLED = "sampled"  # further completions, where a study draws them


def write_answers(path: Path, cells: Iterable[pd.DataFrame], sampled: bool) -> None:
    """Write the answers of cells, whole ones to a row group of at least `TOGETHER` rows.

    Args:
        path: the file.
        cells: the answers of each cell, in the order of the file; within a cell they are sorted.
        sampled: whether any study has further completions.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [*COLUMNS, *([SAMPLED] if sampled else [])]
    schema = pa.schema([(name, pa.string()) for name in columns])
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        waiting: list[pa.Table] = []
        for cell in cells:
            lacking = dict.fromkeys(set(columns) & {SAMPLED} - set(cell))  # not every study has it
            frame = cell.assign(**lacking).sort_values(KEYS, kind="stable")[columns]
            waiting.append(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))
            if sum(table.num_rows for table in waiting) >= TOGETHER:
                writer.write_table(pa.concat_tables(waiting))
                waiting.clear()
        if waiting:
            writer.write_table(pa.concat_tables(waiting))


def answers_by_cell(path: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each cell and its answers, in the order in which they are stored.

    Raises:
        ReassessError: the file is missing, damaged, or lacks a column; names it.
    """
    import pandas as pd

    last: tuple[str, pd.DataFrame] | None = None
    for group in _row_groups(path):
        for cell, rows in group.groupby("cell", sort=False):
            if last is not None and last[0] == cell:  # its rows continue in another row group
                last = (last[0], pd.concat([last[1], rows], ignore_index=True))
                continue
            if last is not None:
                yield last
            last = (str(cell), rows.reset_index(drop=True))
    if last is not None:
        yield last


def has_sampled(path: Path) -> bool:
    """Whether the answers include further completions."""
    return SAMPLED in parquet_columns(path)


def _row_groups(path: Path) -> Iterator[pd.DataFrame]:
    import pyarrow.parquet as pq

    require_ordinary(path)
    with reading_parquet(path), pq.ParquetFile(path) as file:
        lacking = [name for name in COLUMNS if name not in file.schema_arrow.names]
        if lacking:
            raise ReassessError(f"{path} lacks the columns {', '.join(lacking)}")
        for number in range(file.num_row_groups):
            group = file.read_row_group(number).to_pandas()
            yield group.astype(dict.fromkeys(KEYS, str))  # older bundles have categories here
