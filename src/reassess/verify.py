"""`reassess verify`: can figures, scores, training be had again? Each level says what differs, and fails if anything does."""

from __future__ import annotations

import difflib
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from reassess.analysis.archive import DRAWN, DRAWN_WITH, draw_all, drawn_with, opened, tampered
from reassess.analysis.bundle import Bundle
from reassess.analysis.stored_answers import ANSWERS, KEYS, answers_by_cell
from reassess.answers import Verdict, judge
from reassess.errors import ReassessError, unknown
from reassess.files import read_json, read_parquet

if TYPE_CHECKING:
    import pandas as pd

LISTED = 10  # differences of one kind that are named one by one
REMEMBERED = 200_000  # verdicts: models give the same short answers again and again
EXCERPT = 90  # characters of a differing line that are shown
Judge = Callable[[str, str, str], Verdict]  # of a completion, by the right answer and its kind


@dataclass
class Report:
    """What a check found: differences fail it, notes do not."""

    checked: str = ""
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the report for a person."""
        lines = [f"note: {note}" for note in self.notes]
        lines += [f"DIFFERS: {difference}" for difference in self.differences]
        return "\n".join(
            [*lines, f"{self.checked}: {'identical' if not self.differences else f'{len(self.differences)} differences'}"]
        )

    def add(self, found: list[str]) -> None:
        """Add differences, the first few of them by name."""
        self.differences += found[:LISTED]
        if len(found) > LISTED:
            self.differences.append(f"and {len(found) - LISTED} more")


# --- figures ----------------------------------------------------------------------------------------------------------


def verify_figures(path: Path) -> Report:
    """Draw figures, tables and claims of a bundle again and hold them against the stored ones, byte by byte.

    Raises:
        ReassessError: the bundle is damaged or of a newer version, or nothing drawn is stored beside it.
    """
    report = Report()
    with opened(path) as root, tempfile.TemporaryDirectory(prefix="reassess-verify-") as made:
        report.add(tampered(root))
        report.notes += surroundings(root)
        fresh = Path(made)
        draw_all(root / "bundle", fresh)
        names = [name for name in _drawn(root) if name != DRAWN_WITH]
        if not names:
            raise ReassessError(f"{path}: nothing drawn is stored beside the bundle")
        for name in sorted({*names, *(one for one in _drawn(fresh) if one.split("/")[0] in {*DRAWN, "claims.json"})}):
            report.add(_difference(name, root / name, fresh / name))
    report.checked = f"{len(names)} drawn files"
    return report


def _drawn(root: Path) -> list[str]:
    inside = (path for folder in DRAWN for path in (root / folder).rglob("*") if path.is_file())
    beside = (root / name for name in ("claims.json", "claims.html"))
    return sorted(path.relative_to(root).as_posix() for path in (*inside, *beside) if path.is_file())


def surroundings(root: Path) -> list[str]:
    """Return how the present versions, font and machine differ from those that a bundle was drawn with."""
    if not (root / DRAWN_WITH).is_file():
        return ["what these files were drawn with is not recorded"]
    then, now = read_json(root / DRAWN_WITH), drawn_with()
    return [
        f"{name} was {then.get(name, 'not recorded')} when these files were drawn, and is {now.get(name, 'absent')} here"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]


def _difference(name: str, stored: Path, fresh: Path) -> list[str]:
    if not fresh.is_file():
        return [f"{name}: stored, but not drawn from this bundle"]
    if not stored.is_file():
        return [f"{name}: drawn from this bundle, but not stored"]
    old, new = stored.read_bytes(), fresh.read_bytes()
    if old == new:
        return []
    explain = {".png": _pixels, ".pdf": _bytes}.get(stored.suffix, _lines)
    return [f"{name}: {explain(old, new)}"]


def _pixels(old: bytes, new: bytes) -> str:
    """Say which region of a picture differs."""
    import io

    import numpy as np
    from PIL import Image

    try:
        pictures = [Image.open(io.BytesIO(content)).convert("RGBA") for content in (old, new)]
    except OSError as error:
        return f"the stored picture cannot be read ({error})"
    first, second = pictures
    if first.size != second.size:
        return f"{first.width} x {first.height} pixels stored, {second.width} x {second.height} drawn"
    gap = np.abs(np.asarray(first, dtype=np.int16) - np.asarray(second, dtype=np.int16)).max(axis=2)
    if not gap.any():
        return "the same pixels in other bytes (compression or metadata)"
    rows, columns = np.nonzero(gap.any(axis=1))[0], np.nonzero(gap.any(axis=0))[0]
    return (
        f"{int((gap > 0).sum())} of {gap.size} pixels differ, by up to {int(gap.max())} of 255, in the region from "
        f"({columns[0]}, {rows[0]}) to ({columns[-1]}, {rows[-1]}), counted from the upper left"
    )


def _bytes(old: bytes, new: bytes) -> str:
    first = next((place for place, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new)))
    return f"{len(old)} bytes stored, {len(new)} drawn; the first difference is at byte {first}"


def _lines(old: bytes, new: bytes) -> str:
    """Say which lines of a text differ, and show the first."""
    mine, yours = (content.decode(errors="replace").splitlines() for content in (old, new))
    blocks = [block for block in difflib.SequenceMatcher(None, mine, yours, autojunk=False).get_opcodes() if block[0] != "equal"]
    if not blocks:
        return "the same lines with other line ends"
    _, start, end, fresh_start, fresh_end = blocks[0]
    count = sum(max(block[2] - block[1], block[4] - block[3]) for block in blocks)
    shown = [(" / ".join(lines) or "nothing")[:EXCERPT] for lines in (mine[start:end], yours[fresh_start:fresh_end])]
    return f"{count} lines differ, first at line {start + 1}: stored {shown[0]!r}, drawn {shown[1]!r}"


# --- scores -----------------------------------------------------------------------------------------------------------


def verify_scores(path: Path) -> Report:
    """Extract and verify every stored answer again, and hold the verdicts against the stored scores, item by item.

    Mathematical answers are judged a second time by a grader that shares no code with ours.

    Raises:
        ReassessError: the bundle is damaged, of a newer version, or holds no answers.
    """
    report = Report()
    with opened(path) as root:
        report.add(tampered(root))
        scores = Bundle.load(root / "bundle").scores
        answers = root / "bundle" / ANSWERS
        if not answers.is_file():
            raise ReassessError(f"{path} holds scores but no answers ({ANSWERS}): they cannot be recomputed")
        scores[KEYS] = scores[KEYS].astype(str)
        unseen = dict(iter(scores.groupby("cell")))
        again = lru_cache(maxsize=REMEMBERED)(judge)
        found, count, cells, opinion = [], 0, len(unseen), SecondOpinion()
        for cell, rows in answers_by_cell(answers):
            differences, judged = _judged_again(unseen.pop(cell, scores.iloc[:0]), rows, again, opinion)
            found += differences
            count += judged
        found += [f"{_item(row)}: a score without a stored answer" for rows in unseen.values() for row in rows.itertuples()]
    report.add(found)
    report.add(opinion.differences)
    report.notes += opinion.notes()
    report.checked = f"{count} answers of {cells} cells"
    return report


def _judged_again(scores: pd.DataFrame, answers: pd.DataFrame, again: Judge, opinion: SecondOpinion) -> tuple[list[str], int]:
    """Hold a cell's scores against its answers; return what differs and the number of answers judged."""
    both = scores.merge(answers, on=KEYS, how="outer", indicator=True, validate="one_to_one")
    found = []
    for side, what in (("left_only", "a score without a stored answer"), ("right_only", "a stored answer without a score")):
        found += [f"{_item(row)}: {what}" for row in both[both["_merge"] == side].itertuples()]
    both = both[both["_merge"] == "both"]
    judged = _verdicts(both, again)
    for column, what in (("correct", "verdict"), ("extracted", "extracted answer"), ("format_ok", "format")):
        mine, stored = judged[column], both[column]
        differs = ~((mine == stored.to_numpy()) | (mine.isna() & stored.isna().to_numpy())).to_numpy(dtype=bool)
        rows = zip(both[differs].itertuples(), mine[differs], strict=True)
        found += [f"{_item(row)}: {what} stored as {getattr(row, column)!r}, recomputed as {value!r}" for row, value in rows]
    opinion.ask(both, judged)
    return found, len(both)


