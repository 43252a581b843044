"""The paper's findings as claims, each with the rule that decides it from a bundle.

A claim rests on differences with 95 % intervals (paired by run and item). It is `supported` when
the whole interval lies on the claimed side of the claim's margin, `contradicted` when it lies
wholly on the other side, `inconclusive` when the margin is inside, and `not run` when the grid has
no cells for it. The claims on deceptive rewards count runs instead; their rules stand beside them.
Margins are ours; the paper's figures are quoted where they are known.

Arms are chosen by what they are (`reassess.analysis.arms`): SFT and GRPO are the arms that stand
for these methods.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
from scipy.stats import fisher_exact

from reassess.analysis.bundle import Bundle
from reassess.analysis.deception import deception_of, mean_correlation
from reassess.analysis.pages import claims_page
from reassess.analysis.select import Axes, difference, pick, shared_size
from reassess.analysis.statistics import MeanEstimate
from reassess.core.files import write_json, write_text

Verdict = Literal["supported", "contradicted", "inconclusive", "not run"]
SAME, FOREIGN = "same-family", "foreign"
MARGIN = 0.02  # how much worse still counts as "about as good" (ours)
RULE_OF_RUNS = (
    "share of RL runs whose reward rises by more than .05 while probe accuracy does not rise: "
)


@dataclass(frozen=True)
class Claim:
    """A finding of the paper, the rule it is tested by, and the outcome."""

    id: str
    statement: str
    certainty: str
    rule: str
    verdict: Verdict
    paper: str
    estimate: dict[str, float] | None = None
    detail: str = ""


def test_claims(bundle: Bundle, out: Path) -> list[Claim]:
    """Test every claim; write them as JSON to `out` and as an HTML table beside it."""
    claims = list(every_claim(bundle))
    contents = [asdict(claim) for claim in claims]
    write_json(out, contents)
    write_text(out.with_suffix(".html"), claims_page(contents))
    return claims


def every_claim(bundle: Bundle) -> Iterator[Claim]:
    """Yield the claims in the order of the paper's findings."""
    yield _capacity(bundle, "weak", "sft", "grpo")
    yield _capacity(bundle, "strong", "grpo", "sft")
    yield from _scale(bundle)
    yield _transfer(bundle)
    yield from _distribution(bundle)
    yield _deception(bundle)
    yield _deception_after_cold_start(bundle)


def verdict(estimate: MeanEstimate | None, margin: float = 0.0) -> Verdict:
    """The verdict on "the difference is greater than `margin`"."""
    if estimate is None:
        return "not run"
    if estimate.low > margin:
        return "supported"
    return "contradicted" if estimate.high < margin else "inconclusive"


def _difference_at_shared_size(
    bundle: Bundle, first: str, second: str, tier: str, benchmarks: tuple[str, ...]
) -> tuple[MeanEstimate | None, int | None]:
    """Accuracy after one method minus that after another, and the largest size both ran at."""
    arms = bundle.standing_for(first), bundle.standing_for(second)
    size = shared_size(bundle, *arms, tier=tier, distribution=SAME)
    if not size:
        return None, None
    shared = {"tier": tier, "size": size, "distribution": SAME, "benchmark": benchmarks}
    return difference(bundle, {"method": arms[0]}, {"method": arms[1]}, **shared), size


def _capacity(bundle: Bundle, tier: str, better: str, other: str) -> Claim:
    main = bundle.benchmarks("main")
    estimate, size = _difference_at_shared_size(bundle, better, other, tier, main)
    statements = {
        "weak": "On weak models SFT helps more reliably than RL",
        "strong": "On strong models RL pays off more than SFT",
    }
    return Claim(
        id=f"capacity-{tier}",
        statement=statements[tier],
        certainty="abstract" if tier == "weak" else "second-hand",
        rule=f"{better} minus {other}, {tier} models, the largest size both ran at, held-out "
        "in-distribution: above 0",
        verdict=verdict(estimate),
        paper="about +2 points for SFT (second-hand)" if tier == "weak" else "no figure known",
        estimate=_rounded(estimate),
        detail=f"{size} rows" if size else "",
    )


def _scale(bundle: Bundle) -> Iterator[Claim]:
    """One claim for each model and tenfold pair of sizes, because capacity decides."""
    sft, rl = bundle.standing_for("sft"), bundle.standing_for("grpo")
    trained = bundle.scored[bundle.scored["kind"] != "none"]
    tested = False
    for model in sorted(trained["model"].unique()):
        rl_sizes = set(pick(trained, model=model, method=rl, distribution=SAME)["size"])
        sft_sizes = set(pick(trained, model=model, method=sft, distribution=SAME)["size"])
        for small in sorted(size for size in sft_sizes if size * 10 in rl_sizes):
            tested = True
            estimate = difference(
                bundle,
                {"method": sft, "size": small},
                {"method": rl, "size": small * 10},
                model=model,
                distribution=SAME,
                benchmark=bundle.benchmarks("main"),
            )
            yield _scale_claim(f"{model}, {small} against {small * 10}", estimate)
    if not tested:
        yield _scale_claim("no tenfold pair of sizes was run", None)


