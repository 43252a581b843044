"""Which cells a claim is about: by the study's config, not by what has results.

A claim names arms, traces, models and sizes by what they are. Here they are found among the cells
that the config plans. So a cell that failed or was left out is missing, and named; it never changes
what a claim is about.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

from reassess.analysis.arms import BASE, ArmTraits, planned_cells, traits_of
from reassess.config.claims import Estimand, Side
from reassess.core.files import Json
from reassess.grid.cells import Cell, replicate_of
from reassess.methods import Kind

Place = tuple[str, str]  # an arm, and a distribution
One = TypeVar("One")


class NotPlanned(Exception):  # noqa: N818 - no error: a claim that no cell of the config tests
    """The config plans no cells for a claim; the message says which are lacking."""


@dataclass(frozen=True)
class Pairs:
    """The runs of two arms that are compared, by model; paired by seed.

    Attributes:
        first: the arm and the distribution of one side.
        second: those of the other.
        sizes: the rows of both.
        seeds: by model, the seeds that both sides plan.
        one_sided: the models that one side plans at these sizes and the other does not.
    """

    first: Place
    second: Place
    sizes: tuple[int, int]
    seeds: Mapping[str, tuple[int, ...]]
    one_sided: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """The models that the claim is about, sorted."""
        return tuple(sorted(self.seeds))

    def of(self, model: str, seed: int) -> tuple[Cell, Cell]:
        """The cells of a run on both sides."""
        sides = zip((self.first, self.second), self.sizes, strict=True)
        one, other = (Cell(model, traces, size, arm, seed) for (arm, traces), size in sides)
        return one, other

    @property
    def cells(self) -> list[Cell]:
        """Every cell of both sides."""
        return [
            cell
            for model in self.models
            for seed in self.seeds[model]
            for cell in self.of(model, seed)
        ]


class Plan:
    """The cells that a study plans, and what they are.

    Attributes:
        study: the content of a bundle's `study.json`.
        arms: what each arm is, by name.
    """

    def __init__(self, study: Json, kinds: Mapping[str, Kind]) -> None:
        """Take a study's terms and the kind of each arm that has cells."""
        self.study = study
        self.arms: dict[str, ArmTraits] = traits_of(study, kinds)

    @cached_property
    def cells(self) -> dict[str, Cell]:
        """Every planned cell, by id, sorted."""
        return dict(sorted(planned_cells(self.study).items()))

    @property
    def bases(self) -> int:
        """How many replicates of each base there are."""
        return int(self.study.get("bases", 1))

    def base_of(self, seed: int) -> int:
        """The replicate of the base that runs of a seed start from, from 1."""
        return replicate_of(seed, self.bases)

    def clusters(self, seeds: Collection[int]) -> int:
        """How many independent groups the runs of these seeds are: bases, where there are more."""
        return len({self.base_of(seed) for seed in seeds}) if self.bases > 1 else len(seeds)

    def cluster(self, cell: Cell) -> tuple[str, int]:
        """The group of runs of a model that a cell is of: its base; of one base, its seed."""
        return cell.model, self.base_of(cell.seed) if self.bases > 1 else cell.seed

    def tier(self, model: str) -> str:
        """The tier of a model."""
        return str(self.study["models"][model]["tier"])

    # --- what traces are ---------------------------------------------------------------------

    def traces(self, distribution: str, model: str) -> Literal["own", "foreign"]:
        """Whether a teacher of the model's own family writes the traces of a distribution."""
        settings = self.study["config"]["distributions"][distribution]
        teacher = settings.get("teacher")  # one model for all; else each family's own
        families = {name: one["family"] for name, one in self.study["models"].items()}
        of_family = teacher is None or families.get(teacher) == families[model]
        return "own" if settings["source"] == "teacher" and of_family else "foreign"

    # --- two arms, paired by seed --------------------------------------------------------------

    def pairs(self, estimand: Estimand) -> Pairs:
        """The cells of a claim that compares one arm with another.

        Raises:
            NotPlanned: the config has no such cells, or does not say which are meant.
        """
        cells, sides = estimand.cells, estimand.sides
        assert cells is not None and len(sides) == 2  # the claim's own model checks it
        models = {name for name in self.study["models"] if cells.models in ("all", self.tier(name))}
        matched = estimand.budget == "updates"
        first, second = (self._place(side, models, matched) for side in sides)
        seeds = [self._seeds(place, models) for place in (first, second)]
        by_size: dict[int, dict[str, tuple[int, ...]]] = defaultdict(dict)
        for (model, size), one in seeds[0].items():
            if common := one & seeds[1].get((model, size * cells.ratio), set()):
                by_size[size][model] = tuple(sorted(common))
        sizes = sorted(by_size, reverse=True)
        if len(sizes) < cells.pair:
            known = ", ".join(f"{size} and {size * cells.ratio}" for size in sizes) or "none"
            which = {1: "", 2: " second"}.get(cells.pair, f" {cells.pair}th")
            raise NotPlanned(
                f"no{which} pair of sizes is planned for both arms, rows {cells.ratio} to 1 "
                f"(planned: {known})"
            )
        size = sizes[cells.pair - 1]
        both = size, size * cells.ratio
        either = {
            model
            for rows, one in zip(both, seeds, strict=True)
            for model, held in one
            if held == rows
        }
        alone = tuple(sorted(either - {*by_size[size]}))
        return Pairs(first, second, both, by_size[size], alone)

    def _seeds(self, place: Place, models: Iterable[str]) -> dict[tuple[str, int], set[int]]:
        """The planned seeds of an arm and distribution, by model and size."""
        arm, traces = place
        found: dict[tuple[str, int], set[int]] = defaultdict(set)
        for cell in self._of(arm, models):
            if cell.distribution == traces and cell.size is not None:
                found[cell.model, cell.size].add(cell.seed)
        return dict(found)

    def _of(self, arm: str, models: Iterable[str]) -> Iterator[Cell]:
        models = set(models)
        return (c for c in self.cells.values() if c.arm == arm and c.model in models)

    def _place(self, side: Side, models: Iterable[str], matched: bool) -> Place:
        """The arm and the distribution that one side of a claim means.

        Args:
            side: the side.
            models: those that the claim is about.
            matched: whether arms of as many updates at every size are meant before those of epochs.

        Raises:
            NotPlanned: there is none, or several that only their names or settings tell apart.
        """
        start = "after a cold start" if side.start == "sft" else "from the base"
        arm = self._only(
            f"arm of {side.method} {start}",
            {arm: arm.ranked(matched) for arm in self._arms(side)},
            lambda arm: arm.name,
        )
        used = Counter(cell.distribution for cell in self._of(arm.name, models))
        plain = self.study["config"]["distributions"]
        fitting = {
            name: ("teacher" in plain[name] and plain[name]["teacher"] is not None, -count)
            for name, count in used.items()
            if name is not None and self._all_are(side.traces, name, arm.name, models)
        }
        whose = "the model's own family" if side.traces == "own" else "elsewhere"
        return arm.name, self._only(f"distribution of traces from {whose} for {arm.name}", fitting)

    def _all_are(
        self, traces: str | None, distribution: str, arm: str, models: Iterable[str]
    ) -> bool:
        return all(
            traces in (None, self.traces(distribution, cell.model))
            for cell in self._of(arm, models)
            if cell.distribution == distribution
        )

    @staticmethod
    def _only(
        kind: str, ranks: Mapping[One, tuple[float, ...]], name: Callable[[One], str] = str
    ) -> One:
        """What has the lowest rank.

        Raises:
            NotPlanned: nothing has, or more than one.
        """
        best = [one for one, rank in ranks.items() if rank == min(ranks.values())]
        if len(best) == 1:
            return best[0]
        if not best:
            raise NotPlanned(f"no {kind} is planned")
        named = ", ".join(sorted(map(name, best)))
        raise NotPlanned(
            f"which {kind} is meant cannot be said of {named}: what they are is the same, and "
            "neither names nor settings decide"
        )

    # --- all runs of a kind --------------------------------------------------------------------

    def _arms(self, side: Side) -> Iterator[ArmTraits]:
        """The arms of a side that have cells. A control is no run of what it controls."""
        for arm in self.arms.values():
            meant = arm.method == side.method if side.method else arm.kind == side.kind
            started = arm.trains and arm.cold_start is (side.start == "sft")
            if meant and started and arm.planned and not arm.format_only:
                yield arm

    def runs(self, side: Side) -> list[Cell]:
        """Every planned run of the arms of a side, sorted by what the runs are.

        Their order is no arm's name's: it shows in the last digits of sums.
        """
        arms = {arm.name: arm for arm in self._arms(side)}
        runs = (cell for cell in self.cells.values() if cell.arm in arms)
        return sorted(runs, key=self.order)

    def order(self, cell: Cell) -> tuple[str, str, int, str, int, int]:
        """A place for a cell that no arm's name decides."""
        arm = self.arms[cell.arm]
        place = cell.model, cell.distribution or "", cell.size or 0
        return (*place, arm.method, arm.variant, cell.seed)

    # --- what a run starts from ----------------------------------------------------------------

    def start_of(self, cell: Cell) -> Cell | None:
        """The planned cell that scores what a run starts from; None if none is planned.

        It is the cell of the same rows and seed of the arm that it starts from, or the untouched
        model's of the same replicate of the base.
        """
        arm = self.arms[cell.arm]
        if arm.start != BASE:
            start = cell.of_arm(arm.start)
            return start if start.id in self.cells else None
        base = self.base_of(cell.seed) if self.bases > 1 else 1
        return self._untouched.get((cell.model, base))

    @cached_property
    def _untouched(self) -> dict[tuple[str, int], Cell]:
        """By model and replicate of its base, the first planned cell that trains nothing of it."""
        arms = {one.name for one in self.arms.values() if one.method == BASE}
        cells = (one for one in self.cells.values() if one.arm in arms)
        found: dict[tuple[str, int], Cell] = {}
        for one in sorted(cells, key=lambda one: (one.seed, self.order(one))):
            found.setdefault((one.model, one.seed if self.bases > 1 else 1), one)
        return found
