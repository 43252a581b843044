"""Whether the tables of a bundle have the columns, types, keys and ranges that a run writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reassess.analysis.bundle import HISTORY, MANIFESTS, OPTIONAL_SCORES, SCORES
from reassess.bundles.stored_answers import COLUMNS, KEYS, SAMPLED
from reassess.core.errors import ReassessError
from reassess.verify.rows import Keys, Used, Values

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

Type = Literal["text", "integer", "number", "boolean"]

REQUIRED = {
    "scores": SCORES,
    "predictions": COLUMNS,
    "history": HISTORY,
    "manifests": MANIFESTS,
}
OPTIONAL = {"scores": OPTIONAL_SCORES, "predictions": [SAMPLED]}
UNIQUE = {
    "scores": KEYS,
    "predictions": KEYS,
    "history": ["cell", "metric", "step"],
    "manifests": ["cell"],
}
FILES = {*(f"{name}.parquet" for name in REQUIRED), "study.json"}
NUMBERS: dict[str, tuple[Type, ...]] = {
    **dict.fromkeys(("size", "seed", "step", "length", "hops", "filled", "updates"), ("integer",)),
    **dict.fromkeys(("value", "tokens", "flops", "seconds", "peak_memory_mb"), ("number",)),
    # Merged with a bundle that has none of it, a whole number is a float beside missing ones.
    **dict.fromkeys(("samples", "sampled_correct"), ("integer", "number")),
    **dict.fromkeys(
        ("correct", "format_ok", "truncated", "undecided", "judged", "resumed"), ("boolean",)
    ),
}
MAY_LACK = {  # by table, where a value may be missing
    "scores": {"distribution", "size", "hops", "filled", "undecided", *OPTIONAL_SCORES},
    "predictions": {"extracted", SAMPLED},
    "history": set[str](),
    "manifests": {"distribution", "size", *(set(MANIFESTS) - {*HISTORY, "status"})},
}
RANGES = [name for name, (kind, *_) in NUMBERS.items() if kind != "boolean"]
NEGATIVE = {"value"}  # what may be below zero
STATES = ("done", "failed")


def check_files(folder: Path) -> Iterator[str]:
    """Yield what a bundle's folder lacks, and what it holds besides its tables."""
    held = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for name in sorted(FILES - held):
        yield f"bundle/{name}: missing"
    for name in sorted(held - FILES):
        yield f"bundle/{name}: no file of a bundle"


def check_tables(folder: Path) -> list[str]:
    """What is wrong with the columns, types and values of the tables that a bundle has."""
    return [
        problem
        for name in REQUIRED
        if (path := folder / f"{name}.parquet").is_file()
        for problem in _table(path, name)
    ]


def _table(path: Path, name: str) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            may_lack = MAY_LACK[name] if file.metadata.num_rows else {*REQUIRED[name]}
            problems = [*_columns(file.schema_arrow, name, may_lack), *_metadata(file.schema_arrow)]
            if not problems:
                problems = [*_content(file, name)]
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise ReassessError(f"{path} is not a readable parquet file ({error})") from error
    yield from (f"bundle/{path.name}: {problem}" for problem in problems)


def _content(file: pq.ParquetFile, name: str) -> Iterator[str]:
    """Yield values that are missing, out of range, or of a row that another row has too.

    A large table is read a row group at a time; of all rows together only their keys are held.
    """
    keys, used, values = Keys(UNIQUE[name]), Used(), Values(RANGES, NEGATIVE, STATES)
    missing: dict[str, int] = {}
    for number in range(file.num_row_groups):
        table = file.read_row_group(number)
        for column in table.column_names:
            if count := table[column].null_count:
                missing[column] = missing.get(column, 0) + count
        used.add(table)
        keys.add(table)
        if name != "predictions":
            values.add(table.to_pandas(ignore_metadata=True))
    for column, count in missing.items():
        if column not in MAY_LACK[name]:
            yield f"column {column} has {count} missing values"
    yield from used.problems()
    yield from keys.problems()
    yield from values.problems()


def _columns(schema: pa.Schema, name: str, may_lack: set[str]) -> Iterator[str]:
    """Yield columns that are missing, unknown, repeated, or of another type."""
    names = list(schema.names)
    known = [*REQUIRED[name], *OPTIONAL.get(name, [])]
    for column in REQUIRED[name]:
        if column not in names:
            yield f"lacks the column {column}"
    for column in dict.fromkeys(names):
        if column not in known:
            yield f"has the unknown column {column!r}"
        elif names.count(column) > 1:
            yield f"has the column {column} {names.count(column)} times"
        else:
            allowed = NUMBERS.get(column, ("text",))
            found = _type(schema.field(column).type)
            if found not in (*allowed, *(["nothing"] if column in may_lack else [])):
                yield f"column {column} holds {found}, not {' or '.join(allowed)}"


def _type(kind: pa.DataType) -> str:
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = {
        "nothing": pa.types.is_null,
        "boolean": pa.types.is_boolean,
        "integer": pa.types.is_integer,
        "number": pa.types.is_floating,
    }
    for name, test in tests.items():
        if test(kind):
            return name
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return "text" if text else str(kind)


def _metadata(schema: pa.Schema) -> Iterator[str]:
    """Yield what a file's metadata would add to its columns when pandas reads it."""
    import json

    metadata = dict(schema.metadata or {})
    pandas = metadata.pop(b"pandas", b"{}")
    of_fields = [key for field in schema for key in field.metadata or {}]
    for key in (*metadata, *(key for key in of_fields if not key.startswith(b"PARQUET:"))):
        yield f"has metadata of its own ({key.decode(errors='replace')!r})"
    try:
        described = json.loads(pandas)
        index, attributes = described.get("index_columns", []), described.get("attributes")
        columns = {column["name"]: column["field_name"] for column in described.get("columns", [])}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        yield f"has metadata that cannot be read ({error})"
        return
    if index or attributes:
        yield f"has an index or attributes beside its columns ({index or attributes})"
    if any(name != field or field not in schema.names for name, field in columns.items()):
        yield "has metadata that gives its columns other names"