def _scale_claim(detail: str, estimate: MeanEstimate | None) -> Claim:
    return Claim(
        id=f"scale {detail}" if estimate else "scale",
        statement="SFT is about as good as RL on ten times the data",
        certainty="abstract",
        rule=f"SFT at n rows minus GRPO at 10 n rows, in-distribution: above -{MARGIN}",
        verdict=verdict(estimate, -MARGIN),
        paper="SFT at 2K against RL at 20K; no accuracy known",
        estimate=_rounded(estimate),
        detail=detail,
    )


def _transfer(bundle: Bundle) -> Claim:
    text = bundle.benchmarks("text")
    estimate, size = _difference_at_shared_size(bundle, "sft", "grpo", "strong", text)
    return Claim(
        id="transfer",
        statement="Trained on pictures, SFT carries over to text better than RL",
        certainty="abstract",
        rule="SFT minus GRPO on the text-only benchmark, strong models, the largest size both ran "
        "at: above 0",
        verdict=verdict(estimate),
        paper="no figure known",
        estimate=_rounded(estimate),
        detail=f"{size} rows" if size else "",
    )


def _distribution(bundle: Bundle) -> Iterator[Claim]:
    foreign: Axes = {"method": bundle.standing_for("sft"), "distribution": FOREIGN}
    cells = pick(bundle.scored, **foreign)
    size = int(cells["size"].max()) if len(cells) else None
    models = tuple(pick(cells, size=size)["model"].unique())
    for name, benchmarks in (
        ("in", bundle.benchmarks("main")),
        ("out-of", bundle.benchmarks("shifted")),
    ):
        estimate = None
        if size is not None:
            shared = {"size": size, "model": models, "benchmark": benchmarks}
            estimate = difference(bundle, {**foreign, "distribution": SAME}, foreign, **shared)
        yield Claim(
            id=f"distribution-{name}",
            statement=f"Traces far from the model's own distribution hurt, {name} distribution",
            certainty="second-hand",
            rule="SFT on same-family traces minus SFT on foreign traces of the same questions, "
            "same budget: above 0",
            verdict=verdict(estimate),
            paper="no figure known",
            estimate=_rounded(estimate),
            detail=f"{size} rows" if size else "",
        )


# --- deceptive rewards ---------------------------------------------------------------------------


def _runs_by_cold_start(bundle: Bundle) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The RL runs without a cold start, and those after one."""
    runs = deception_of(bundle.history, bundle.arms)
    cold = runs["method"].map({name: arm.cold_start for name, arm in bundle.arms.items()})
    return runs[~cold.astype(bool)], runs[cold.astype(bool)]


def _deception(bundle: Bundle) -> Claim:
    runs, _ = _runs_by_cold_start(bundle)
    share = runs["deceptive"].mean() if len(runs) else None
    outcome: Verdict = "not run"
    if share is not None:
        # No deceptive run at all contradicts "a quarter" only where that would be rarer than one in
        # twenty, were a quarter of all runs deceptive.
        none = share == 0 and 0.75 ** len(runs) < 0.05
        outcome = "supported" if share >= 0.25 else "contradicted" if none else "inconclusive"
    return Claim(
        id="deception",
        statement="A rising reward does not imply a rising accuracy (no cold start)",
        certainty="abstract",
        rule=f"{RULE_OF_RUNS}at least a quarter",
        verdict=outcome,
        paper="called pervasive",
        detail=_counted(bundle, runs),
    )


def _deception_after_cold_start(bundle: Bundle) -> Claim:
    others, runs = _runs_by_cold_start(bundle)
    outcome: Verdict = "not run"
    detail = _counted(bundle, runs)
    if len(runs) and len(others):
        table = [[int(some["deceptive"].sum()), int((~some["deceptive"]).sum())]
                 for some in (runs, others)]  # fmt: skip
        less = runs["deceptive"].mean() < others["deceptive"].mean()
        certain = float(fisher_exact(table).pvalue) < 0.05
        outcome = "inconclusive" if not certain else "supported" if less else "contradicted"
        detail += f"; without cold start {int(others['deceptive'].sum())} of {len(others)}"
    return Claim(
        id="deception-cold-start",
        statement="After a cold start reward and accuracy come apart less often",
        certainty="second-hand",
        rule=f"{RULE_OF_RUNS}lower than without cold start, by Fisher's exact test at 5 %",
        verdict=outcome,
        paper="cold start narrows the gap",
        detail=detail,
    )


def _counted(bundle: Bundle, runs: pd.DataFrame) -> str:
    """How many runs are deceptive, and the mean correlation along all of them."""
    if not len(runs):
        return ""
    detail = f"{int(runs['deceptive'].sum())} of {len(runs)} runs deceptive"
    history = bundle.history[bundle.history["cell"].isin(set(runs["cell"]))]
    mean = mean_correlation(history, bundle.arms)
    if mean is None:
        return detail
    interval = f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]"
    return (
        f"{detail}; mean correlation of reward and probe accuracy {interval} in {mean.seeds} runs"
    )


def _rounded(estimate: MeanEstimate | None) -> dict[str, float] | None:
    if estimate is None:
        return None
    interval = {name: getattr(estimate, name) for name in ("value", "low", "high")}
    return {
        **{name: round(number, 5) for name, number in interval.items()},
        "seeds": estimate.runs,
        "items": estimate.items,
    }