def _item(row: Any) -> str:
    return f"{row.cell} {row.benchmark} {row.item}"


def _verdicts(rows: pd.DataFrame, again: Judge) -> pd.DataFrame:
    import pandas as pd

    verdicts = [again(*one) for one in zip(rows["completion"], rows["answer"], rows["answer_kind"], strict=True)]
    content = {
        name: pd.Series([getattr(one, name) for one in verdicts], dtype=object) for name in ("correct", "extracted", "format_ok")
    }
    return pd.DataFrame(content)


@dataclass
class SecondOpinion:
    """What another grader thinks of mathematical answers. A stricter one may call wrong what ours calls right: that is a note."""

    asked: int = 0
    stricter: int = 0
    differences: list[str] = field(default_factory=list)

    def ask(self, rows: pd.DataFrame, judged: pd.DataFrame) -> None:
        """Judge some answers."""
        mine = judged[["correct", "extracted"]].itertuples(index=False)
        for row, (correct, extracted) in zip(rows.itertuples(), mine, strict=True):
            grader = GRADERS.get(str(row.answer_kind))
            if grader is None or extracted is None:
                continue
            self.asked += 1
            theirs = grader(str(extracted), str(row.answer))
            if theirs == correct:
                continue
            if correct and grader is _by_text:
                self.stricter += 1
            else:
                says = f"{correct} for our verifier, {theirs} for {grader.__doc__}"
                self.differences.append(f"{_item(row)}: {extracted!r} for {row.answer!r} is {says}")

    def notes(self) -> list[str]:
        """Return what is no difference and worth saying."""
        notes = [f"{self.asked} mathematical answers judged by a second grader"]
        if self.stricter:
            other = "in other forms than the right one are right for ours and wrong for the second, which compares text"
            notes.append(f"{self.stricter} answers {other}")
        return notes


