"""The paper's findings as claims, each with a rule that was written down before any run.

A claim rests on differences with 95 % intervals (paired by run and item). It is `supported` when the whole interval lies on the
claimed side of the claim's margin, `contradicted` when it lies wholly on the other side, `inconclusive` when the margin is inside,
and `not run` when the grid has no cells for it. The claim on deceptive rewards counts runs instead; its rule stands beside it.
Margins are ours; the paper's figures are quoted where they are known.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact

from reassess.analysis.bundle import Bundle
from reassess.analysis.select import difference, pick, shared_size
from reassess.analysis.statistics import Estimate, Matrix, correlation_interval, pearson
from reassess.core.files import write_json, write_text

Verdict = Literal["supported", "contradicted", "inconclusive", "not run"]
SAME = "same-family"
MARGIN = 0.02  # how much worse still counts as "about as good" (ours)


@dataclass(frozen=True)
class Claim:
    """A finding of the paper, the rule it is tested by, and what came out."""

    id: str
    statement: str
    certainty: str
    rule: str
    verdict: Verdict
    paper: str
    estimate: dict[str, Any] | None = None
    detail: str = ""


def test_claims(bundle: Bundle, out: Path) -> list[Claim]:
    """Test every claim; write them as JSON to `out` and as an HTML table beside it."""
    claims = list(every_claim(bundle))
    write_json(out, [asdict(claim) for claim in claims])
    write_text(out.with_suffix(".html"), as_html(claims))
    return claims


def every_claim(bundle: Bundle) -> Iterator[Claim]:
    """Yield the claims in the order of the paper's findings."""
    yield _capacity(bundle, "weak", "sft", "grpo")
    yield _capacity(bundle, "strong", "grpo", "sft")
    yield from _scale(bundle)
    yield _transfer(bundle)
    yield from _distribution(bundle)
    yield from _deception(bundle)


def verdict(estimate: Estimate | None, margin: float = 0.0) -> Verdict:
    """Return what an estimate says of "the difference is greater than `margin`"."""
    if estimate is None:
        return "not run"
    if estimate.low > margin:
        return "supported"
    return "contradicted" if estimate.high < margin else "inconclusive"


def _capacity(bundle: Bundle, tier: str, better: str, other: str) -> Claim:
    size = shared_size(bundle, "sft", "grpo", tier=tier, distribution=SAME)
    shared = {
        "tier": tier,
        "size": size,
        "distribution": SAME,
        "benchmark": bundle.benchmarks("main"),
    }
    estimate = difference(bundle, {"method": better}, {"method": other}, **shared) if size else None
    words = {
        "weak": "On weak models SFT helps more reliably than RL",
        "strong": "On strong models RL pays off more than SFT",
    }
    return Claim(
        id=f"capacity-{tier}",
        statement=words[tier],
        certainty="abstract" if tier == "weak" else "second-hand",
        rule=f"{better} minus {other}, {tier} models, the largest size both ran at, held-out in-distribution: above 0",
        verdict=verdict(estimate),
        paper="about +2 points for SFT (second-hand)" if tier == "weak" else "no figure known",
        estimate=_content(estimate),
        detail=f"{size} rows" if size else "",
    )


def _scale(bundle: Bundle) -> Iterator[Claim]:
    """One claim a model and a tenfold pair of sizes, because capacity decides."""
    trained = bundle.scored[bundle.scored["kind"] != "none"]
    found = False
    for model in sorted(trained["model"].unique()):
        rl = set(pick(trained, model=model, method="grpo", distribution=SAME)["size"])
        sft = set(pick(trained, model=model, method="sft", distribution=SAME)["size"])
        for small in sorted(size for size in sft if size * 10 in rl):
            found = True
            first, second = {"method": "sft", "size": small}, {"method": "grpo", "size": small * 10}
            yield _scale_claim(
                f"{model}, {small} against {small * 10}",
                difference(
                    bundle,
                    first,
                    second,
                    model=model,
                    distribution=SAME,
                    benchmark=bundle.benchmarks("main"),
                ),
            )
    if not found:
        yield _scale_claim("no tenfold pair of sizes was run", None)


def _scale_claim(detail: str, estimate: Estimate | None) -> Claim:
    return Claim(
        id=f"scale {detail}" if estimate else "scale",
        statement="SFT is about as good as RL on ten times the data",
        certainty="abstract",
        rule=f"SFT at n rows minus GRPO at 10 n rows, in-distribution: above -{MARGIN}",
        verdict=verdict(estimate, -MARGIN),
        paper="SFT at 2K against RL at 20K; no accuracy known",
        estimate=_content(estimate),
        detail=detail,
    )


