"""What a run found, as the two tables of README: accuracy by model, and the verdict on every claim.

Both are computed from the bundle. Each verdict has its conditions in its own row: arms and rows,
runs and items, updates, and the smallest effect that would have been found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from reassess.analysis.bundle import Bundle
from reassess.analysis.claims import as_json, results
from reassess.analysis.pages import shown_interval, shown_sight
from reassess.analysis.select import accuracy, difference, shared_size
from reassess.core.errors import ReassessError
from reassess.core.files import Json, write_text
from reassess.core.pages import between_marks
from reassess.core.project import ROOT
from reassess.core.text import printable

REFERENCE = ROOT / "results" / "reference" / "micro"
PAGE = ROOT / "README.md"
COMMAND = "reassess bundle findings --write-docs"
LEVELS, VERDICTS = (
    (f"<!-- start of the {what} -->", f"<!-- end of the {what} -->")
    for what in ("accuracies", "verdicts")
)
BREAK = "<br>"


def accuracy_table(bundle: Bundle) -> str:
    """Base, SFT and GRPO at the largest size that a run has for both, by model, in Markdown.

    Raises:
        ReassessError: no model has SFT and GRPO at one size.
    """
    same = {"distribution": "same-family"}
    arms = bundle.standing_for("sft"), bundle.standing_for("grpo")
    size = shared_size(bundle, *arms, **same)
    at = {"size": size, **same}
    rows = []
    for name, terms in bundle.study["models"].items():
        of = {"model": name, "benchmark": bundle.benchmarks("main")}
        ahead = difference(bundle, {"method": arms[0]}, {"method": arms[1]}, **at, **of)
        if ahead is None:
            continue
        base = accuracy(bundle, method=bundle.standing_for("base"), **of)
        levels = [base, *(accuracy(bundle, method=arm, **at, **of) for arm in arms)]
        low, high = ahead.interval()
        shown = shown_interval({"value": ahead.value, "low": low, "high": high}, "points")
        rows.append(
            [
                f"{name} ({terms['tier']})",
                *(level.in_percent() if level else "" for level in levels),
                shown,
            ]
        )
    if not rows:
        raise ReassessError("the bundle has no model with scores of SFT and GRPO at one size")
    head = [f"held-out accuracy, %; {size} rows", "base", "SFT", "GRPO", "SFT − GRPO"]
    return _table(head, rows)


def verdict_table(bundle: Bundle) -> str:
    """Every claim with its verdict, its estimates and its conditions, in Markdown."""
    head = ["claim", "verdict", "estimate, 95 % interval", "conditions"]
    return _table(head, (_row(as_json(result)) for result in results(bundle)))


def _row(claim: Json) -> list[str]:
    of_models = [
        f"{one['model']}: {shown_interval(one['estimate'], claim['unit'])}"
        for one in claim["models"]
        if one["estimate"] is not None
    ]
    overall = claim["estimate"]
    certainty = "" if claim["certainty"] == "abstract" else f" ({claim['certainty']})"
    return [
        f"{claim['statement']}{certainty}",
        BREAK.join([f"**{claim['verdict']}**", *_test(claim)]),
        BREAK.join([*([shown_interval(overall, claim["unit"])] if overall else []), *of_models]),
        BREAK.join(_conditions(claim)),
    ]


def _test(claim: Json) -> list[str]:
    if claim["adjusted_p"] is None:
        return [claim["reason"]] if claim["reason"] else []
    return [f"p = {claim['adjusted_p']:.2g} (alone {claim['p']:.2g})"]


def _conditions(claim: Json) -> list[str]:
    lines = [claim["detail"]] if claim["detail"] else []
    if claim["runs"]:
        lines.append(f"{_runs(claim)}, {claim['items']} items")
    spent = [
        f"{side} {budget['updates']:g}"
        for side, budget in claim["budgets"].items()
        if budget["updates"] is not None
    ]
    if spent:
        lines.append(f"updates: {', '.join(spent)}")
    if sight := shown_sight(claim):
        lines.append(f"would find {sight}")
    if claim["not_covered"]:
        lines.append(f"the interval does not cover {', '.join(claim['not_covered'])}")
    return lines


def _runs(claim: Json) -> str:
    """How many runs, of each model where all have as many."""
    of_models = {one["runs"] for one in claim["models"]}
    if len(of_models) == 1 and claim["estimate"] is not None:
        return f"runs of each model: {of_models.pop()}"
    return f"runs: {claim['runs']}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")


def with_tables(page: str, bundle: Bundle) -> str:
    """README with both tables between their marks.

    Raises:
        ReassessError: it lacks the marks.
    """
    for marks, table in ((LEVELS, accuracy_table(bundle)), (VERDICTS, verdict_table(bundle))):
        page = between_marks(page, PAGE, *marks, table)
    return page


def write_docs(root: Path = REFERENCE) -> None:
    """Write both tables of a packed bundle into README."""
    page = PAGE.read_text(encoding="utf-8")
    write_text(PAGE, with_tables(page, Bundle.load(root / "bundle")))
