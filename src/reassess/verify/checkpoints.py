"""Whether manifests agree on the checkpoints that were trained, scored, and started from."""

from __future__ import annotations

from collections.abc import Iterator

from reassess.core.checkpoint_hashes import hash_of_files, hash_of_weights
from reassess.core.files import Json
from reassess.grid.cells import Base, Cell
from reassess.grid.study import Grid
from reassess.verify.stored import Stored, shown

HASHES = ("weights_hash", "checkpoint_hash")
OWN_FILE = {"processor_config.json": "processor_hash"}  # hashed in a field of its own, too


def check_checkpoints(stored: Stored) -> Iterator[str]:
    """Yield hashes of checkpoints that other hashes of the same checkpoint contradict."""
    bases: dict[tuple[str, str], tuple[str, object]] = {}
    for grid, cell in stored.scored():
        record = stored.records[cell.id]
        train, evaluate = record["train"], record["evaluate"]
        if train:
            yield from _scored(cell.id, train, evaluate)
            yield from _files(cell.id, train)
        if evaluate.get("weights_hash") is None and (train or "checkpoint_hash" in evaluate):
            yield f"{cell.id}: evaluate.weights_hash is null, though its checkpoint was hashed"
        if grid.start(cell) is not None and train:
            yield from _started(stored, grid, cell)
            continue
        for name in HASHES:
            held = train.get(f"start_{name}") if train else evaluate.get(name)
            if held is None:
                continue  # as earlier versions wrote
            base = grid.base(cell)
            first, other = bases.setdefault((base, name), (cell.id, held))
            if other != held:
                what = "its base" if name == "weights_hash" else "the checkpoint of its base"
                yield (
                    f"{cell.id}: {what} is {shown(held)}, that of {first} {shown(other)}, "
                    f"though both are {base}"
                )
    yield from _same_bases(bases)


def _same_bases(bases: dict[tuple[str, str], tuple[str, object]]) -> Iterator[str]:
    """Yield replicates of a model's base that are the same one."""
    known: dict[tuple[str, str, str], str] = {}
    for (base, name), (cell, held) in sorted(bases.items()):
        first = known.setdefault((Base.of_name(base).model, name, str(held)), base)
        if first != base:
            yield f"{cell}: {name} of its base {base} is that of {first}, another replicate"


def _scored(cell: str, train: Json, evaluate: Json) -> Iterator[str]:
    """Yield whether another checkpoint was scored than was trained."""
    words = {"weights_hash": "weights", "checkpoint_hash": "checkpoint"}
    for name, what in words.items():
        trained, scored = train.get(name), evaluate.get(name)
        if scored != trained and (name in evaluate) and (name in train):
            yield f"{cell}: scored with the {what} {shown(scored)}, trained {shown(trained)}"


def _started(stored: Stored, grid: Grid, cell: Cell) -> Iterator[str]:
    """Yield whether a cell started from another checkpoint than the one it continues."""
    start = grid.start(cell)
    assert start is not None
    train = stored.records[cell.id]["train"]
    before = stored.records.get(start.id, {}).get("train", {})
    continued, spec = (train.get("spec") or {}).get("start"), before.get("spec_hash")
    if spec is not None and continued != spec:
        yield f"{cell.id}: continues spec {shown(continued)}, but {start.id} has {shown(spec)}"
    for name in HASHES:
        held, trained = train.get(f"start_{name}"), before.get(name)
        if trained is not None and held != trained and (held or name == "weights_hash"):
            yield (
                f"{cell.id}: start_{name} is {shown(held)}, but {name} of {start.id} "
                f"{shown(trained)}"
            )


def _files(cell: str, train: Json) -> Iterator[str]:
    """Yield hashes of a checkpoint that are not those of its files."""
    files = train.get("checkpoint_files")
    if not isinstance(files, dict):
        return
    derived = {name: files.get(file) for file, name in OWN_FILE.items()}
    derived |= {"weights_hash": hash_of_weights(files), "checkpoint_hash": hash_of_files(files)}
    for name, value in derived.items():
        if train.get(name) != value:
            yield f"{cell}: {name} is {shown(train.get(name))}, that of its files {shown(value)}"
