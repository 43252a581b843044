"""Whether the times that manifests state are possible, alone and beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from reassess.core.files import Json
from reassess.verify.report import listed
from reassess.verify.stored import Stored

FIRST = datetime(2025, 12, 1, tzinfo=UTC)  # no version of this project is older
CLOCKS = timedelta(minutes=5)  # by which the clocks of two machines may differ
ZONES = timedelta(days=1)  # by which a clock may be ahead of this machine's


def check_times(stored: Stored, notes: list[str]) -> Iterator[str]:
    """Yield starts that lie in the future, or before there was anything to start.

    A cell that was scored before its training began is a note: training it again, to the same
    weights, leaves its scores as they are (docs/decisions/0015).

    Args:
        stored: the bundle.
        notes: receives the notes.
    """
    latest, early = datetime.now(UTC) + ZONES, []
    for _, cell in stored.scored():
        record = stored.records[cell.id]
        for part, manifest in record.items():
            started = _time(manifest, "started")
            if started is not None and not FIRST <= started <= latest:
                when = "in the future" if started > latest else "before this project's first run"
                yield f"{cell.id}: {part}.started is {manifest['started']}, {when}"
        trained, scored = (_time(record[part], "started") for part in ("train", "evaluate"))
        if trained is not None and scored is not None:
            lasted = timedelta(seconds=record["train"].get("seconds", 0))
            if scored + CLOCKS < trained + lasted:
                early.append(cell.id)
    if early:
        notes.append(
            f"{len(early)} cells were scored before their training ended ({listed(early)}): "
            "they were trained again later, to the same weights, or these times are false"
        )


def _time(manifest: Json, name: str) -> datetime | None:
    """A time of a manifest; None where it has none that can be read, which is found with fields."""
    try:
        found = datetime.fromisoformat(manifest[name])
    except (KeyError, TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None
