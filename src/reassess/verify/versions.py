"""Specs as another version of reassess made them: the same settings with its version numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

from reassess.core.files import Json
from reassess.grid.cells import Cell
from reassess.grid.specs import PREDICTIONS, SAMPLING, Spec, Specs
from reassess.grid.study import Grid
from reassess.verifier import VERSION as VERIFIER


@dataclass(frozen=True)
class Versions:
    """The numbers in specs that a new version of reassess raises.

    Attributes:
        verifier: of the verifier.
        predictions: of the table of answers.
        sampling: of how tokens are drawn; specs of the first state none.
        methods: of each method, by its name.
    """

    verifier: int
    predictions: int
    sampling: int
    methods: Mapping[str, int]

    def named(self) -> dict[str, int]:
        """Each number with what it is of."""
        methods = {f"method {name}": number for name, number in sorted(self.methods.items())}
        return {
            "verifier": self.verifier,
            "predictions": self.predictions,
            "sampling": self.sampling,
            **methods,
        }


def present_versions(grid: Grid) -> Versions:
    """Those of this version."""
    methods = {arm.method.name: arm.method.version for arm in grid.arms.values()}
    return Versions(VERIFIER, PREDICTIONS, SAMPLING, methods)


def stored_versions(grid: Grid, records: Mapping[str, Json], traces: Json) -> Versions:
    """Those that most manifests of a grid's cells state; this version's where none does.

    A bundle has one of each, because it is collected under one version. Where no cell was trained
    on what is sampled, the hashes of traces tell how it was.

    Args:
        grid: the grid.
        records: by cell, the manifests of its jobs by `train` and `evaluate`.
        traces: the study's reports on traces, by `family/distribution`.
    """
    counts: dict[str, Counter[int]] = {}
    for name, cell in grid.cells.items():
        for what, number in _stated(grid, cell, records.get(name, {})):
            if type(number) is int:
                counts.setdefault(what, Counter())[number] += 1
    most = {what: count.most_common(1)[0][0] for what, count in counts.items()}
    present = present_versions(grid)
    versions = Versions(
        verifier=most.get("verifier", present.verifier),
        predictions=most.get("predictions", present.predictions),
        sampling=most.get("sampling", present.sampling),
        methods={
            name: most.get(f"method {name}", number) for name, number in present.methods.items()
        },
    )
    if "sampling" in most:
        return versions
    earlier = (replace(versions, sampling=number) for number in range(SAMPLING - 1, 0, -1))
    return next((one for one in earlier if _has_traces(grid, one, traces)), versions)


def _has_traces(grid: Grid, versions: Versions, traces: Json) -> bool:
    """Whether some sampled traces of a study have the specs of a version."""
    specs = SpecsOf(grid, versions)
    sampled = (n for n, one in grid.config.distributions.items() if one.source == "teacher")
    return any(
        _dict(traces, f"{family}/{name}").get("spec_hash") == specs.traces_hash(family, name)
        for family, name in product(grid.config.teachers, sampled)
    )


def _stated(grid: Grid, cell: Cell, record: Json) -> Iterator[tuple[str, object]]:
    train, evaluate = (_dict(record, part, "spec") for part in ("train", "evaluate"))
    due = grid.specs.train(cell), grid.specs.evaluation(cell)
    for spec, present in zip((train, evaluate), due, strict=True):
        yield "verifier", spec.get("verifier")
        if spec and "sampling" in present:
            yield "sampling", spec.get("sampling", 1)
    yield "predictions", evaluate.get("predictions")
    yield f"method {grid.arms[cell.arm].method.name}", _dict(train, "method").get("version")


def _dict(content: Json, *names: str) -> Json:
    for name in names:
        found = content.get(name)
        content = found if isinstance(found, dict) else {}
    return content


class SpecsOf(Specs):
    """The specs of a grid as a version with other numbers derives them, hashes included."""

    def __init__(self, grid: Grid, versions: Versions) -> None:
        """Keep the numbers."""
        super().__init__(grid.config, grid.world, grid.arms, grid.benchmarks)
        self._versions = versions

    def traces(self, family: str, distribution: str) -> Spec:
        """What decides a family's traces."""
        return self._numbered(super().traces(family, distribution))

    def train(self, cell: Cell) -> Spec:
        """Everything that can change a cell's weights."""
        spec = self._numbered(super().train(cell))
        spec["method"]["version"] = self._versions.methods[spec["method"]["name"]]
        return spec

    def evaluation(self, cell: Cell) -> Spec:
        """Everything that can change a cell's scores."""
        return self._numbered(super().evaluation(cell))

    def _numbered(self, spec: Spec) -> Spec:
        numbers = self._versions.named()
        made = {name: numbers.get(name, value) for name, value in spec.items()}
        if made.get("sampling") == 1:
            del made["sampling"]  # the first version stated none
        return made
