"""The tables: accuracy of every arm on every benchmark, its costs, and the state of every cell."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from reassess.analysis.bundle import BUDGETS, OPTIONAL_SCORES, Bundle, undecided_in
from reassess.analysis.deception_tables import deception_table, sensitivity_table
from reassess.analysis.pages import as_csv, as_markdown, table_page
from reassess.analysis.select import accuracy, pick, scores_at
from reassess.core.files import write_text
from reassess.evaluation.sampling import sampled_scores

ARM = ["model", "method", "distribution", "size"]
CAPTIONS = {
    "main": "Accuracy by model, arm and benchmark, in per cent, plus or minus the distance to the "
    "farther end of its 95 % interval; in brackets where the interval covers items only, because "
    "there is one run.",
    "budgets": "What each trained arm cost, mean over its runs.",
    "costs": "Hours of GPUs (of processes on a CPU): as estimated before the run, start-up "
    "included, and as the manifests say.",
    "deception": "Every RL run whose reward looks at answers, from its first to its last updates "
    "(reward) and from what it started from (greedy accuracy on the main benchmark). Brackets are "
    "95 % intervals of this run: over the noise of updates, and over items.",
    "sensitivity": "How many of these runs are deceptive, by threshold: runs whose reward starts "
    "too near to 1 have no room, one whose interval does not lie above the rise is flat. Brackets "
    "are 95 % intervals over configurations and starts.",
    "cells": "Every cell of the grid and its state; a failed cell is in no average.",
}

Row = dict[str, object]


def tabulate(bundle_dir: Path, out: Path) -> None:
    """Write every table of a bundle as CSV, Markdown and HTML."""
    bundle = Bundle.load(bundle_dir)
    for name, make in (
        ("main", main_table),
        ("budgets", budgets_table),
        ("costs", costs_table),
        ("cells", cells_table),
        ("deception", deception_table),
        ("sensitivity", sensitivity_table),
    ):
        table = make(bundle)
        write_text(out / f"{name}.csv", as_csv(table))
        write_text(out / f"{name}.md", as_markdown(table))
        write_text(out / f"{name}.html", table_page(table, CAPTIONS[name]))


def main_table(bundle: Bundle) -> pd.DataFrame:
    """Accuracy in per cent by model, arm and benchmark, with intervals and what they cover.

    Undecided verdicts are counted where there are any.
    """
    held = bundle.scores.columns
    columns = [
        name for name in ("cell", "format_ok", "truncated", *OPTIONAL_SCORES) if name in held
    ]
    rows, any_undecided = [], _any_undecided(bundle)
    for arm in arms_of_bundle(bundle):
        row: Row = dict(arm)
        row["runs"] = len(pick(bundle.scored, **arm))
        row["intervals cover"] = ""
        for benchmark in bundle.benchmarks():
            estimate = accuracy(bundle, **arm, benchmark=benchmark)
            row["intervals cover"] = estimate.coverage if estimate else row["intervals cover"]
            row[f"{bundle.label(benchmark)}, %"] = estimate.in_percent() if estimate else ""
        scored = scores_at(bundle, columns, **arm)
        row["well-formed, %"] = f"{100 * scored['format_ok'].mean():.0f}"
        row["truncated, %"] = f"{100 * scored['truncated'].mean():.1f}"
        if any_undecided:
            row["undecided"] = int(undecided_in(scored).sum())
        row |= _optional_scores(bundle, scored)
        rows.append(_without_none(row))
    return pd.DataFrame(rows)


def _any_undecided(bundle: Bundle) -> bool:
    if "undecided" not in bundle.scores.columns:
        return False
    return bool(undecided_in(bundle.scores.distinct(["undecided"])).any())


def _optional_scores(bundle: Bundle, scored: pd.DataFrame) -> dict[str, str]:
    """The scores that not every study has: mean of further samples, pass@k, a judge's verdict.

    Of merged bundles one may have them and another not: an arm without any has empty entries.
    """
    row: dict[str, str] = {}
    if {"samples", "sampled_correct"} <= {*bundle.scores.columns}:
        # One number: what is merged agrees on it.
        counts = bundle.scores.distinct(["samples"])["samples"].dropna()
        if not counts.empty:
            samples = int(counts.iloc[0])
            names = f"mean of {samples} samples, %", f"pass@{samples}, %"
            row |= dict(zip(names, _of_samples(scored, samples), strict=True))
    if "judged" in bundle.scores.columns:
        row["judged right, %"] = _judged_right(scored)
    return row


def _of_samples(scored: pd.DataFrame, samples: int) -> tuple[str, str]:
    """Mean and pass@k of the answers with so many further samples; empty if there are none."""
    sampled = scored[scored["samples"].eq(samples).fillna(False)]
    if sampled.empty:
        return "", ""
    scores = sampled_scores(sampled.astype({"samples": int, "sampled_correct": int}))
    return f"{100 * scores['sampled_accuracy']:.1f}", f"{100 * scores[f'pass@{samples}']:.1f}"


def _judged_right(scored: pd.DataFrame) -> str:
    """What a judge calls right of the cells that it judged; empty if it judged none.

    In a cell with verdicts an answer without one is a reply that could not be read, and not right.
    """
    verdicts = scored["judged"]
    judged = scored["cell"].isin(scored.loc[verdicts.notna(), "cell"])
    return f"{100 * verdicts[judged].isin([True]).mean():.1f}" if judged.any() else ""


def budgets_table(bundle: Bundle) -> pd.DataFrame:
    """The mean budget of each trained arm: samples, updates, tokens, FLOPs, seconds, memory."""
    rows = []
    for arm in arms_of_bundle(bundle):
        cells = pick(bundle.scored, **arm)
        if cells["kind"].iloc[0] == "none":
            continue
        means = {name: float(cells[name].astype(float).mean()) for name in BUDGETS}
        row = {
            **arm,
            "runs": len(cells),
            "samples": f"{means['samples']:.0f}",
            "updates": f"{means['updates']:.0f}",
            "tokens": f"{means['tokens']:.3g}",
            "FLOPs": f"{means['flops']:.3g}",
            "seconds": f"{means['seconds']:.0f}",
            "peak memory, MiB": f"{means['peak_memory_mb']:.0f}",
            "resumed": int(cells["resumed"].sum()),
        }
        rows.append(_without_none(row))
    return pd.DataFrame(rows)


def costs_table(bundle: Bundle) -> pd.DataFrame:
    """Estimated and measured hours by rule; the estimate is empty where the world makes none."""
    rows, costs = [], bundle.study.get("costs", {})
    for rule in sorted(costs, key=("sample_shard", "train", "evaluate").index):
        estimated, measured = costs[rule]["estimated_hours"], costs[rule]["measured_hours"]
        row = {
            "rule": rule,
            "finished jobs": costs[rule]["measured_jobs"],
            "estimated, h": "" if estimated is None else f"{estimated:.3g}",
            "measured, h": f"{measured:.3g}",
            "measured / estimated": f"{measured / estimated:.2f}" if estimated else "",
        }
        rows.append(row)
    columns = ["rule", "finished jobs", "estimated, h", "measured, h", "measured / estimated"]
    return pd.DataFrame(rows, columns=columns)


def cells_table(bundle: Bundle) -> pd.DataFrame:
    """Every cell with its state and, if it failed, why."""
    table = bundle.manifests[["cell", "status", "error"]].copy()
    table["error"] = table["error"].fillna("")
    return table


def arms_of_bundle(bundle: Bundle) -> list[Row]:
    """The axes of every arm that has a finished cell: model, method, distribution, size.

    By model, untrained arms come first, then SFT, then RL, each by method.
    """
    arms = bundle.scored[ARM].drop_duplicates()
    traits = [bundle.arms[name] for name in arms["method"]]
    rank = {"none": 0, "sft": 1, "rl": 2}
    arms = arms.assign(
        rank=[rank[arm.kind] for arm in traits],
        file=[arm.method for arm in traits],
        variant=[arm.variant for arm in traits],
    ).sort_values(["model", "rank", "file", "variant", "distribution", "size"])
    rows = arms[ARM].astype(object).to_dict("records")
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in rows
    ]


def _without_none(row: Row) -> Row:
    return {name: "" if value is None else value for name, value in row.items()}
