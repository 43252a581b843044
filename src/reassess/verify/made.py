"""Whether the hashes of what was made before the cells are those that the cells started from."""

from __future__ import annotations

from collections.abc import Iterator

from reassess.verify.fields import TYPES
from reassess.verify.stored import Stored, shown

PARTS = ("tokenizers", "bases", "teachers")


def check_made(stored: Stored) -> Iterator[str]:
    """Yield hashes of bases that no cell started from, and what is no hash or of nothing.

    Bundles of earlier versions, and merged ones, hold none.
    """
    made, where = stored.bundle.study.get("made"), "study.json.made"
    if made is None or len(stored.grids) > 1:
        return
    if not isinstance(made, dict) or {*made} != {*PARTS}:
        yield f"{where}: expected {', '.join(PARTS)}"
        return
    (grid,) = stored.grids
    known = {"tokenizers": grid.bases, "bases": grid.bases, "teachers": grid.config.teachers}
    for part in PARTS:
        for name, value in made[part].items():
            if name not in known[part]:
                yield f"{where}.{part}.{name}: nothing of this name in the config"
            if not TYPES["SHA-256"](value):
                yield f"{where}.{part}.{name} is {shown(value)}, no SHA-256"
    for _, cell in stored.scored():
        record, base = stored.records[cell.id], grid.base(cell)
        train = record["train"]
        if train and grid.start(cell) is not None:
            continue
        held = train.get("start_weights_hash") if train else record["evaluate"].get("weights_hash")
        if held is not None and made["bases"].get(base) != held:
            yield (
                f"{where}.bases.{base}: {shown(made['bases'].get(base))}, but {cell.id} started "
                f"from {shown(held)}"
            )
