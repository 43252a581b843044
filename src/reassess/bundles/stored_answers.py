"""What the models of a study answered: by far the largest table of a bundle, so written and read cell by cell, never whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from reassess.core.errors import ReassessError
from reassess.core.files import replacing

if TYPE_CHECKING:
    import pandas as pd

ANSWERS = "predictions.parquet"
KEYS = ["cell", "benchmark", "item"]
COLUMNS = [*KEYS, "prompt_hash", "completion", "extracted", "answer", "answer_kind"]
SAMPLED = "sampled"  # further completions, where a study asked for them


def write_answers(path: Path, cells: Iterable[pd.DataFrame], sampled: bool) -> None:
    """Write the answers of cells in the order in which they come, each cell's own in one order; a row group each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [*COLUMNS, *([SAMPLED] if sampled else [])]
    schema = pa.schema([(name, pa.string()) for name in columns])
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        for cell in cells:
            known = (
                cell if SAMPLED in cell or not sampled else cell.assign(**{SAMPLED: None})
            )  # not every study asked for them
            frame = known.sort_values(KEYS, kind="stable")[columns]
            writer.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))


def answers_by_cell(path: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each cell and its answers, in the order in which they are stored.

    Raises:
        ReassessError: the file is missing, damaged, or lacks a column; names it.
    """
    import pandas as pd

    held: tuple[str, pd.DataFrame] | None = None
    for group in _row_groups(path):
        for cell, rows in group.groupby("cell", sort=False):
            if held is not None and held[0] == cell:  # its rows go on in another row group
                held = (held[0], pd.concat([held[1], rows], ignore_index=True))
                continue
            if held is not None:
                yield held
            held = (str(cell), rows.reset_index(drop=True))
    if held is not None:
        yield held


def has_sampled(path: Path) -> bool:
    """Return whether the answers come with further completions."""
    import pyarrow.parquet as pq

    return SAMPLED in pq.read_schema(path).names


def _row_groups(path: Path) -> Iterator[pd.DataFrame]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            lacking = [name for name in COLUMNS if name not in file.schema_arrow.names]
            if lacking:
                raise ReassessError(f"{path} lacks the columns {', '.join(lacking)}")
            for number in range(file.num_row_groups):
                group = file.read_row_group(number).to_pandas()
                yield group.astype(
                    dict.fromkeys(KEYS, str)
                )  # bundles of before have categories here
    except FileNotFoundError as error:
        raise ReassessError(f"missing file {path}") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise ReassessError(f"{path} is not a readable parquet file ({error})") from error
