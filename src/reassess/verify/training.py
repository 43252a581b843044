"""The third level: cells trained again, from nothing, compared with the bundle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd

from reassess.analysis.bundle import Bundle
from reassess.bundles.archive import opened
from reassess.bundles.checksums import tampered
from reassess.bundles.stored_answers import ANSWERS, answers_by_cell
from reassess.core.errors import ReassessError, unknown
from reassess.core.files import Json, read_json, read_parquet, write_json
from reassess.core.fingerprint import differing
from reassess.core.project import ROOT
from reassess.grid.foreign import load_foreign
from reassess.verify.report import VerifyReport

# Of a manifest, what can change weights; the first did not state the kernels. A fingerprint stands
# for those of a CPU, and says nothing of accelerators.
OF_CPU = ("machine", "processor", "kernels")
HARDWARE = (*OF_CPU, "accelerators")
SOFTWARE = ("torch", "transformers", "trl", "numpy", "accelerate", "peft")
# Of a training manifest: what cell and data decide, and what follows from the weights too.
ALWAYS = ("rows", "rows_hash", "row_ids_hash", "updates", "order_seed", "sampling_seed")
WITH_WEIGHTS = ("samples", "tokens", "flops", "template_hash", "start_weights_hash")
LEAVES_OPEN = "the cells that were not trained again; `verify contents` compares all of them"
NAMED = 8  # operations that a note names
ERROR = 0.05  # probability that any interval of a cell misses, were the outcome equal


def verify_train(
    path: Path, cells: list[str], keep: Path | None = None, *, trust: bool = False
) -> VerifyReport:
    """Train and score cells again, from nothing, and compare the outcome with the bundle.

    Where both compute alike, by their fingerprints, SFT must give the same weights, and in
    `portable` numerics every method must, and resumed runs too. Where weights are the same, so are
    history, totals and completions. Cells that train nothing have the weights of their base, and
    where they are evaluated alike the same completions. Anything else must score inside the 95 %
    interval of the difference (paired by item, all intervals together: Bonferroni over benchmarks).

    Args:
        path: the bundle.
        cells: ids; none: the cheapest SFT cell by the tokens of its manifest.
        keep: folder for what is made here; none: it is removed.
        trust: whether plug-ins and further files that its config names are loaded and run.

    Raises:
        ReassessError: a cell is not in the bundle or failed there, its config would load what is
            not trusted, or the run here failed.
    """
    report = VerifyReport(agreement="trained again, nothing differs", leaves_open=LEAVES_OPEN)
    with opened(path) as root:
        report.add(tampered(root))
        bundle = Bundle.load(root / "bundle")
        chosen = cells or [_cheapest(bundle)]
        finished = bundle.scored.set_index("cell")
        for cell in chosen:
            if cell not in finished.index:
                raise ReassessError(unknown("finished cell", cell, finished.index))
        with tempfile.TemporaryDirectory(prefix="reassess-retrain-") as temporary:
            again = TrainedAgain(bundle, path, (keep or Path(temporary)).resolve(), trust)
            again.run(chosen)
            written = _completions(root / "bundle" / ANSWERS, chosen)
            for cell in chosen:
                stored = json.loads(str(finished.loc[cell, "manifest"]))
                compare_cell(report, bundle, cell, stored, again.read(cell), written.get(cell))
    report.checked = f"{len(chosen)} cells trained again"
    return report


def _cheapest(bundle: Bundle) -> str:
    cells = bundle.scored[bundle.scored["kind"] == "sft"]
    if cells.empty:
        raise ReassessError("the bundle has no finished SFT cell: name another with --cell")
    return str(cells.sort_values(["tokens", "cell"])["cell"].iloc[0])


@dataclass(frozen=True)
class Repetition:
    """The results of a cell that was trained again.

    Attributes:
        trained: its training manifest; empty if it trains nothing.
        history: its history; no rows if it trains nothing.
        predictions: its scored answers.
        evaluated: the manifest of its evaluation.
    """

    trained: Json
    history: pd.DataFrame
    predictions: pd.DataFrame
    evaluated: Json = field(default_factory=dict)


def _completions(path: Path, cells: list[str]) -> dict[str, pd.DataFrame]:
    """The stored answers of some cells; none where the bundle has no answers."""
    if not path.is_file():
        return {}
    return {cell: rows for cell, rows in answers_by_cell(path) if cell in cells}


class TrainedAgain:
    """Cells of a bundle whose jobs run through the real rules, in a folder of their own."""

    def __init__(self, bundle: Bundle, source: Path, folder: Path, trust: bool) -> None:
        """Read the configs of the bundle.

        Args:
            bundle: the bundle.
            source: its path, for messages.
            folder: where everything is made.
            trust: whether what its configs name is loaded.

        Raises:
            ReassessError: a config is invalid, or would load what is not trusted.
        """
        self._bundle, self._folder = bundle, folder
        self._grids = [
            load_foreign(
                {
                    **terms["config"],
                    "results": str(folder / f"results-{number}"),
                    "scratch": str(folder / f"scratch-{number}"),
                },
                source,
                trust=trust,
            )
            for number, terms in enumerate(bundle.study.get("merged", [bundle.study]))
        ]

    def _grid_of(self, cell: str) -> int:
        """The number of the first grid that has a cell.

        Raises:
            ReassessError: none has it.
        """
        for number, grid in enumerate(self._grids):
            if cell in grid.cells:
                return number
        raise ReassessError(f"no config of the bundle has the cell {cell}")

    def run(self, cells: list[str]) -> None:
        """Train and score cells."""
        numbers = {cell: self._grid_of(cell) for cell in cells}
        for number in sorted(set(numbers.values())):
            grid = self._grids[number]
            # JSON, which is YAML: a name such as `1e3` is a number in one version of YAML.
            config = self._folder / f"config-{number}.json"
            write_json(config, grid.config.model_dump(mode="json"))
            of_grid = [grid.cell(cell).id for cell in cells if numbers[cell] == number]
            _run(config, [grid.paths.scores(cell) for cell in of_grid])

    def read(self, cell: str) -> Repetition:
        """The results of a cell."""
        grid = self._grids[self._grid_of(cell)]
        where = grid.paths.cell(grid.cell(cell).id)
        predictions = read_parquet(where / "predictions.parquet")
        evaluated = read_json(where / "scores.json")["manifest"]
        if not (where / "train.json").is_file():
            return Repetition({}, self._bundle.history.iloc[:0], predictions, evaluated)
        history = read_parquet(where / "history.parquet")
        return Repetition(read_json(where / "train.json"), history, predictions, evaluated)


def _run(config: Path, files: list[Path]) -> None:
    command = [sys.executable, "-m", "reassess.cli.entry", "run", "--config", str(config)]
    command += [str(file) for file in files]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr)
    if done.returncode:
        raise ReassessError(
            f"training again failed (exit code {done.returncode}); its output is above"
        )


def compare_cell(
    report: VerifyReport,
    bundle: Bundle,
    cell: str,
    stored: Json,
    again: Repetition,
    answers: pd.DataFrame | None = None,
) -> None:
    """Compare a cell that was trained again with the bundle.

    Args:
        report: receives differences and notes.
        bundle: the bundle.
        cell: the cell's id.
        stored: the cell's manifests in the bundle, by `train` and `evaluate`.
        again: the new results.
        answers: the cell's answers in the bundle; none: their texts are not compared.
    """
    then, now = stored["train"], again.trained
    if not then:
        _compare_untrained(report, cell, stored["evaluate"], again, answers)
        _compare_scores(report, bundle, cell, again)
        return
    if then["spec_hash"] != now["spec_hash"]:
        changed = ", ".join(_changed(then["spec"], now["spec"]))
        report.differences.append(f"{cell}: its spec is another one in this version ({changed})")
        return
    surroundings = list(_other_machine(then, now))
    report.notes += [f"{cell}: {difference}" for difference in surroundings]
    report.add(_other_fields(cell, then, now, ALWAYS))
    same = then["weights_hash"] == now["weights_hash"]
    if _is_repeatable(then, now) and not surroundings and not same:
        report.differences.append(_other_weights(cell, then, now))
        report.add(_trajectory(cell, bundle.history, again.history))
        return
    if same:
        report.notes.append(_same_weights(cell, now))
        report.add(_other_fields(cell, then, now, WITH_WEIGHTS))
        report.add(_trajectory(cell, bundle.history, again.history))
        report.add(_other_texts(cell, answers, again.predictions))
    else:
        report.notes.append(
            f"{cell}: other weights, which its method or this machine allows: of what follows from "
            "them only the scores are compared, not its history or its completions"
        )
    _compare_scores(report, bundle, cell, again)


def _compare_untrained(
    report: VerifyReport, cell: str, then: Json, again: Repetition, answers: pd.DataFrame | None
) -> None:
    """Compare the weights of a cell that trains nothing, and if they are the same what they answer.

    Both are those of its base, and due where its evaluation computes alike.
    """
    now = again.evaluated
    if not ({"weights_hash", "hardware"} <= {*then} and "weights_hash" in now):
        return  # an early manifest
    surroundings = list(_other_machine(then, now))
    if then.get("spec_hash") != now.get("spec_hash"):
        changed = ", ".join(_changed(then.get("spec", {}), now.get("spec", {})))
        surroundings.append(f"its spec is another one in this version ({changed})")
    report.notes += [f"{cell}: {difference}" for difference in surroundings]
    if then["weights_hash"] == now["weights_hash"]:
        report.notes.append(_same_weights(cell, now))
        if not surroundings:
            report.add(_other_texts(cell, answers, again.predictions))
    elif not surroundings:
        report.differences.append(_other_weights(cell, then, now))


def _same_weights(cell: str, now: Json) -> str:
    return f"{cell}: the same weights, bit by bit ({now['weights_hash'][:12]})"


def _other_weights(cell: str, then: Json, now: Json) -> str:
    before, after = then["weights_hash"][:12], now["weights_hash"][:12]
    return f"{cell}: other weights ({before} stored, {after} now)"


def _is_repeatable(then: Json, now: Json) -> bool:
    """Whether a training gives the same weights again, where everything computes alike.

    A resumed one does in `portable` numerics, whatever its method. None does whose micro-batches
    were halved on the way.
    """
    if then.get("micro_batch_halved") or now.get("micro_batch_halved"):
        return False
    if _is_portable(then):
        return True
    return then.get("kind", "sft") == "sft" and not then.get("resumed")


def _is_portable(manifest: Json) -> bool:
    return bool(manifest.get("numerics", {}).get("mode") == "portable")


def _other_fields(cell: str, then: Json, now: Json, names: Iterable[str]) -> Iterator[str]:
    """Yield the fields of a manifest that came out differently.

    Hashes of rows are compared only if they were made in the same way.
    """
    for name in names:
        before, after = then.get(name), now.get(name)
        if before is None or after is None:
            continue
        if name == "rows_hash" and (":" in str(before)) is not (":" in str(after)):
            continue
        if before != after:
            yield f"{cell}: {name} is {before!r} in the bundle, {after!r} when trained again"


def _other_texts(cell: str, stored: pd.DataFrame | None, now: pd.DataFrame) -> Iterator[str]:
    """Yield the items whose completion came out differently."""
    if stored is None or "completion" not in now:
        return
    both = stored.merge(
        now.rename(columns={"id": "item"}), on=["benchmark", "item"], suffixes=("", "_now")
    )
    for row in both[both["completion"] != both["completion_now"]].to_dict("records"):
        yield (
            f"{cell} {row['benchmark']} {row['item']}: completion {row['completion']!r} stored, "
            f"{row['completion_now']!r} now"
        )


def _other_machine(then: Json, now: Json) -> Iterator[str]:
    """Yield how the machine or its software differs from the one of a manifest."""
    consequence = "weights cannot be expected to be identical"
    operations = _other_operations(then, now)
    known = () if operations is None else OF_CPU  # None: an older manifest, or another fingerprint
    if _is_portable(then) and _is_portable(now):
        known = (*known, "accelerators")  # no job uses them
    for name in HARDWARE:
        before, after = then["hardware"].get(name), now.get("hardware", {}).get(name)
        if before != after and name in then["hardware"] and name not in known:
            yield f"another kind of machine: {name} was {before}, is {after}; {consequence}"
    if operations:
        named = ", ".join(operations[:NAMED]) + (" ..." if len(operations) > NAMED else "")
        yield f"{len(operations)} operations compute differently here: {named}; {consequence}"
    for name, before in then["versions"].items():
        after = now.get("versions", {}).get(name)
        if before != after and name in SOFTWARE:
            yield f"{name} was {before}, is {after}; {consequence}"
    builds = [one.get("environment", {}).get("torch") for one in (then, now)]
    if all(builds) and builds[0] != builds[1]:
        yield f"another build of torch: {builds[0]} was installed, {builds[1]} is; {consequence}"


def _other_operations(then: Json, now: Json) -> list[str] | None:
    """The operations that differ, by the fingerprints; None if they do not tell."""
    before, after = (one.get("numerics", {}).get("fingerprint") for one in (then, now))
    return differing(before, after) if before and after else None


def _changed(then: Json, now: Json, prefix: str = "") -> Iterator[str]:
    for name in sorted({*then, *now}):
        before, after = then.get(name), now.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _changed(before, after, f"{prefix}{name}.")
        elif before != after:
            yield f"{prefix}{name}"


def _trajectory(cell: str, stored: pd.DataFrame, fresh: pd.DataFrame) -> Iterator[str]:
    """Yield, for each metric, the first update at which two histories differ."""
    old = stored[stored["cell"] == cell].set_index(["metric", "step"])["value"]
    new = fresh.set_index(["metric", "step"])["value"]
    known = {name for name, _ in old.index}
    for metric in sorted({name for name, _ in new.index} - known - {"seconds"}):
        yield f"{cell}: {metric} is recorded now, and was not"
    for metric in sorted(known - {"seconds"}):
        if metric not in new.index.get_level_values(0):
            yield f"{cell}: {metric} was recorded, and is not now"
            continue
        before, after = old[metric].align(new[metric])
        different = before.index[(before != after).to_numpy()]
        if len(different):
            step = different[0]
            values = f"{before[step]!r} stored, {after[step]!r} now"
            yield f"{cell}: {metric} differs from update {step} on: {values}"


def _compare_scores(report: VerifyReport, bundle: Bundle, cell: str, again: Repetition) -> None:
    """Compare accuracy on each benchmark with the interval around the stored one."""
    stored = bundle.scores_of([cell])
    names = list(dict.fromkeys(stored["benchmark"]))
    bound = NormalDist().inv_cdf(1 - ERROR / 2 / len(names))
    outside = []
    for name in names:
        before = stored[stored["benchmark"] == name].set_index("item")["correct"].astype(float)
        rows = again.predictions[again.predictions["benchmark"] == name]
        after = rows.set_index("id")["correct"].astype(float).reindex(before.index)
        if after.isna().any():
            outside.append(f"{cell} {name}: other items than those stored")
            continue
        gap = (after - before).to_numpy()
        half = bound * float(np.std(gap, ddof=1)) / len(gap) ** 0.5 if len(gap) > 1 else 0.0
        accuracies = f"accuracy {before.mean():.4f} stored, {after.mean():.4f} now"
        if abs(gap.mean()) > half:
            outside.append(f"{cell} {name}: {accuracies}; the difference is outside ± {half:.4f}")
        elif gap.any():
            report.notes.append(f"{cell} {name}: {accuracies}; inside ± {half:.4f}")
    report.add(outside)