@cache
def _by_symbols(extracted: str, answer: str) -> bool:
    """math-verify."""
    from math_verify import parse, verify

    for part in ("parser", "grader"):
        logging.getLogger(f"math_verify.{part}").setLevel(
            logging.ERROR
        )  # it warns that no time limit is set: texts here are whole numbers
    try:
        return bool(
            verify(parse(f"${answer}$", parsing_timeout=None), parse(f"${extracted}$", parsing_timeout=None), timeout_seconds=None)
        )
    except Exception:
        return False  # what it cannot parse is wrong for it


@cache
def _by_text(extracted: str, answer: str) -> bool:
    """lm-eval's grader of MATH."""
    from lm_eval.tasks.hendrycks_math.utils import is_equiv

    return bool(is_equiv(extracted, answer))


# Kinds of answers that ours judges by its own means are judged by math-verify; where ours asks math-verify, by text.
GRADERS: dict[str, Callable[[str, str], bool]] = {"integer": _by_symbols, "math": _by_text}


# --- training ---------------------------------------------------------------------------------------------------------


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
        known = bundle.manifests[bundle.manifests["status"] == "done"].set_index("cell")
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
    found = bundle.manifests[(bundle.manifests["kind"] == "sft") & (bundle.manifests["status"] == "done")]
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
    from reassess.grid import Grid
    from reassess.manifest import ROOT

    places: dict[str, Grid] = {}
    sources = bundle.study.get("merged", [bundle.study])
    for number, source in enumerate(sources):
        config = folder / f"config-{number}.yaml"
        config.parent.mkdir(parents=True, exist_ok=True)
        own = {"results": str(folder / f"results-{number}"), "scratch": str(folder / f"scratch-{number}")}
        config.write_text(yaml.safe_dump({**source["config"], **own}))
        grid = Grid.load(config)
        here = [cell for cell in cells if cell in grid.cells and cell not in places]
        if not here:
            continue
        words = [sys.executable, "-m", "reassess.cli", "run", "--config", str(config)]
        words += [str(grid.cell_dir(grid.cell(cell)) / "scores.json") for cell in here]
        done = subprocess.run(words, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=sys.stderr)
        if done.returncode:
            raise ReassessError(f"training again failed (exit code {done.returncode}); what it said stands above")
        places.update(dict.fromkeys(here, grid))
    lost = [cell for cell in cells if cell not in places]
    if lost:
        raise ReassessError(f"no config of the bundle has the cell {lost[0]}")

    def read(cell: str) -> Again:
        grid = places[cell]
        where = grid.cell_dir(grid.cell(cell))
        trained = where / "train.json"
        history = read_parquet(where / "history.parquet") if trained.is_file() else bundle.history.iloc[:0]
        return Again(read_json(trained) if trained.is_file() else {}, history, read_parquet(where / "predictions.parquet"))

    return read


def _compare_cell(report: Report, bundle: Bundle, cell: str, stored: dict[str, Any], again: Again) -> None:
    then, now = stored["train"], again.trained
    if then and then["spec_hash"] != now["spec_hash"]:
        report.differences.append(
            f"{cell}: its spec is another one in this version ({', '.join(_changed(then['spec'], now['spec']))})"
        )
        return
    kinds = list(_other_kind(then or stored["evaluate"], now or {}))
    report.notes += [f"{cell}: {one}" for one in kinds] if now else []
    if then and then.get("kind", "sft") in ("sft", "merge") and not kinds and not then.get("resumed"):
        if then["weights_hash"] != now["weights_hash"]:
            report.differences.append(f"{cell}: other weights ({then['weights_hash'][:12]} stored, {now['weights_hash'][:12]} now)")
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
        if before != after and name in ("torch", "transformers", "trl", "numpy", "accelerate", "peft"):
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

    stored = bundle.scores[bundle.scores["cell"] == cell]
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
