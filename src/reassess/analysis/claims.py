"""Verdicts on claims: each is measured as its file says, and decided by the rule that stands there.

A claim is `supported` where its estimate lies on the claimed side of the margin, significantly at
5 % after Holm's adjustment for all claims of its family, and `contradicted` where it lies so on the
other side. `alone` is the verdict without the adjustment, by the 95 % interval. Both are
`inconclusive` otherwise, `not enough runs` where one run of a model is all there is, and `not run`
where the config plans no cells for the claim or none of a registered model has scores. The claims
stand in `claims/`; docs/claims.md says how they are decided and when they were changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Literal

from reassess.analysis.bundle import Bundle
from reassess.analysis.intervals import LEVEL, Estimate, holm
from reassess.analysis.measurement import Measurement, OfModel, mean_of
from reassess.analysis.pages import claims_page
from reassess.analysis.quantities import measure
from reassess.analysis.registration import (
    Recorded,
    Registration,
    changed,
    claims_of,
    recorded,
    registration,
    withdrawn,
)
from reassess.config.claims import Claim, Quantity
from reassess.core.files import Json, write_json, write_text

Verdict = Literal["supported", "contradicted", "inconclusive", "not enough runs", "not run"]
RUN = ("bases", "rows", "seeds")  # what a run is a draw of
UNITS: dict[Quantity, str] = {"spread ratio": "ratio", "deceptive share": "percent"}
DIGITS = 5  # of what is written: further ones depend on the order of sums


@dataclass(frozen=True)
class Result:
    """A claim, and what came of it.

    Attributes:
        claim: the claim, as the bundle holds it.
        measured: its estimand, measured.
        p: of the hypothesis that the estimand is the margin, two-sided; None if nothing decides.
        adjusted: the same after Holm's adjustment for the claim's family.
        family: how many claims the family has, those that were not run, and those that were
            withdrawn, or changed and may have left it, included.
        registered: whether the claim stood before the runs that test it; None without any.
    """

    claim: Claim
    measured: Measurement
    p: float | None
    adjusted: float | None
    family: int
    registered: Registration | None

    @property
    def verdict(self) -> Verdict:
        """The verdict, adjusted for the family."""
        return self._decided(self.adjusted)

    @property
    def alone(self) -> Verdict:
        """The verdict, were the claim the only one."""
        return self._decided(self.p)

    def _decided(self, p: float | None) -> Verdict:
        if self.measured.state != "measured":
            return self.measured.state
        if p is None or p > 1 - LEVEL or self.measured.estimate is None:
            return "inconclusive"
        above = self.measured.estimate.value > self.claim.margin
        return "supported" if above is (self.claim.rule == "above") else "contradicted"


def results(bundle: Bundle) -> list[Result]:
    """Every claim of a bundle and what came of it, by id.

    Raises:
        ReassessError: the claims cannot be read, or cells were not scored on the same items.
    """
    claims, records = claims_of(bundle.study), recorded(bundle.manifests)
    measured = {name: measure(bundle, claim.estimand) for name, claim in claims.items()}
    p_values = {name: _p_value(claim, measured[name]) for name, claim in claims.items()}
    gone, moved = len(withdrawn(claims, records)), changed(claims, records)
    sizes = Counter(claim.family for claim in claims.values())
    adjusted: dict[str, float] = {}
    for family in sizes:
        names = [name for name, claim in claims.items() if claim.family == family]
        # Claims without a test count as tests: what was not run, or withdrawn, or changed after the
        # run and may have been of this family, makes none easier.
        beyond = gone + len(moved - {*names})
        values = [1.0 if (p := p_values[name]) is None else p for name in names] + [1.0] * beyond
        adjusted |= dict(zip(names, holm(values)))
        sizes[family] += beyond
    return [
        Result(
            claim=claim,
            measured=measured[name],
            p=p_values[name],
            adjusted=None if p_values[name] is None else adjusted[name],
            family=sizes[claim.family],
            registered=_registered(claim, measured[name], records),
        )
        for name, claim in claims.items()
    ]


def _p_value(claim: Claim, measured: Measurement) -> float | None:
    if measured.state != "measured" or measured.estimate is None:
        return None
    return measured.estimate.p_value(claim.margin)


def _registered(claim: Claim, measured: Measurement, records: Recorded) -> Registration | None:
    return registration(claim, measured.cells, records)


# --- as JSON and as a page ------------------------------------------------------------------------


def test_claims(bundle: Bundle, out: Path) -> list[Result]:
    """Test every claim; write what came of them as JSON to `out` and as a page beside it."""
    found = results(bundle)
    gone = withdrawn(claims_of(bundle.study), recorded(bundle.manifests))
    contents = [*map(as_json, found), *map(_withdrawn, gone)]
    write_json(out, contents)
    write_text(out.with_suffix(".html"), claims_page(contents))
    return found


def as_json(result: Result) -> Json:
    """A claim and what came of it, as `claims.json` has it."""
    claim, measured = result.claim, result.measured
    estimate = measured.estimate
    heterogeneity = measured.heterogeneity
    return {
        "id": claim.id,
        "statement": claim.statement,
        "source": claim.source,
        "certainty": claim.certainty,
        "published": claim.published.model_dump(mode="json"),
        "family": {"name": claim.family, "claims": result.family},
        "version": claim.version,
        "date": claim.date.isoformat(),
        "registered": result.registered,
        "rule": rule_of(claim),
        "verdict": result.verdict,
        "alone": result.alone,
        "reason": measured.reason,
        "p": _rounded(result.p),
        "adjusted_p": _rounded(result.adjusted),
        "estimate": None if estimate is None else _estimate(estimate) | {"margin": claim.margin},
        "unit": unit_of(claim),
        "detectable": None if estimate is None else _rounded(estimate.detectable(claim.margin)),
        "covers": list(measured.covers),
        "not_covered": _not_covered(measured),
        "items_only": _items_only(measured),
        "runs": measured.runs,
        "items": measured.items,
        "models": [_of_model(one) for one in measured.models],
        "heterogeneity": None
        if heterogeneity is None
        else {name: _rounded(value) for name, value in asdict(heterogeneity).items()},
        "missing": list(measured.missing),
        "detail": measured.detail,
        "budgets": {
            budget.side: {
                name: _rounded(value) for name, value in asdict(budget).items() if name != "side"
            }
            for budget in measured.budgets
        },
    }


def rule_of(claim: Claim) -> str:
    """The rule of a claim in a sentence."""
    estimand, margin = claim.estimand, claim.margin
    unit = unit_of(claim)
    shown = f"{margin:g}" if unit == "ratio" else f"{100 * margin:g} {unit.replace('percent', '%')}"
    sides = " minus ".join(_side(side) for side in _described(claim))
    if estimand.quantity == "spread ratio":
        sides = " over ".join(_side(side) for side in _described(claim))
    parts = [f"{estimand.quantity}: {sides}"]
    if (cells := estimand.cells) is not None:
        which = {1: "the largest pair of sizes", 2: "the second pair of sizes"}
        pair = which.get(cells.pair, f"pair {cells.pair} of sizes, from the largest")
        ratio = "" if cells.ratio == 1 else f" at {cells.ratio} times the rows for the second"
        parts.append(f"{cells.models} models, {pair}{ratio}")
    parts.append(f"{estimand.benchmark} benchmarks, {estimand.decoding}")
    budget = {"own": "each arm's own budget", "plateau": "at a plateau"}
    parts.append(budget.get(estimand.budget, f"matched {estimand.budget}"))
    if (limits := estimand.thresholds) is not None:
        parts.append(
            f"reward up: its interval above 0, with room to rise by {limits.room:g}; deceptive: "
            f"accuracy's interval below {100 * limits.accuracy:g} points"
        )
    return f"{'; '.join(parts)}: {claim.rule} {shown}"


def _described(claim: Claim) -> Iterator[Mapping[str, str | None]]:
    return (side.model_dump() for side in claim.estimand.sides)


def _side(side: Mapping[str, str | None]) -> str:
    what = side["method"] or f"all arms of {side['kind']}"
    start = " after a cold start" if side["start"] == "sft" else ""
    return f"{what}{start}{f' on {traces} traces' if (traces := side['traces']) else ''}"


def unit_of(claim: Claim) -> str:
    """What a claim's estimate is given in."""
    return UNITS.get(claim.estimand.quantity, "points")


def _items_only(measured: Measurement) -> bool:
    """Whether the interval covers items alone, so that it is no verdict's."""
    mean = mean_of(measured)
    return mean is not None and not mean.covers_runs


def _not_covered(measured: Measurement) -> list[str]:
    """The sources of variation that the interval does not cover, of those that a run has."""
    if measured.estimate is None:
        return []
    return [source for source in RUN if source not in measured.covers]


def _estimate(estimate: Estimate) -> Json:
    low, high = estimate.interval()
    return {"value": _rounded(estimate.value), "low": _rounded(low), "high": _rounded(high)}


def _of_model(one: OfModel) -> Json:
    return {
        "model": one.model,
        "runs": one.runs,
        "planned": one.planned,
        "estimate": None if one.estimate is None else _estimate(one.estimate),
        "detail": one.detail,
    }


def _withdrawn(name: str) -> Json:
    """What is said of a claim that was registered before a run, and that the bundle lacks."""
    reason = "registered before the run, and not in the bundle: it counts in its family"
    return {
        "id": name, "verdict": "not run", "registered": "withdrawn after the run", "reason": reason,
    }  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else float(f"{value:.{DIGITS}g}")