def _transfer(bundle: Bundle) -> Claim:
    size = shared_size(bundle, "sft", "grpo", tier="strong", distribution=SAME)
    shared = {
        "tier": "strong",
        "size": size,
        "distribution": SAME,
        "benchmark": bundle.benchmarks("text"),
    }
    estimate = difference(bundle, {"method": "sft"}, {"method": "grpo"}, **shared) if size else None
    return Claim(
        id="transfer",
        statement="Trained on pictures, SFT carries over to text better than RL",
        certainty="abstract",
        rule="SFT minus GRPO on the text-only benchmark, strong models, the largest size both ran at: above 0",
        verdict=verdict(estimate),
        paper="no figure known",
        estimate=_content(estimate),
        detail=f"{size} rows" if size else "",
    )


def _distribution(bundle: Bundle) -> Iterator[Claim]:
    sizes = pick(bundle.scored, method="sft", distribution="foreign")["size"]
    size = int(sizes.max()) if len(sizes) else None
    for name, benchmarks in (
        ("in", bundle.benchmarks("main")),
        ("out-of", bundle.benchmarks("shifted")),
    ):
        estimate = None
        if size is not None:
            models = tuple(
                pick(bundle.scored, method="sft", distribution="foreign", size=size)[
                    "model"
                ].unique()
            )
            shared = {"method": "sft", "size": size, "model": models, "benchmark": benchmarks}
            estimate = difference(
                bundle, {"distribution": SAME}, {"distribution": "foreign"}, **shared
            )
        yield Claim(
            id=f"distribution-{name}",
            statement=f"Traces far from the model's own distribution hurt, {name} distribution",
            certainty="second-hand",
            rule="SFT on same-family traces minus SFT on foreign traces of the same questions, same budget: above 0",
            verdict=verdict(estimate),
            paper="no figure known",
            estimate=_content(estimate),
            detail=f"{size} rows" if size else "",
        )


# --- deceptive rewards ----------------------------------------------------------------------------------------------


def reward_and_probe(run: pd.DataFrame) -> tuple[Matrix, Matrix]:
    """Return two series along a run, one point a probe after the first: reward, averaged over the updates since the probe before,
    and probe accuracy.
    """
    reward = pick(run, metric="reward").sort_values("step")
    probe = pick(run, metric="probe_accuracy").sort_values("step")
    edges = itertools.pairwise(probe["step"])
    between = [
        reward["value"][(reward["step"] > low) & (reward["step"] <= high)].mean()
        for low, high in edges
    ]
    return np.asarray(between, dtype=np.float64), probe["value"].to_numpy(dtype=np.float64)[1:]


def correlation_of(history: pd.DataFrame) -> Estimate | None:
    """Return the mean correlation of reward and probe accuracy along RL runs, with its interval."""
    runs = history[history["kind"] == "rl"].groupby("cell", sort=True)
    return correlation_interval([reward_and_probe(run) for _, run in runs])


DECEPTION = ["cell", "model", "tier", "distribution", "size", "method", "seed"]
DECEPTION += ["reward_change", "accuracy_change", "correlation", "deceptive"]


