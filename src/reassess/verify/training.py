"""The third level: do cells trained again, from nothing, come out as the bundle says?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from reassess.analysis.bundle import Bundle
from reassess.bundles.archive import opened, tampered
from reassess.core.errors import ReassessError, unknown
from reassess.core.files import read_json, read_parquet
from reassess.verify.report import Report

if TYPE_CHECKING:
    import pandas as pd


def verify_train(path: Path, cells: list[str], keep: Path | None = None) -> Report:
    """Train and score cells again, from nothing, and hold the outcome against the bundle.

    SFT on the same kind of machine must give the same weights. Anything else must score inside the 95 % interval of the difference
    (paired by item, all intervals together: Bonferroni over benchmarks).

    Args:
        path: the bundle.
        cells: ids; none: the cheapest SFT cell by the tokens of its manifest.
        keep: folder for what is made here; none: it is removed.

    Raises:
        ReassessError: a cell is not in the bundle or failed there, or the run here failed.
    """
    report = Report()
    with opened(path) as root:
        report.add(tampered(root))
        bundle = Bundle.load(root / "bundle")
        chosen = cells or [_cheapest(bundle)]
        known = bundle.scored.set_index("cell")
        for cell in chosen:
            if cell not in known.index:
                raise ReassessError(unknown("finished cell", cell, known.index))
        with tempfile.TemporaryDirectory(prefix="reassess-retrain-") as made:
            folder = keep or Path(made)
            again = _train_again(bundle, chosen, folder)
            for cell in chosen:
                stored = json.loads(str(known.loc[cell, "manifest"]))
                _compare_cell(report, bundle, cell, stored, again(cell))
    report.checked = f"{len(chosen)} cells trained again"
    return report


def _cheapest(bundle: Bundle) -> str:
    found = bundle.scored[bundle.scored["kind"] == "sft"]
    if found.empty:
        raise ReassessError("the bundle has no finished SFT cell: name another with --cell")
    return str(found.sort_values(["tokens", "cell"])["cell"].iloc[0])


@dataclass(frozen=True)
class Again:
    """What training a cell again left."""

    trained: dict[str, Any]
    history: pd.DataFrame
    predictions: pd.DataFrame


def _train_again(bundle: Bundle, cells: list[str], folder: Path) -> Callable[[str], Again]:
    """Run the cells' jobs through the real rules in a folder of its own; return how to read what came of them."""
    from reassess.core.manifest import ROOT
    from reassess.grid.study import Grid

    places: dict[str, Grid] = {}
    sources = bundle.study.get("merged", [bundle.study])
    for number, source in enumerate(sources):
        config = folder / f"config-{number}.yaml"
        config.parent.mkdir(parents=True, exist_ok=True)
        own = {
            "results": str(folder / f"results-{number}"),
            "scratch": str(folder / f"scratch-{number}"),
        }
        config.write_text(yaml.safe_dump({**source["config"], **own}))
        grid = Grid.load(config)
        here = [cell for cell in cells if cell in grid.cells and cell not in places]
        if not here:
            continue
        words = [sys.executable, "-m", "reassess.cli.entry", "run", "--config", str(config)]
        words += [str(grid.paths.scores(grid.cell(cell).id)) for cell in here]
        done = subprocess.run(
            words, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=sys.stderr
        )
        if done.returncode:
            raise ReassessError(
                f"training again failed (exit code {done.returncode}); what it said stands above"
            )
        places.update(dict.fromkeys(here, grid))
    lost = [cell for cell in cells if cell not in places]
    if lost:
        raise ReassessError(f"no config of the bundle has the cell {lost[0]}")

    def read(cell: str) -> Again:
        grid = places[cell]
        where = grid.paths.cell(grid.cell(cell).id)
        trained = where / "train.json"
        history = (
            read_parquet(where / "history.parquet")
            if trained.is_file()
            else bundle.history.iloc[:0]
        )
        return Again(
            read_json(trained) if trained.is_file() else {},
            history,
            read_parquet(where / "predictions.parquet"),
        )

    return read


