"""Traces: one completion for each item that has one, as a parquet file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reassess.core.files import read_parquet, write_parquet
from reassess.data.pool import hashes_of


def write_traces(path: Path, traces: Mapping[str, str]) -> None:
    """Write completions by item id."""
    import pandas as pd

    write_parquet(path, pd.DataFrame({"id": list(traces), "completion": list(traces.values())}))


def read_traces(path: Path) -> dict[str, str]:
    """Read completions by item id.

    Raises:
        ReassessError: the file is missing or damaged.
    """
    frame = read_parquet(path)
    return dict(zip(frame["id"], frame["completion"], strict=True))


def traces_hash(traces: Mapping[str, str]) -> str:
    """The hash of completions by item id, in their order; the `content_hash` of their file."""
    rows = ({"id": item, "completion": completion} for item, completion in traces.items())
    return hashes_of(rows)["content_hash"]
