"""What a bundle holds, as the level `contents` compares it."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from reassess.analysis.bundle import Bundle
from reassess.bundles.stored_answers import ANSWERS
from reassess.core.errors import ReassessError
from reassess.core.files import Json, canonical_json, sha256_text
from reassess.grid.cells import Cell
from reassess.grid.foreign import load_foreign
from reassess.grid.specs import Spec, Specs
from reassess.grid.study import Grid
from reassess.verify.versions import SpecsOf, Versions, stored_versions

LONGEST = 120  # characters of a value in a message
_SHORT = reprlib.Repr()  # looks at no more of a value than can be shown
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = _SHORT.maxfrozenset = LONGEST // 2
_SHORT.maxdict, _SHORT.maxlevel = LONGEST // 4, 5
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 4 * LONGEST


@dataclass(frozen=True)
class Stored:
    """A bundle, and the grids that its configs give.

    Attributes:
        folder: the folder of its tables.
        bundle: its tables and its study's terms.
        grids: one for each config: more than one if it was merged.
    """

    folder: Path
    bundle: Bundle
    grids: list[Grid]

    @cached_property
    def records(self) -> dict[str, Json]:
        """By cell, the manifests of its jobs by `train` and `evaluate`; empty for failed cells.

        Raises:
            ReassessError: one is no JSON, or of another shape.
        """
        manifests = self.bundle.manifests
        return {
            str(cell): _record(str(cell), text)
            for cell, text in zip(manifests["cell"], manifests["manifest"], strict=True)
        }

    @cached_property
    def rows(self) -> dict[str, dict[Hashable, Any]]:
        """By cell, its row of the manifests; None where a value is missing."""
        frame = self.bundle.manifests
        frame = frame.astype(object).where(frame.notna(), None)
        return {str(row["cell"]): dict(row) for row in frame.to_dict("records")}

    @cached_property
    def versions(self) -> list[Versions]:
        """By grid, the version numbers that its specs were made with."""
        traces = self.bundle.study["traces"]
        return [stored_versions(grid, self.records, traces) for grid in self.grids]

    @cached_property
    def _specs(self) -> list[Specs]:
        pairs = zip(self.grids, self.versions, strict=True)
        return [SpecsOf(grid, versions) for grid, versions in pairs]

    def specs(self, grid: Grid) -> Specs:
        """The specs of one of the grids, as the version that made them derives them."""
        return next(
            specs for one, specs in zip(self.grids, self._specs, strict=True) if one is grid
        )

    def grids_of(self, cell: str) -> list[Grid]:
        """The grids that have a cell."""
        return [grid for grid in self.grids if cell in grid.cells]

    def alike(self, grid: Grid, cell: Cell) -> list[Grid]:
        """The grids that have a cell under the same specs as one of them.

        What is in no spec (a judge, how often trainers save) may be as any of them says.
        """
        due = self.specs(grid).evaluation_hash(cell)
        return [
            one
            for one in self.grids_of(cell.id)
            if one is grid or self.specs(one).evaluation_hash(cell) == due
        ]

    def scored(self) -> Iterator[tuple[Grid, Cell]]:
        """Yield the cells that have scores, each with the grid whose spec it was scored under."""
        for cell, row in self.rows.items():
            grids = self.grids_of(cell)
            if row["status"] == "done" and grids:
                yield self._owner(cell, row, grids), grids[0].cells[cell]

    def _owner(self, cell: str, row: Mapping[Hashable, Any], grids: list[Grid]) -> Grid:
        if len(grids) == 1:
            return grids[0]
        scored = self.records[cell].get("evaluate", {}).get("spec_hash")

        def fits(grid: Grid) -> tuple[bool, bool]:
            specs, of = self.specs(grid), grid.cells[cell]
            return specs.train_hash(of) == row["spec_hash"], specs.evaluation_hash(of) == scored

        return max(grids, key=fits)

    @property
    def answers(self) -> Path:
        """The file of the answers."""
        return self.folder / ANSWERS


def _record(cell: str, text: object) -> Json:
    if not isinstance(text, str):
        return {}
    try:
        content = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ReassessError(f"{cell}: manifest is no JSON ({error})") from error
    parts = [content.get(name) for name in ("train", "evaluate")] if _is_json(content) else []
    if not parts or not all(map(_is_json, parts)):
        raise ReassessError(f"{cell}: manifest has no entries train and evaluate")
    if canonical_json(content) != text:
        raise ReassessError(f"{cell}: manifest is no canonical JSON, as a run writes it")
    if {*content} != {"train", "evaluate"}:
        raise ReassessError(f"{cell}: manifest has other entries than train and evaluate")
    return dict(content)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _is_json(value: object) -> bool:
    return isinstance(value, dict)


def grids_of(study: Json, source: Path, nowhere: Path, trust: bool) -> list[Grid]:
    """The grids of a bundle's configs, from which nothing runs and no result is read.

    Args:
        study: the study's terms.
        source: the bundle, for messages.
        nowhere: a folder without files, in place of the grids' own results.
        trust: whether plug-ins and further files that a config names are loaded.

    Raises:
        ReassessError: a config is invalid, or would load what is not trusted.
    """
    places = {"results": str(nowhere), "scratch": str(nowhere)}
    return [
        load_foreign({**terms["config"], **places}, source, trust=trust)
        for terms in study.get("merged", [study])
    ]


def hash_of(spec: Spec) -> str:
    """The hash of a spec, as jobs record it."""
    return sha256_text(canonical_json(spec))


def shown(value: object) -> str:
    """A value in a message, on one line and not too long, however large it is."""
    text = _SHORT.repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def differing(stored: object, derived: object, where: str) -> Iterator[str]:
    """Yield the places at which two JSON values differ, with both values."""
    if isinstance(stored, dict) and isinstance(derived, dict):
        for name in sorted({*stored, *derived}, key=str):
            place = f"{where}.{name}"
            if name not in derived:
                yield f"{place}: stored as {shown(stored[name])}, but nothing gives it"
            elif name not in stored:
                yield f"{place}: missing; derived as {shown(derived[name])}"
            else:
                yield from differing(stored[name], derived[name], place)
    elif isinstance(stored, list) and isinstance(derived, list):
        yield from _items(stored, derived, where)
    elif type(stored) is not type(derived) or stored != derived:
        yield f"{where}: stored as {shown(stored)}, derived as {shown(derived)}"


def _items(stored: list[object], derived: list[object], where: str) -> Iterator[str]:
    if len(stored) != len(derived):
        extra = [one for one in stored if one not in derived]
        lacking = [one for one in derived if one not in stored]
        yield (
            f"{where}: {len(stored)} entries stored, {len(derived)} derived (too many: "
            f"{shown(extra)}; missing: {shown(lacking)})"
        )
        return
    for number, (one, other) in enumerate(zip(stored, derived, strict=True)):
        yield from differing(one, other, f"{where}[{number}]")