def _compare_cell(
    report: Report, bundle: Bundle, cell: str, stored: dict[str, Any], again: Again
) -> None:
    then, now = stored["train"], again.trained
    if then and then["spec_hash"] != now["spec_hash"]:
        report.differences.append(
            f"{cell}: its spec is another one in this version ({', '.join(_changed(then['spec'], now['spec']))})"
        )
        return
    kinds = list(_other_kind(then or stored["evaluate"], now or {}))
    report.notes += [f"{cell}: {one}" for one in kinds] if now else []
    if (
        then
        and then.get("kind", "sft") in ("sft", "merge")
        and not kinds
        and not then.get("resumed")
    ):
        if then["weights_hash"] != now["weights_hash"]:
            report.differences.append(
                f"{cell}: other weights ({then['weights_hash'][:12]} stored, {now['weights_hash'][:12]} now)"
            )
            report.add(list(_trajectory(cell, bundle.history, again.history)))
            return
        report.notes.append(f"{cell}: the same weights, bit by bit ({now['weights_hash'][:12]})")
    report.add(list(_outside(report, bundle, cell, again)))


def _other_kind(then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """Yield how the machine or its software differs from the one of a manifest."""
    for name in ("machine", "processor", "accelerators"):
        before, after = then["hardware"].get(name), now.get("hardware", {}).get(name)
        if before != after:
            yield f"another kind of machine: {name} was {before}, is {after}; weights cannot be expected to be identical"
    for name, before in then["versions"].items():
        after = now.get("versions", {}).get(name)
        if before != after and name in (
            "torch",
            "transformers",
            "trl",
            "numpy",
            "accelerate",
            "peft",
        ):
            yield f"{name} was {before}, is {after}; weights cannot be expected to be identical"


def _changed(then: dict[str, Any], now: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name in sorted({*then, *now}):
        before, after = then.get(name), now.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _changed(before, after, f"{prefix}{name}.")
        elif before != after:
            yield f"{prefix}{name}"


def _trajectory(cell: str, stored: pd.DataFrame, fresh: pd.DataFrame) -> Iterator[str]:
    """Yield where the histories part: for each metric the first update at which the numbers differ."""
    mine = stored[stored["cell"] == cell].set_index(["metric", "step"])["value"]
    yours = fresh.set_index(["metric", "step"])["value"]
    for metric in sorted({name for name, _ in mine.index} - {"seconds"}):
        if metric not in yours.index.get_level_values(0):
            yield f"{cell}: {metric} was recorded, and is not now"
            continue
        before, after = mine[metric].align(yours[metric])
        parted = before.index[(before != after).to_numpy()]
        if len(parted):
            step = parted[0]
            yield f"{cell}: {metric} parts at update {step}: {before[step]!r} stored, {after[step]!r} now"


def _outside(report: Report, bundle: Bundle, cell: str, again: Again) -> Iterator[str]:
    """Yield the benchmarks whose accuracy is outside the interval around the stored one."""
    from statistics import NormalDist

    import numpy as np

    stored = bundle.scores_of([cell])
    names = list(dict.fromkeys(stored["benchmark"]))
    bound = NormalDist().inv_cdf(1 - 0.05 / 2 / len(names))
    for name in names:
        before = stored[stored["benchmark"] == name].set_index("item")["correct"].astype(float)
        rows = again.predictions[again.predictions["benchmark"] == name]
        after = rows.set_index("id")["correct"].astype(float).reindex(before.index)
        if after.isna().any():
            yield f"{cell} {name}: other items than those stored"
            continue
        gap = (after - before).to_numpy()
        half = bound * float(np.std(gap, ddof=1)) / len(gap) ** 0.5 if len(gap) > 1 else 0.0
        about = f"{cell} {name}: accuracy {before.mean():.4f} stored, {after.mean():.4f} now"
        if abs(gap.mean()) > half:
            yield f"{about}; the difference is outside ± {half:.4f}"
        elif gap.any():
            report.notes.append(f"{about}; inside ± {half:.4f}")
