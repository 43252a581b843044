"""Results of `reassess bench`: their file, what got slower between two, and the table of a page."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from reassess.bench.common import Measurement, Ratios, Repeat, digits, ranged
from reassess.core.errors import ReassessError
from reassess.core.files import Json, read_json, write_json, write_text
from reassess.core.manifest import code_commit, hardware, versions
from reassess.core.pages import between_marks
from reassess.core.project import ROOT

COMMITTED = ROOT / "docs" / "speed.json"
PAGE = ROOT / "docs" / "speed.md"
START, END = "<!-- start of the measured table -->", "<!-- end of the measured table -->"
COMMAND = "reassess bench --out docs/speed.json --write-docs"


@dataclass(frozen=True)
class Result:
    """Measurements of one run.

    Attributes:
        figures: the measurements.
        date: when they were made, as in ISO 8601.
        load: how many processes ran at the start, on average of a minute; the bench is one of them.
        hardware: what they were made on.
        versions: of the packages.
        code_commit: of the code.
    """

    figures: tuple[Measurement, ...]
    date: str
    load: float
    hardware: Json
    versions: dict[str, str]
    code_commit: str


def result_of(figures: Sequence[Measurement], load: float) -> Result:
    """The result of measurements that were just made."""
    return Result(
        tuple(figures),
        datetime.now(UTC).date().isoformat(),
        load,
        dict(hardware()),
        versions(),
        code_commit(),
    )


def load_now() -> float:
    """The machine's load, on average of the last minute."""
    return round(os.getloadavg()[0], 1)


def write_result(result: Result, path: Path) -> None:
    """Write a result as JSON."""
    write_json(path, asdict(result))


def read_result(path: Path) -> Result:
    """Read a result.

    Raises:
        ReassessError: there is none at `path`.
    """
    if not path.is_file():
        raise ReassessError(f"{path}: there is no such result; make one: reassess bench --out FILE")
    try:
        content = read_json(path)
        figures = [
            Measurement(**{**one, "repeats": tuple(Repeat(*values) for values in one["repeats"])})
            for one in content.pop("figures")
        ]
        return Result(tuple(figures), **content)
    except (KeyError, TypeError, AttributeError) as error:
        message = f"{path} is no result of `reassess bench --out`: {error}"
        raise ReassessError(message) from error


# --- comparison -----------------------------------------------------------------------------------


def slower(before: Result, after: Result) -> list[str]:
    """What got slower by more than its spread: every pair is slower than every pair before.

    Ratios are compared, those to the baseline or, where there is none, to the limit, so that a
    slower machine is no finding. With five pairs, what has not changed is found once in 250 times.
    """
    earlier, found = {one.name: one for one in before.figures}, []
    for one in after.figures:
        ratios, old = _compared(one), _compared(earlier.get(one.name))
        if ratios is not None and old is not None and ratios[2] < old[0]:
            found.append(f"{one.name}: {ranged(ratios)} after {ranged(old)}: {_against(one)}")
    return found


def compared(before: Result, after: Result) -> Iterator[str]:
    """Yield a line for every measurement of either, and what makes the two hard to compare."""
    for name in ("machine", "processor", "cores", "kernels", "accelerators"):
        one, other = before.hardware.get(name), after.hardware.get(name)
        if one != other:
            yield f"note: another {name}: {one} before, {other} now; ratios may differ for that"
    earlier = {one.name: one for one in before.figures}
    for one in after.figures:
        ratios, old = _compared(one), _compared(earlier.pop(one.name, None))
        if ratios is None:
            continue
        shown = "not measured" if old is None else ranged(old)
        yield f"{one.name:28} {ranged(ratios)}, before {shown}: {_against(one)}"
    for name in earlier:
        yield f"{name:28} not measured now"


def _compared(one: Measurement | None) -> Ratios | None:
    return None if one is None else one.speedup or one.share_of_limit


def _against(one: Measurement) -> str:
    if one.speedup is not None:
        return f"times as fast as {one.baseline}"
    return f"of the speed of {one.limit}"


# --- page -----------------------------------------------------------------------------------------


def table(result: Result) -> str:
    """The measurements as Markdown."""
    machine, versions = result.hardware, result.versions
    packages = ", ".join(
        f"{name} {versions[name]}"
        for name in ("torch", "transformers", "trl", "snakemake")
        if name in versions
    )
    processor = machine.get("processor", machine["machine"])
    lines = [
        f"{result.date}, {processor}, {machine['cores']} cores, load {result.load} at the start;",
        f"{packages}.",
        f"Median, and smallest to largest, of {_pairs(result)} pairs:",
        "",
        "| what | ours | times as fast as | the baseline | of the speed of | the limit |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_row, result.figures)])


def _pairs(result: Result) -> str:
    counts = sorted({len(one.repeats) for one in result.figures})
    return " or ".join(map(str, counts))


def _row(one: Measurement) -> str:
    cells = [
        one.name,
        f"{digits(one.ours)} {one.unit}",
        ranged(one.speedup) if one.speedup else "",
        one.baseline,
        ranged(one.share_of_limit) if one.share_of_limit else "",
        one.limit,
    ]
    return f"| {' | '.join(cells)} |"


def with_table(page: str, result: Result) -> str:
    """A page with the table of a result between its marks.

    Raises:
        ReassessError: the page has no such marks.
    """
    return between_marks(page, PAGE, START, END, table(result))


def write_page(result: Result) -> None:
    """Write the table of a result into the page on speed."""
    write_text(PAGE, with_table(PAGE.read_text(encoding="utf-8"), result))
