"""What a comparison can see: the smallest detectable effect, and what would settle a claim.

The smallest detectable effect is the one that a two-sided test at 5 % finds with a chance of 80 %
(`intervals.power_factor`). What would settle a claim is asked of the test that its family leaves it
at worst: at 5 % over the number of claims.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from scipy.special import ndtri, stdtrit

from reassess.analysis.bundle import Bundle
from reassess.analysis.intervals import LEVEL, power_factor
from reassess.analysis.measurement import Measurement, mean_of
from reassess.analysis.planned import NotPlanned, Plan
from reassess.analysis.quantities import measure
from reassess.analysis.statistics import MeanEstimate
from reassess.config.claims import Claim, Claims
from reassess.core.text import text_table

MOST_RUNS, MOST_ITEMS = 100, 100_000  # of a model, of a benchmark: what would settle a claim
HEADER = (
    "claim", "models", "runs", "items", "items alone", "half-width", "detectable", "settled by",
)  # fmt: skip


@dataclass(frozen=True)
class Components:
    """Standard deviations that a paired difference of accuracy is made of, as shares of 1.

    Attributes:
        runs: between the runs of a model (bases, rows, seeds).
        items: between items, in the mean over runs.
        both: of a run on an item, beyond the two.
        source: where they come from.
        freedom: degrees of freedom that each run beyond the first brings; None: one a model. Models
            that draw their rows together bring one together.
    """

    runs: float
    items: float
    both: float
    source: str
    freedom: float | None = None

    def half_width(self, models: int, runs: int, items: int, level: float = LEVEL) -> float:
        """Half the interval of a difference, by the formula of `statistics.MeanEstimate`.

        Args:
            models: of equal weight.
            runs: independent runs (clusters) of each model.
            items: that every run answers.
            level: of the interval.

        Returns:
            Infinity for one run a model: it decides nothing.
        """
        if runs < 2:
            return math.inf
        between = (self.runs**2 + self.both**2 / items) / (models * runs)
        freedom = (models if self.freedom is None else self.freedom) * (runs - 1)
        of_runs, of_items = stdtrit(freedom, (1 + level) / 2), ndtri((1 + level) / 2)
        return math.hypot(of_runs * math.sqrt(between), of_items * self.items / math.sqrt(items))

    def of_items(self, models: int, runs: int, items: int) -> float:
        """Half the 95 % interval of a difference for these very runs: what more items make less."""
        deviation = math.hypot(self.items, self.both / math.sqrt(models * runs))
        return float(ndtri((1 + LEVEL) / 2)) * deviation / math.sqrt(items)

    def effect(self, models: int, runs: int, items: int, level: float = LEVEL) -> float:
        """The smallest effect that is found with a chance of 80 %."""
        return power_factor(level) * self.half_width(models, runs, items, level)


# The medians of the differences that the claims are about, in the reference run of 2026-11-30, of
# which each run has a base and rows of its own (docs/claims.md).
ASSUMED = Components(runs=0.074, items=0.23, both=0.47, source="assumed")
TARGET = 0.025  # an effect worth seeing where none is known; ours


def components(estimate: MeanEstimate) -> Components | None:
    """What an estimate tells of its components; None where runs do not differ."""
    between = estimate.between
    if between is None:
        return None
    shared = max(0.0, estimate.items_alone.error**2 - estimate.by_items.error**2)
    runs = max(0.0, between.error**2 - shared) * estimate.clusters
    both = shared * estimate.clusters * estimate.items
    items = estimate.by_items.error**2 * estimate.items
    each = estimate.clusters / max(1, len(estimate.models))
    freedom = between.freedom / (each - 1)
    return Components(math.sqrt(runs), math.sqrt(items), math.sqrt(both), "this bundle", freedom)


# --- of a plan ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prospect:
    """What a claim's planned cells can see.

    Attributes:
        claim: the claim.
        models: how many models it is about.
        runs: independent runs of each, at least; of shares of runs, all of them.
        items: of its benchmarks.
        of_items: the half-width for these very runs; None where it is not known beforehand.
        half_width: of the 95 % interval to be expected; None where it is not known beforehand.
        detectable: the smallest detectable effect.
        settled: what would settle it, in words.
        source: where the components come from.
    """

    claim: Claim
    models: int = 0
    runs: int = 0
    items: int = 0
    of_items: float | None = None
    half_width: float | None = None
    detectable: float | None = None
    settled: str = ""
    source: str = ""


def prospects(
    plan: Plan, claims: Claims, items: dict[str, int], bundle: Bundle | None = None
) -> Iterator[Prospect]:
    """Yield what each claim's planned cells can see.

    Args:
        plan: the planned cells.
        claims: the claims.
        items: by role of benchmarks, how many items they have together.
        bundle: a run to take components and estimates from; None: assumed ones.
    """
    families = Counter(claim.family for claim in claims.values())
    for claim in claims.values():
        level = 1 - (1 - LEVEL) / families[claim.family]
        try:
            yield _prospect(plan, claim, items.get(claim.estimand.benchmark, 0), bundle, level)
        except NotPlanned as absent:
            yield Prospect(claim, settled=f"not in this grid: {absent}")


def _prospect(
    plan: Plan, claim: Claim, items: int, bundle: Bundle | None, level: float
) -> Prospect:
    estimand = claim.estimand
    if not items:
        raise NotPlanned(f"no benchmark has the role {estimand.benchmark!r}")
    measured = measure(bundle, estimand) if bundle is not None else None
    if estimand.cells is None:
        runs = [cell for side in estimand.sides for cell in plan.runs(side)]
        if not runs:
            raise NotPlanned("no RL run")
        prospect = Prospect(claim, len({run.model for run in runs}), len(runs), items)
        return _of_estimate(prospect, measured, "runs of more configurations", level)
    pairs = plan.pairs(estimand)
    least = min(plan.clusters(seeds) for seeds in pairs.seeds.values())
    prospect = Prospect(claim, len(pairs.models), least, items)
    if estimand.quantity != "accuracy difference":
        return _of_estimate(prospect, measured, "more runs", level)
    if estimand.cells.scope == "population":
        return _of_estimate(prospect, measured, "more models", level)
    mean = None if measured is None else mean_of(measured)
    found = None if mean is None else components(mean)
    drawn = plan.study["config"].get("row_draws", False) and len(pairs.models) > 1
    assumed = replace(ASSUMED, freedom=1.0) if drawn else ASSUMED
    return _of_components(prospect, found or assumed, mean if found else None, level)


def _of_estimate(
    prospect: Prospect, measured: Measurement | None, more: str, level: float
) -> Prospect:
    """What is known of a quantity whose width is not foreseen: that of the bundle, if any."""
    if measured is None or measured.estimate is None:
        settled = "known after a run: give --bundle" if measured is None else measured.reason
        return _with(prospect, settled=settled)
    estimate = measured.estimate
    margin = prospect.claim.margin
    low, high = estimate.interval(level)
    decided = not low <= margin <= high and measured.state == "measured"
    return _with(
        prospect,
        half_width=estimate.half_width,
        detectable=estimate.detectable(margin),
        settled="as it is" if decided else more,
        source="this bundle",
    )


def _of_components(
    prospect: Prospect, parts: Components, estimate: MeanEstimate | None, level: float
) -> Prospect:
    """What is to be expected of a difference of accuracy."""
    models, runs, items = prospect.models, prospect.runs, prospect.items
    margin = prospect.claim.margin
    published = prospect.claim.published.value
    known = estimate.value if estimate else published
    effect = TARGET if known is None else abs(known - margin)
    settled = _settled(parts, effect, (models, runs, items), level)
    return _with(
        prospect,
        of_items=parts.of_items(models, runs, items),
        half_width=parts.half_width(models, runs, items),
        detectable=parts.effect(models, runs, items),
        settled=settled,
        source=parts.source,
    )


def _settled(parts: Components, effect: float, planned: tuple[int, int, int], level: float) -> str:
    """How many runs, items or both would make the smallest detectable effect as small as one."""
    models, runs, items = planned

    def enough(runs: int, items: int) -> bool:
        return parts.effect(models, runs, items, level) <= effect

    what = f"{100 * effect:.1f} points"
    if enough(runs, items):
        return f"as planned (sees {what})"
    more = [items * 2**power for power in range(1, 11) if items * 2**power <= MOST_ITEMS]
    ways = [f"{k} runs a model" for k in range(runs, MOST_RUNS + 1) if enough(k, items)][:1]
    ways += [f"{n} items" for n in more if enough(runs, n)][:1]
    if not ways:
        both = ((k, n) for n in more for k in range(runs, MOST_RUNS + 1) if enough(k, n))
        ways = [f"{k} runs a model and {n} items" for k, n in both][:1]
    if not ways:
        return f"no {MOST_RUNS} runs a model and {MOST_ITEMS} items (to see {what})"
    return f"{' or '.join(ways)} (to see {what})"


def _with(prospect: Prospect, **values: object) -> Prospect:
    return Prospect(**{**vars(prospect), **values})  # type: ignore[arg-type]


def as_table(found: Iterator[Prospect]) -> str:
    """What claims can see as text, in columns, and where it comes from."""
    rows, sources = [], set[str]()
    for one in found:
        runs = f"{one.runs}{' a model' if one.claim.estimand.cells else ' in all'}"
        numbers = [str(one.models), runs, str(one.items)] if one.models else ["", "", ""]
        ratio = one.claim.estimand.quantity == "spread ratio"
        widths = one.of_items, one.half_width, one.detectable
        shown = [_shown(value, ratio) for value in widths]
        rows.append((one.claim.id, *numbers, *shown, one.settled))
        sources |= {one.source} - {""}
    lines = [text_table(HEADER, rows)]
    if ASSUMED.source in sources:
        lines.append(
            f"assumed: runs of a model differ by {100 * ASSUMED.runs:g} points, items by "
            f"{100 * ASSUMED.items:g}, runs on items by {100 * ASSUMED.both:g} (standard "
            "deviations of a paired difference); --bundle takes those of a run"
        )
    lines.append(
        "detectable: what a test at 5 % finds with a chance of 80 %; points, of a ratio a factor"
    )
    lines.append("items alone: the half-width for these very runs, which more items make less")
    lines.append("settled: the same at 5 % over the number of the family's claims")
    return "\n".join(lines)


def _shown(value: float | None, ratio: bool) -> str:
    if value is None:
        return ""
    if math.isinf(value):
        return "none: one run"
    return f"{value:.2f}" if ratio else f"{100 * value:.1f}"
