"""The tables: accuracy of every arm on every benchmark, what each cost, and the state of every cell."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from reassess.analysis.bundle import BUDGETS, Bundle
from reassess.analysis.select import accuracy, pick, scores_at
from reassess.core.files import write_text
from reassess.evaluation.sampling import sampled_scores

ARM = ["model", "method", "distribution", "size"]
STYLE = "body{font-family:sans-serif;font-size:14px}table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:3px 8px}"


CAPTIONS = {
    "main": "Accuracy by model, arm and benchmark, in per cent, plus or minus half the 95 % interval over runs and items.",
    "budgets": "What each trained arm cost, mean over its runs.",
    "costs": "Hours of GPUs (of processes on a CPU): as estimated before the run, start-up included, and as the manifests say.",
    "cells": "Every cell of the grid and its state; a failed cell is in no average.",
}


def tabulate(bundle_dir: Path, out: Path) -> None:
    """Write every table of a bundle as CSV, Markdown and HTML."""
    bundle = Bundle.load(bundle_dir)
    for name, make in (
        ("main", main_table),
        ("budgets", budgets_table),
        ("costs", costs_table),
        ("cells", cells_table),
    ):
        table = make(bundle)
        write_text(out / f"{name}.csv", table.to_csv(index=False))
        write_text(out / f"{name}.md", as_markdown(table))
        page = table.to_html(index=False, na_rep="", border=0)
        write_text(
            out / f"{name}.html",
            f"<!doctype html><meta charset='utf-8'><style>{STYLE}</style>\n<p>{CAPTIONS[name]}</p>\n{page}\n",
        )


def main_table(bundle: Bundle) -> pd.DataFrame:
    """Return accuracy in per cent, plus or minus half the 95 % interval, by model, arm and benchmark."""
    rows = []
    for arm in arms_of_bundle(bundle):
        row = dict(arm)
        row["runs"] = len(pick(bundle.scored, **arm))
        for benchmark in bundle.benchmarks():
            found = accuracy(bundle, **arm, benchmark=benchmark)
            row[f"{bundle.label(benchmark)}, %"] = (
                "" if found is None else f"{100 * found.value:.1f} ± {100 * found.half_width:.1f}"
            )
        scored = scores_at(bundle, **arm)
        row["well-formed, %"] = f"{100 * scored['format_ok'].mean():.0f}"
        row["truncated, %"] = f"{100 * scored['truncated'].mean():.1f}"
        row |= _second_scores(scored)
        rows.append(_readable(row))
    return pd.DataFrame(rows)


def _second_scores(scored: pd.DataFrame) -> dict[str, str]:
    """Return the second scores over all items that have them: mean of further samples, pass@k, a judge's verdict."""
    row = {}
    if "samples" in scored:
        found = sampled_scores(scored)
        row[f"mean of {found['samples']:.0f} samples, %"] = f"{100 * found['sampled_accuracy']:.1f}"
        name = f"pass@{found['samples']:.0f}"
        row[f"{name}, %"] = f"{100 * found[name]:.1f}"
    if "judged" in scored:
        row["judged right, %"] = f"{100 * (scored['judged'] == True).mean():.1f}"  # noqa: E712 - None is neither
    return row


def budgets_table(bundle: Bundle) -> pd.DataFrame:
    """Return the mean budget of each trained arm: samples, updates, tokens, FLOPs, seconds, memory."""
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
        }
        row |= {
            "tokens": f"{means['tokens']:.3g}",
            "FLOPs": f"{means['flops']:.3g}",
            "seconds": f"{means['seconds']:.0f}",
        }
        row |= {
            "peak memory, MiB": f"{means['peak_memory_mb']:.0f}",
            "resumed": int(cells["resumed"].sum()),
        }
        rows.append(_readable(row))
    return pd.DataFrame(rows)


def costs_table(bundle: Bundle) -> pd.DataFrame:
    """Return estimated and measured hours by rule; the estimate is empty where the world makes none."""
    rows, costs = [], bundle.study.get("costs", {})
    for rule in sorted(costs, key=("sample_shard", "train", "evaluate").index):
        found = costs[rule]
        estimated, measured = found["estimated_hours"], found["measured_hours"]
        row = {
            "rule": rule,
            "finished jobs": found["measured_jobs"],
            "measured, h": f"{measured:.3g}",
        }
        row["estimated, h"] = "" if estimated is None else f"{estimated:.3g}"
        row["measured / estimated"] = f"{measured / estimated:.2f}" if estimated else ""
        rows.append(row)
    columns = ["rule", "finished jobs", "estimated, h", "measured, h", "measured / estimated"]
    return pd.DataFrame(rows, columns=columns)


def cells_table(bundle: Bundle) -> pd.DataFrame:
    """Return every cell with its state and, if it failed, why."""
    table = bundle.manifests[["cell", "status", "error"]].copy()
    table["error"] = table["error"].fillna("")
    return table


def arms_of_bundle(bundle: Bundle) -> list[dict[str, object]]:
    """Return the axes of every arm that has a finished cell: model, method, distribution, size."""
    done = bundle.scored
    arms = done[[*ARM, "kind"]].drop_duplicates()
    rank = {"none": 0, "sft": 1, "rl": 2}
    arms = arms.assign(rank=arms["kind"].map(rank)).sort_values(
        ["model", "rank", "method", "distribution", "size"]
    )
    rows = arms[ARM].astype(object).to_dict("records")
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in rows
    ]


def _readable(row: dict[str, object]) -> dict[str, object]:
    return {name: "" if value is None else value for name, value in row.items()}


def as_markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown."""
    head = f"| {' | '.join(map(str, table.columns))} |\n|{'---|' * len(table.columns)}\n"
    rows = [
        [str(value).replace("\n", "<br>").replace("|", "\\|") for value in row]
        for row in table.itertuples(index=False)
    ]
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)
