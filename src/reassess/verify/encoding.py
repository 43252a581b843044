"""Whether a bundle's tables are, to the byte, what a run writes of their rows.

A parquet file says much beside its values: statistics by which readers skip rows, names and types
that some go by, counts, places in other files. Where any of it is false, other programs read other
values than Arrow does, and no reader here would notice. So the tables are written again.
"""

from __future__ import annotations

import filecmp
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from reassess.bundles.collect import rewrite
from reassess.verify.schema import REQUIRED

WRITER = re.compile(r"parquet-cpp-arrow version [0-9.]{5,20}( with pandas [0-9.]{5,20})?")


def check_encoding(folder: Path, notes: list[str]) -> Iterator[str]:
    """Yield tables whose bytes are others than those that are written of the same rows.

    Another version of Arrow or pandas may write others: that a table is of one is a note.

    Args:
        folder: of the tables, whose columns and types have been checked.
        notes: receives the notes.
    """
    with tempfile.TemporaryDirectory(prefix="reassess-again-") as temporary:
        again = Path(temporary)
        rewrite(folder, again)
        for name in (f"{table}.parquet" for table in REQUIRED):
            if filecmp.cmp(folder / name, again / name, shallow=False):
                continue
            writer, ours = (_writer(path / name) for path in (folder, again))
            if writer == ours or not WRITER.fullmatch(writer):
                yield (
                    f"bundle/{name}: not the bytes that {ours} writes of these rows; other "
                    "programs may read other values than those that were compared"
                )
            else:
                notes.append(
                    f"bundle/{name} says that {writer} wrote it, which may write other bytes than "
                    f"{ours}: its values were compared, and other programs may read others"
                )


def _writer(path: Path) -> str:
    """The programs that a table names as its writers."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        arrow, metadata = file.metadata.created_by, file.schema_arrow.metadata or {}
    pandas = json.loads(metadata.get(b"pandas", b"{}")).get("pandas_version")
    return f"{arrow} with pandas {pandas}" if pandas else str(arrow)
