"""Tables of unknown origin, checked before they are read: a small file can unpack to any size.

Equal values stand in a parquet file once, so that a megabyte of it can hold a billion rows, or a
long text a million times.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reassess.core.errors import ReassessError
from reassess.core.files import reading_parquet

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

LARGEST = 8 * 2**30  # bytes of a table in memory
PER_VALUE = 8  # bytes that a value takes at least
ROWS = 2**16  # that are looked at together


def require_ordinary(path: Path) -> None:
    """Refuse a table that takes too much memory, has columns of lists, or text that is none.

    Args:
        path: a parquet file. One that is missing is left to whoever reads it.

    Raises:
        ReassessError: names the file and what is wrong.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return
    with reading_parquet(path):
        with pq.ParquetFile(path) as file:
            kinds = {field.name: field.type for field in file.schema_arrow}
            nested = [name for name, kind in kinds.items() if pa.types.is_nested(kind)]
            if nested:
                raise ReassessError(f"{path} has columns that hold several values: {nested[0]!r}")
            if _stated(file.metadata) > LARGEST:
                raise _too_large(path)
        texts = [name for name, kind in kinds.items() if pa.types.is_string(kind)]
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            size = 0
            for batch in file.iter_batches(ROWS):
                size += _size(batch)
                if size > LARGEST:
                    raise _too_large(path)


def _stated(metadata: pq.FileMetaData) -> int:
    """The size that a file itself states, or that its rows take at least."""
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    stated = sum(int(group.total_byte_size) for group in groups)
    return max(stated, int(metadata.num_rows) * int(metadata.num_columns) * PER_VALUE)


def _size(batch: pa.RecordBatch) -> int:
    """The bytes of some rows in memory, where each row has its values to itself.

    Raises:
        ArrowInvalid: a text is none in UTF-8.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    batch.validate(full=True)
    total = int(batch.num_rows) * int(batch.num_columns) * PER_VALUE
    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and pa.types.is_string(column.type.value_type):
            lengths = pc.binary_length(column.dictionary)
            each = pc.cast(lengths.take(column.indices), pa.int64())
            total += int(pc.sum(each).as_py() or 0)
    return total


def _too_large(path: Path) -> ReassessError:
    return ReassessError(
        f"{path} would take more than {LARGEST // 2**30} GiB of memory; refused as no table of a "
        "bundle"
    )