def deception_of(history: pd.DataFrame) -> pd.DataFrame:
    """Return, for each RL run, how reward and held-out accuracy moved, and their correlation along the run.

    Columns: the axes, `reward_change` (mean of the last sixth of the run minus that of the first sixth), `accuracy_change` (mean of
    the last two probe scores minus the first), `correlation` (Pearson, the reward averaged over the updates between two probes),
    `deceptive` (reward up by more than 0.05 while held-out accuracy does not rise).
    """
    rows = []
    for cell, run in history[history["kind"] == "rl"].groupby("cell", sort=True):
        reward = run[run["metric"] == "reward"].sort_values("step")
        probe = run[run["metric"] == "probe_accuracy"].sort_values("step")
        if len(reward) < 6 or len(probe) < 3:
            continue
        sixth = max(1, len(reward) // 6)
        values, scores = reward["value"].to_numpy(), probe["value"].to_numpy()
        reward_change = values[-sixth:].mean() - values[:sixth].mean()
        accuracy_change = scores[-2:].mean() - scores[0]
        axes = run.iloc[0][["model", "tier", "distribution", "size", "method", "seed"]].to_dict()
        rows.append(
            {
                "cell": cell,
                **axes,
                "reward_change": reward_change,
                "accuracy_change": accuracy_change,
                "correlation": pearson(*reward_and_probe(run)),
                "deceptive": bool(reward_change > 0.05 and accuracy_change <= 0),
            }
        )
    return pd.DataFrame(rows, columns=DECEPTION)


def _deception(bundle: Bundle) -> Iterator[Claim]:
    runs = deception_of(bundle.history)
    for name, statement, chosen in (
        (
            "deception",
            "A rising reward does not imply a rising accuracy (no cold start)",
            lambda arm: not arm.startswith("sft-"),
        ),
        (
            "deception-cold-start",
            "After a cold start reward and accuracy come apart less often",
            lambda arm: arm.startswith("sft-"),
        ),
    ):
        mine = runs[[chosen(str(arm)) for arm in runs["method"]]] if len(runs) else runs
        others = runs.drop(mine.index) if len(runs) else runs
        known = (
            correlation_of(bundle.history[bundle.history["cell"].isin(set(mine["cell"]))])
            if len(mine)
            else None
        )
        yield _deception_claim(name, statement, mine, others, known)


def _deception_claim(
    name: str,
    statement: str,
    mine: pd.DataFrame,
    others: pd.DataFrame,
    correlation: Estimate | None,
) -> Claim:
    cold = name.endswith("cold-start")
    share, other = _share(mine), _share(others)
    found: Verdict = "not run"
    if cold and share is not None and other is not None:
        counts = [
            [int(runs["deceptive"].sum()), int((~runs["deceptive"]).sum())]
            for runs in (mine, others)
        ]
        certain = float(fisher_exact(counts).pvalue) < 0.05
        found = "inconclusive" if not certain else "supported" if share < other else "contradicted"
    elif not cold and share is not None:
        # None at all contradicts "a quarter" only where that many runs without one would be rarer than one in twenty.
        none = share == 0 and 0.75 ** len(mine) < 0.05
        found = "supported" if share >= 0.25 else "contradicted" if none else "inconclusive"
    detail = ""
    if share is not None:
        detail = f"{int(mine['deceptive'].sum())} of {len(mine)} runs deceptive"
        if correlation is not None:
            shown = f"{correlation.value:.2f} [{correlation.low:.2f}, {correlation.high:.2f}]"
            detail += f"; mean correlation of reward and probe accuracy {shown} in {correlation.seeds} runs"
        detail += (
            f"; without cold start {int(others['deceptive'].sum())} of {len(others)}"
            if cold and len(others)
            else ""
        )
    rule = (
        "share of RL runs whose reward rises by more than .05 while probe accuracy does not rise: "
    )
    return Claim(
        id=name,
        statement=statement,
        certainty="abstract" if not cold else "second-hand",
        rule=rule
        + (
            "lower than without cold start, by Fisher's exact test at 5 %"
            if cold
            else "at least a quarter"
        ),
        verdict=found,
        paper="called pervasive" if not cold else "cold start narrows the gap",
        detail=detail,
    )


def _share(runs: pd.DataFrame) -> float | None:
    return float(runs["deceptive"].mean()) if len(runs) else None


def _content(estimate: Estimate | None) -> dict[str, Any] | None:
    return (
        None
        if estimate is None
        else {key: round(value, 5) for key, value in asdict(estimate).items()}
    )


def _points(estimate: dict[str, Any]) -> str:
    """Return an estimate in words: percentage points, interval, and what it rests on."""
    value, low, high = (100 * float(estimate[key]) for key in ("value", "low", "high"))
    seeds = int(estimate["seeds"])
    rests = (
        f"{seeds} pairs of runs" if seeds > 1 else "1 pair of runs: the interval covers items alone"
    )
    return f"{value:+.1f} points [{low:+.1f}, {high:+.1f}]; {rests}"


def as_html(claims: list[Claim]) -> str:
    """Return the claims as one HTML page that stands alone."""
    rows = []
    for claim in claims:
        shown = "" if claim.estimate is None else _points(claim.estimate)
        cells = (
            claim.statement,
            claim.rule,
            claim.verdict,
            shown,
            claim.detail,
            claim.paper,
            claim.certainty,
        )
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    head = "".join(
        f"<th>{name}</th>"
        for name in (
            "claim",
            "rule",
            "verdict",
            "ours",
            "detail",
            "paper",
            "certainty of the claim",
        )
    )
    style = "body{font-family:sans-serif}table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:4px 8px;text-align:left}"
    body = "\n".join(rows)
    return f"<!doctype html><meta charset='utf-8'><style>{style}</style><table><tr>{head}</tr>\n{body}</table>\n"
