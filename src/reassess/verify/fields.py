"""Whether manifests have the fields that jobs write, and no others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from math import isfinite

from reassess.core.files import Json
from reassess.verify.stored import shown

SHA256 = re.compile(r"(content:)?[0-9a-f]{64}")


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and isfinite(value) and value >= 0  # type: ignore[arg-type, operator]


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


Test = Callable[[object], bool]
TYPES: dict[str, Test] = {
    "number": _is_number,
    "whole number": lambda value: type(value) is int and value >= 0,
    "boolean": lambda value: isinstance(value, bool),
    "text": lambda value: isinstance(value, str),
    "time with its zone": _is_time,
    "SHA-256": lambda value: isinstance(value, str) and SHA256.fullmatch(value) is not None,
    "SHA-256 or null": lambda value: value is None or TYPES["SHA-256"](value),
    "object": lambda value: isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
}
EVERY = {  # manifest: what a job of any kind records
    "action": "text", "spec": "object", "spec_hash": "SHA-256", "started": "time with its zone",
    "seconds": "number", "peak_memory_mb": "number", "threads": "whole number",
    "versions": "object", "code_commit": "text", "lock_hash": "text", "hardware": "object",
    "template_hash": "SHA-256",
}  # fmt: skip
REQUIRED = {
    "train": EVERY | {
        "cell": "text", "kind": "text", "rows": "whole number", "rows_hash": "SHA-256",
        "order_seed": "whole number", "sampling_seed": "whole number",
        "processor_hash": "SHA-256", "start_weights_hash": "SHA-256", "weights_hash": "SHA-256",
        "samples": "number", "updates": "whole number", "tokens": "number", "flops": "number",
        "flops_formula": "text", "training_seconds": "number", "resumed": "boolean",
        "layout": "object", "micro_batch_halved": "boolean",
    },
    "evaluate": EVERY | {"weights_hash": "SHA-256 or null"},
}  # fmt: skip
LATER = {"environment": "object", "plugin": "object", "checkpoint_hash": "SHA-256"}
OPTIONAL = {  # of versions after the first, or of some cells
    "train": LATER | {
        "row_ids_hash": "SHA-256", "start_checkpoint_hash": "SHA-256", "checkpoint_files": "object",
        "plugins_loaded": "list", "view": "text", "opened": "list",
    },
    "evaluate": LATER | {"checkpoint_hash": "SHA-256 or null", "predictions_hash": "SHA-256"},
}  # fmt: skip


def check_fields(cell: str, record: Json) -> Iterator[str]:
    """Yield fields of a cell's manifests that are missing, unknown, or of another type.

    Args:
        cell: its id.
        record: the manifests of its jobs by `train` and `evaluate`; empty for what has none.
    """
    for part, manifest in record.items():
        if not manifest:
            continue
        required, known = REQUIRED[part], REQUIRED[part] | OPTIONAL[part]
        for name in sorted({*required} - {*manifest}):
            yield f"{cell}: {part}.{name}: missing"
        for name in sorted({*manifest} - {*known}):
            yield f"{cell}: {part}.{name}: no field of a manifest"
        for name in sorted({*manifest} & {*known}):
            if not TYPES[known[name]](manifest[name]):
                yield f"{cell}: {part}.{name} is {shown(manifest[name])}, no {known[name]}"
