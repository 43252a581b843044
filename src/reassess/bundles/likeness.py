"""How far a finished grid is, bit by bit, the committed reference of its name: one line.

`reassess run` ends with it. Stages are compared in the order in which data passes; the first that
differs is named, since all others follow from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reassess.core.errors import ReassessError
from reassess.core.files import MALFORMED, Json, read_json, read_parquet
from reassess.core.fingerprint import Fingerprint, differing
from reassess.core.project import ROOT
from reassess.grid.study import Grid

REFERENCES = ROOT / "results" / "reference"
NAMED = 3  # of what differs


@dataclass(frozen=True)
class Outcome:
    """What a bundle says of one run.

    Attributes:
        study: its terms.
        cells: the manifests of each finished cell, by `train` and `evaluate`.
    """

    study: Json
    cells: Mapping[str, Json]

    @classmethod
    def of(cls, bundle: Path) -> Outcome:
        """Read a bundle's terms and manifests.

        Raises:
            ReassessError, OSError, ValueError, KeyError, TypeError: it is damaged.
        """
        table = read_parquet(bundle / "manifests.parquet")
        done = table[table["status"] == "done"]
        records = zip(done["cell"].astype(str), done["manifest"], strict=True)
        outcome = cls(
            read_json(bundle / "study.json"), {cell: json.loads(text) for cell, text in records}
        )
        list(outcome.stages())  # every entry is of the type that it should be
        return outcome

    def of_cells(self, cells: Sequence[str]) -> Outcome:
        """What it says of some of its cells."""
        return replace(self, cells={cell: self.cells[cell] for cell in cells})

    def stages(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Yield each stage with the hashes of what it made, by name, causes first."""
        made = self.study.get("made", {})
        yield "pool", dict(self.study.get("pool", {}))
        yield "tokenizer", dict(made.get("tokenizers", {}))
        yield "base", dict(made.get("bases", {}))
        yield "teacher", dict(made.get("teachers", {}))
        traces = self.study.get("traces", {}).items()
        yield "traces", {name: report.get("content_hash") for name, report in traces}
        for stage, job, field in CELL_STAGES:
            yield stage, {cell: one.get(job, {}).get(field) for cell, one in self.cells.items()}


CELL_STAGES = (
    ("rows", "train", "rows_hash"),
    ("weights", "train", "weights_hash"),
    ("scores", "evaluate", "predictions_hash"),
)


def likeness(grid: Grid, references: Path = REFERENCES) -> str | None:
    """The line; None if there is no reference of the grid's name.

    Args:
        grid: a grid whose bundle is collected.
        references: the folder of all references, by grid.
    """
    folder = references / grid.config.grid
    if not (folder / "bundle").is_dir() or not (grid.paths.bundle / "study.json").is_file():
        return None
    shown = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
    try:
        return _line(grid, folder / "bundle", str(shown))
    except (OSError, ReassessError, *MALFORMED) as error:
        return f"not compared with {shown}: it cannot be read ({error})"


def _line(grid: Grid, bundle: Path, shown: str) -> str:
    """The line, if the bundle of the reference is not damaged."""
    ours, reference = Outcome.of(grid.paths.bundle), Outcome.of(bundle)
    numerics = reference.study["config"].get("numerics", "fast")
    if "made" not in reference.study:
        return f"not compared with {shown}: an earlier version made it, without hashes of its bases"
    if grid.config.numerics != numerics:
        return f"not compared with {shown}: one of them is in portable numerics, the other in fast"
    cells = [cell.id for cell in grid.cells.values()]
    finished = ours.of_cells([cell for cell in cells if cell in ours.cells])
    unfinished = [cell for cell in cells if cell not in ours.cells]
    return compared(finished, reference, shown, unfinished)


def compared(ours: Outcome, reference: Outcome, shown: str, unfinished: Sequence[str] = ()) -> str:
    """How many cells are identical, and the first stage that is not, if any.

    Args:
        ours: an outcome.
        reference: what it is compared with.
        shown: the name of that.
        unfinished: the cells that have no outcome.
    """
    both = [cell for cell in ours.cells if cell in reference.cells]
    other = [cell for cell in both if _spec(ours, cell) != _spec(reference, cell)]
    same = [cell for cell in both if cell not in other]
    alike = [cell for cell in same if _results(ours, reference, cell)]
    count = len(ours.cells) + len(unfinished)
    parts = [f"{len(alike)} of {count} cells identical to the reference ({shown})"]
    if unfinished:
        parts.append(f"{len(unfinished)} failed or have not run: {_named(unfinished)}")
    if absent := [cell for cell in ours.cells if cell not in reference.cells]:
        parts.append(f"{_named(absent)} not in it")
    if other:
        parts.append(f"another config: {_named(other)}")
    if len(alike) < len(same):
        parts.append(_first_difference(ours.of_cells(same), reference))
    return "; ".join(parts)


def _spec(outcome: Outcome, cell: str) -> object:
    return outcome.cells[cell].get("evaluate", {}).get("spec_hash")


def _results(ours: Outcome, reference: Outcome, cell: str) -> bool:
    """Whether a cell has the same weights and answers in both."""
    one, other = ours.cells[cell], reference.cells[cell]
    fields = (("train", "weights_hash"), ("evaluate", "predictions_hash"))
    return all(
        one.get(job, {}).get(field) == other.get(job, {}).get(field) for job, field in fields
    )


def _first_difference(ours: Outcome, reference: Outcome) -> str:
    for (stage, made), (_, due) in zip(ours.stages(), reference.stages(), strict=True):
        names = [name for name in made if name in due and made[name] != due[name]]
        if names:
            return f"the first stage that differs: {stage} ({_named(names)}){_why(ours, reference)}"
    return "the stages before are the same"


def _why(ours: Outcome, reference: Outcome) -> str:
    """The operations that compute differently, if the fingerprints tell."""
    one, other = _fingerprint(ours), _fingerprint(reference)
    operations = differing(one, other) if one and other else None
    return f"; computed differently here: {_named(operations)}" if operations else ""


def _fingerprint(outcome: Outcome) -> Fingerprint | None:
    """The first fingerprint that a manifest holds."""
    for record in outcome.cells.values():
        for job in record.values():
            found: Fingerprint | None = job.get("numerics", {}).get("fingerprint")
            if found is not None:
                return found
    return None


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" * (len(names) > NAMED))
