"""Whether manifests have the fields that jobs write, and no others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from math import isfinite
from typing import get_args

from reassess.core.files import Json
from reassess.core.fingerprint import DIGITS, hash_of
from reassess.core.numerics import Mode
from reassess.core.price import amount
from reassess.core.view import Kind as ViewKind
from reassess.verify.stored import shown

SHA256 = re.compile(r"[0-9a-f]{64}")
OF_ROWS = re.compile(r"(content:)?[0-9a-f]{64}")
COMMIT = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})(\+changes)?|unknown")
FORMULA = re.compile(r"reassess-[1-9][0-9]*")
VIEWS = get_args(ViewKind)
MODES = get_args(Mode)
MODE = f"one of {', '.join(MODES)}"
MOST_THREADS = 2**16
OF_OPERATION = re.compile(rf"[0-9a-f]{{{DIGITS}}}")
CURRENCY = re.compile(r"[A-Z]{3}")
INSTALLED = ("python", "torch", "transformers")  # no job runs without them


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and isfinite(value) and value >= 0  # type: ignore[arg-type, operator]


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _matches(pattern: re.Pattern[str]) -> Test:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_mapping_of(test: Test) -> Test:
    return lambda value: isinstance(value, dict) and all(map(test, value.values()))


def _is_list_of(test: Test) -> Test:
    return lambda value: isinstance(value, list) and all(map(test, value))


def _is_whole_object(kind: str) -> Test:
    return lambda value: not [*_parts(value, *PARTS[kind])]


def _is_whole(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_fingerprint(value: object) -> bool:
    """Whether a value is a fingerprint whose hash is that of its operations."""
    if not isinstance(value, dict) or {*value} != {"version", "hash", "operations"}:
        return False
    operations = value["operations"]
    if not _is_mapping_of(_matches(OF_OPERATION))(operations) or not operations:
        return False
    return _is_whole(value["version"]) and bool(value["hash"] == hash_of(operations))


def _or_null(test: Test) -> Test:
    return lambda value: value is None or test(value)


Test = Callable[[object], bool]
Kinds = Mapping[str, str]  # of fields, by name: each one of TYPES or of PARTS
TYPES: dict[str, Test] = {
    "number": _is_number,
    "number or null": _or_null(_is_number),
    "number above 0": lambda value: _is_number(value) and value != 0,
    "whole number": _is_whole,
    "whole number or null": _or_null(_is_whole),
    "whole number above 0": lambda value: _is_whole(value) and value != 0,
    "number of threads": lambda value: type(value) is int and 1 <= value <= MOST_THREADS,
    "boolean": lambda value: isinstance(value, bool),
    "text": _is_text,
    "text or null": _or_null(_is_text),
    "list of texts": _is_list_of(_is_text),
    "time with its zone": _is_time,
    "SHA-256": _matches(SHA256),
    "SHA-256 or null": _or_null(_matches(SHA256)),
    "SHA-256, `none` or `unknown`": lambda value: (
        value in ("none", "unknown") or _matches(SHA256)(value)
    ),
    "SHA-256 of rows": _matches(OF_ROWS),
    "SHA-256 by file": _is_mapping_of(_matches(SHA256)),
    "SHA-256 by claim": _is_mapping_of(_matches(SHA256)),
    "commit, or `unknown`": _matches(COMMIT),
    "name of a formula": _matches(FORMULA),
    f"one of {', '.join(VIEWS)}": lambda value: value in VIEWS,
    "versions by package": lambda value: (
        _is_mapping_of(_is_text)(value) and {*INSTALLED} <= {*value}  # type: ignore[misc]
    ),
    "object": lambda value: isinstance(value, dict),
    "build": _or_null(_is_whole_object("build")),
    "source": _is_whole_object("source"),
    "list of sources": _is_list_of(_is_whole_object("source")),
    "hardware": _is_whole_object("hardware"),
    "environment": _is_whole_object("environment"),
    "currency": _matches(CURRENCY),
    "machine": lambda value: value == "machine",
    MODE: lambda value: value in MODES,
    "numerics": _is_whole_object("numerics"),
    "fingerprint": _is_fingerprint,
    "energy": _is_whole_object("energy"),
    "price": _is_whole_object("price"),
}
PARTS: dict[str, tuple[Kinds, Kinds]] = {  # of an object: fields that it must and that it may have
    "hardware": (
        {
            "machine": "text", "cores": "whole number or null", "memory_mb": "whole number above 0",
            "accelerators": "list of texts", "visible_devices": "text or null",
        },
        {
            "processor": "text", "kernels": "text", "family": "whole number",
            "model": "whole number", "stepping": "whole number",
        },
    ),
    "environment": (
        {"hash": "SHA-256", "distributions": "whole number above 0", "torch": "build"}, {},
    ),
    "build": ({"version": "text", "record": "SHA-256, `none` or `unknown`"}, {}),
    "numerics": ({"mode": MODE}, {"fingerprint": "fingerprint"}),
    "energy": (
        {"scope": "machine"},
        {
            "packages": "whole number above 0", "packages_joules": "number",
            "cards": "whole number above 0", "cards_joules": "number",
        },
    ),
    "price": (
        {
            "amount": "number", "currency": "currency", "core_hour": "number or null",
            "gpu_hour": "number or null", "cores": "whole number above 0", "gpus": "whole number",
        },
        {},
    ),
    "source": (
        {"name": "text", "origin": "text", "sha256": "SHA-256", "files": "whole number"}, {},
    ),
}  # fmt: skip
EVERY = {  # manifest: what a job of any kind records
    "action": "text", "spec": "object", "spec_hash": "SHA-256", "started": "time with its zone",
    "seconds": "number", "peak_memory_mb": "number above 0", "threads": "number of threads",
    "versions": "versions by package", "code_commit": "commit, or `unknown`",
    "lock_hash": "SHA-256, `none` or `unknown`", "hardware": "hardware", "template_hash": "SHA-256",
}  # fmt: skip
REQUIRED: dict[str, Kinds] = {
    "train": EVERY | {
        "cell": "text", "kind": "text", "rows": "whole number", "rows_hash": "SHA-256 of rows",
        "order_seed": "whole number", "sampling_seed": "whole number",
        "processor_hash": "SHA-256", "start_weights_hash": "SHA-256", "weights_hash": "SHA-256",
        "samples": "number", "updates": "whole number", "tokens": "number", "flops": "number",
        "flops_formula": "name of a formula", "training_seconds": "number", "resumed": "boolean",
        "layout": "object", "micro_batch_halved": "boolean",
    },
    "evaluate": EVERY | {"weights_hash": "SHA-256 or null"},
}  # fmt: skip
# What versions after the first record in every manifest, from the oldest such field to the newest.
LATER: dict[str, Kinds] = {
    "train": {
        "row_ids_hash": "SHA-256", "start_checkpoint_hash": "SHA-256",
        "checkpoint_hash": "SHA-256", "checkpoint_files": "SHA-256 by file",
        "environment": "environment", "view": f"one of {', '.join(VIEWS)}",
        "claims": "SHA-256 by claim", "numerics": "numerics",
    },
    "evaluate": {
        "checkpoint_hash": "SHA-256", "predictions_hash": "SHA-256", "environment": "environment",
        "numerics": "numerics",
    },
}  # fmt: skip
KERNELS = "hardware.kernels"  # only where torch was loaded
# Of `LATER`, what is newer than those; they are newer than the rest.
AFTER_KERNELS = {"claims", "numerics"}
COSTS: Kinds = {"energy": "energy", "price": "price"}  # where counters and prices are known
SOME: dict[str, Kinds] = {  # of some cells
    "train": {
        "plugin": "source", "plugins_loaded": "list of sources", "opened": "list of texts", **COSTS,
    },
    "evaluate": {"plugin": "source", **COSTS},
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
        where = f"{cell}: {part}"
        for place, problem in _parts(manifest, REQUIRED[part], {**LATER[part], **SOME[part]}):
            yield f"{where}.{place}{problem}"
        yield from _older(where, part, manifest)
        yield from _costs(where, manifest)
        yield from _numerics(where, manifest)
        if (manifest.get("view") == "audit") is not ("opened" in manifest):
            yield f"{where}.opened: recorded where the view is by audit, and only there"


def _parts(value: object, required: Kinds, optional: Kinds) -> Iterator[tuple[str, str]]:
    """Yield the fields of an object that are not as they must be, each with what is wrong."""
    if not isinstance(value, dict):
        yield "", "no object"
        return
    known = {**required, **optional}
    for name in sorted({*required} - {*value}):
        yield name, ": missing"
    for name in sorted({*value} - {*known}):
        yield name, ": no field of a manifest"
    for name in sorted({*value} & {*known}):
        if TYPES[known[name]](value[name]):
            continue
        parts = [*_parts(value[name], *PARTS[known[name]])] if known[name] in PARTS else []
        yield from ((f"{name}.{place}", problem) for place, problem in parts if place)
        if not any(place for place, _ in parts):
            yield name, f" is {shown(value[name])}, no {known[name]}"


def _older(where: str, part: str, manifest: Json) -> Iterator[str]:
    """Yield fields that are missing, though there is one that only newer versions record."""
    hardware = manifest.get("hardware")
    held = {*manifest, *([KERNELS] if isinstance(hardware, dict) and "kernels" in hardware else [])}
    order = sorted(
        [*LATER[part], KERNELS], key=lambda name: (name in AFTER_KERNELS, name == KERNELS)
    )
    newest = next((name for name in reversed(order) if name in held), order[0])
    for name in order[: order.index(newest)]:
        if name not in held and name != KERNELS:
            yield f"{where}.{name}: missing, though {newest} is there, which is newer"


def _costs(where: str, manifest: Json) -> Iterator[str]:
    """Yield energy without its count of devices, and a price that does not follow from its terms.

    What has another type than it must have is reported with the fields.
    """
    energy, price, seconds = (manifest.get(name) for name in ("energy", "price", "seconds"))
    if isinstance(energy, dict):
        if len(energy) == 1:
            yield f"{where}.energy: nothing was counted"
        for name in ("packages", "cards"):
            if (name in energy) is not (f"{name}_joules" in energy):
                yield f"{where}.energy: {name} and {name}_joules are recorded together"
    if _is_number(seconds) and TYPES["price"](price):
        yield from _price(where, price, seconds)  # type: ignore[arg-type]


def _numerics(where: str, manifest: Json) -> Iterator[str]:
    """Yield a mode of numerics that is not the one of the spec."""
    spec, held = manifest.get("spec"), manifest.get("numerics")
    due = spec.get("numerics") if isinstance(spec, dict) else None
    if due is not None and isinstance(held, dict) and held.get("mode") != due:
        yield f"{where}.numerics.mode: {shown(held.get('mode'))}, though its spec states {due!r}"


def _price(where: str, price: Json, seconds: float) -> Iterator[str]:
    rates = price["core_hour"], price["gpu_hour"]
    needed = "gpu_hour" if price["gpus"] else "core_hour"
    if price[needed] is None:
        yield f"{where}.price.{needed}: null, though it is needed for the amount"
    due = amount(seconds, price["cores"], price["gpus"], *rates)
    if abs(due - price["amount"]) > 1e-6:
        yield f"{where}.price.amount is {price['amount']}, but its terms give {due}"


def check_same_fields(records: Iterable[tuple[str, Json]], notes: list[str]) -> Iterator[str]:
    """Yield fields that some manifests lack and others of the same version of the code have.

    Fields that manifests of older versions lack are a note.

    Args:
        records: cells with their manifests by `train` and `evaluate`.
        notes: receives the notes.
    """
    first: dict[tuple[str, str], tuple[str, set[str]]] = {}
    absent: dict[str, int] = {}
    for cell, record in records:
        for part, manifest in record.items():
            if not manifest:
                continue
            held = {*LATER[part]} & {*manifest}
            environment = manifest.get("environment")
            build = environment.get("hash") if isinstance(environment, dict) else None
            version = part, shown((manifest.get("code_commit"), build))
            other, due = first.setdefault(version, (cell, held))
            for name in sorted(held ^ due):
                has, lacks = (cell, other) if name in held else (other, cell)
                yield f"{lacks}: {part}.{name}: missing, but {has} of the same version has it"
            for name in {*LATER[part]} - held:
                absent[f"{part}.{name}"] = absent.get(f"{part}.{name}", 0) + 1
    if absent:
        named = ", ".join(f"{name} ({count})" for name, count in sorted(absent.items()))
        notes.append(
            f"what this version records is missing in manifests, as earlier versions wrote: {named}"
        )
