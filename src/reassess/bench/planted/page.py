"""The result of `reassess leaks`: its file, and the tables of docs/contamination.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from reassess.bench.planted.cost import Cost
from reassess.bench.planted.rates import Rate, Rates
from reassess.core.errors import ReassessError
from reassess.core.files import read_json, write_json, write_text
from reassess.core.manifest import hardware
from reassess.core.pages import between_marks
from reassess.core.project import ROOT

COMMITTED = ROOT / "docs" / "contamination.json"
PAGE = ROOT / "docs" / "contamination.md"
START, END = "<!-- start of the measured tables -->", "<!-- end of the measured tables -->"
COMMAND = "reassess leaks --cost --write-docs"
PARTS = ("pictures", "unrelated", "questions", "unasked")  # of `Rates`


@dataclass(frozen=True)
class Result:
    """Rates of one run.

    Attributes:
        rates: what was found.
        cost: of a search at the size of the paper's grid; None if it was not measured.
        date: when, as in ISO 8601.
        processor: on which.
        versions: of the packages that draw and decode pictures.
    """

    rates: Rates
    cost: Cost | None
    date: str
    processor: str
    versions: dict[str, str]


def result_of(rates: Rates, cost: Cost | None = None) -> Result:
    """The result of rates that were just measured."""
    packages = ("matplotlib", "numpy", "pillow", "scikit-learn")
    machine = hardware()
    return Result(
        rates,
        cost,
        datetime.now(UTC).date().isoformat(),
        str(machine.get("processor", machine["machine"])),
        {name: version(name) for name in packages},
    )


def write_result(result: Result, path: Path) -> None:
    """Write a result as JSON."""
    write_json(path, asdict(result))


def read_result(path: Path = COMMITTED) -> Result:
    """Read a result.

    Raises:
        ReassessError: there is none at `path`.
    """
    if not path.is_file():
        raise ReassessError(f"{path}: there is no such result; make one: {COMMAND}")
    try:
        content = read_json(path)
        rates, costs = content.pop("rates"), content.pop("cost")
        pictures, unrelated, questions, unasked = (
            tuple(Rate(**one) for one in rates[name]) for name in PARTS
        )
        found = Rates(pictures, unrelated, questions, unasked, rates["tested"])
        return Result(found, Cost(**costs) if costs else None, **content)
    except (KeyError, TypeError, AttributeError) as error:
        raise ReassessError(f"{path} is no result of `{COMMAND}`: {error}") from error


def tables(result: Result) -> str:
    """A result as Markdown: a table by change, one by kind, and one of questions."""
    rates = result.rates
    packages = ", ".join(f"{name} {number}" for name, number in result.versions.items())
    pictures = rates.pictures
    lines = [
        f"{result.date}, {result.processor};",
        f"{packages}.",
        "",
        f"Copies among {rates.tested:,} pictures of benchmarks, left out of training:",
        "",
        "| copy | rows | before | now | now, kind with the fewest |",
        "|---|---|---|---|---|",
        *(_change(change, rows) for change, rows in _by(pictures, lambda one: one.change)),
        "",
        "By kind: copies of all sorts together, and rows that are no copies:",
        "",
        "| pictures | copies found, before | now | unrelated rows | called copies, before | now |",
        "|---|---|---|---|---|---|",
        *(_kind(one, pictures) for one in rates.unrelated),
        "",
        "Questions; the last line of each kind is of others of the same kind:",
        "",
        "| question | what was done to it | rows | left out, before | now |",
        "|---|---|---|---|---|",
        *_asked(rates),
        *([] if result.cost is None else ["", *_costs(result.cost)]),
    ]
    return "\n".join(lines)


def _costs(cost: Cost) -> Iterator[str]:
    yield f"Cost of {cost.rows:,} pictures among {cost.items:,}, in seconds of one core:"
    yield ""
    yield "| what | seconds | of |"
    yield "|---|---|---|"
    yield f"| search | {cost.search:,.0f} | all pairs, in eight turns |"
    yield f"| comparison | {cost.compared:,.0f} | {cost.candidates:,} candidates |"
    yield f"| memory | | {cost.memory_mb:,.0f} MB at most |"


def _by(rates: Sequence[Rate], name: Callable[[Rate], str]) -> Iterator[tuple[str, list[Rate]]]:
    for one in dict.fromkeys(map(name, rates)):
        yield one, [rate for rate in rates if name(rate) == one]


def _share(count: int, of: int) -> str:
    return f"{count / of:.3f}" if of else ""


def _total(rates: Sequence[Rate]) -> tuple[int, int, int]:
    rows, before, now = (
        sum(values) for values in zip(*((one.rows, one.before, one.now) for one in rates))
    )
    return rows, before, now


def _change(change: str, rates: Sequence[Rate]) -> str:
    rows, before, now = _total(rates)
    least = min(rates, key=lambda one: one.now / one.rows)
    cells = [
        change,
        f"{rows:,}",
        _share(before, rows),
        _share(now, rows),
        f"{_share(least.now, least.rows)} ({least.kind})" if least.now < least.rows else "",
    ]
    return f"| {' | '.join(cells)} |"


def _kind(unrelated: Rate, pictures: Sequence[Rate]) -> str:
    rows, before, now = _total([one for one in pictures if one.kind == unrelated.kind])
    cells = [
        unrelated.kind,
        _share(before, rows),
        _share(now, rows),
        f"{unrelated.rows:,}",
        _share(unrelated.before, unrelated.rows),
        _share(unrelated.now, unrelated.rows),
    ]
    return f"| {' | '.join(cells)} |"


def _asked(rates: Rates) -> Iterator[str]:
    for unasked in rates.unasked:
        own = [one for one in rates.questions if one.kind == unasked.kind]
        for place, one in enumerate([*own, unasked]):
            cells = [
                "" if place else one.kind,
                one.change or "unrelated",
                f"{one.rows:,}",
                _share(one.before, one.rows),
                _share(one.now, one.rows),
            ]
            yield f"| {' | '.join(cells)} |"


def write_docs(result: Result) -> None:
    """Write a result into docs/contamination.json, and its tables into docs/contamination.md."""
    write_result(result, COMMITTED)
    write_text(PAGE, with_tables(PAGE.read_text(encoding="utf-8"), result))


def with_tables(page: str, result: Result) -> str:
    """A page with the tables of a result between its marks.

    Raises:
        ReassessError: the page has no such marks.
    """
    return between_marks(page, PAGE, START, END, tables(result))
