"""What an arm is, whatever it is called: its method, where it starts, what its reward looks at.

Claims and figures choose arms by these traits. An arm's name is free (`uses:` in the config names
its method file), so a name decides nothing where traits do: a bundle with renamed arms gives the
same numbers. Which arms have cells is decided by the cells that the config plans, not by those that
have results: a run that failed must not change what a claim is about. The order of arms never
decides: no hash covers it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from reassess.core.files import Json, canonical_json
from reassess.grid.cells import Cell
from reassess.methods import Kind

BASE = "base"  # as `start`: the base model, no arm


@dataclass(frozen=True)
class ArmTraits:
    """An arm of the comparison.

    Attributes:
        name: what the config calls it, and the column `method` of a bundle's tables.
        method: the name of its method file.
        kind: `none` trains nothing.
        cold_start: whether supervised fine-tuning comes before, in the chain of its starts.
        format_weight: the share of the reward that form alone earns; None without a reward.
        variant: its number among the arms of its method; 0 stands for the method. See `rank`; among
            arms of one rank it is by settings and, if these are the same, by name.
        start: the arm that it starts from, or `base`.
        planned: the number of cells that the config plans for it.
        fixed_updates: whether it takes as many updates at every size, and not as many epochs.
    """

    name: str
    method: str
    kind: Kind
    cold_start: bool
    format_weight: float | None
    variant: int
    start: str = BASE
    planned: int = 0
    fixed_updates: bool = False

    @property
    def rank(self) -> tuple[float, ...]:
        """How well it stands for its method, the lowest best.

        Arms that the config plans cells for come before those that it plans none for; among these,
        those that start from the base model, then those whose reward looks at the answer most, then
        those of as many epochs at every size, then those with the most cells: an arm of one study
        does not replace one of several.
        """
        return self.ranked(matched=False)

    def ranked(self, matched: bool) -> tuple[float, ...]:
        """The same; `matched` puts arms of as many updates at every size before those of epochs."""
        weight = float(self.format_weight or 0)
        other = self.fixed_updates is not matched
        return not self.planned, self.start != BASE, weight, other, -self.planned

    @property
    def trains(self) -> bool:
        """Whether it trains anything."""
        return self.kind != "none"

    @property
    def format_only(self) -> bool:
        """Whether its reward never looks at the answer."""
        return self.format_weight == 1


def traits_of(study: Json, kinds: Mapping[str, Kind]) -> dict[str, ArmTraits]:
    """The arms of a study by name, in the order of its config.

    Args:
        study: the content of a bundle's `study.json`.
        kinds: the kind of each arm that has cells.
    """
    settings: dict[str, Json] = {name: study["arms"][name] for name in study["arm_order"]}
    planned = Counter(cell.arm for cell in planned_cells(study).values())
    kinds = {name: kinds.get(name) or _kind(content) for name, content in settings.items()}
    arms = [
        ArmTraits(
            name=name,
            method=content["method"],
            kind=kinds[name],
            cold_start=any(kinds.get(start) == "sft" for start in _starts(settings, name)),
            format_weight=content.get("format_weight"),
            variant=0,
            start=content.get("start", BASE),
            planned=planned[name],
            fixed_updates="max_steps" in content and content.get("epochs") is None,
        )
        for name, content in settings.items()
    ]
    variants = _variants(arms, settings)
    return {arm.name: replace(arm, variant=variants[arm.name]) for arm in arms}


def planned_cells(study: Json) -> dict[str, Cell]:
    """By id, the cells that a study's config plans, whether or not they have results."""
    return {
        name: Cell.of_id(name) for terms in study["studies"].values() for name in terms["cells"]
    }


def _kind(settings: Json) -> Kind:
    """The kind of an arm without cells, by its settings: only RL has a reward."""
    if "format_weight" in settings:
        return "rl"
    return "sft" if "start" in settings else "none"


def _starts(settings: Mapping[str, Json], name: str) -> Iterator[str]:
    """Yield the arm that an arm starts from, the one that this starts from, and so on."""
    passed = {name}
    start = settings[name].get("start", BASE)
    while start != BASE and start in settings and start not in passed:
        yield start
        passed.add(start)
        start = settings[start].get("start", BASE)


def _variants(arms: Iterable[ArmTraits], settings: Mapping[str, Json]) -> dict[str, int]:
    """The number of each arm among those of its method."""
    count: Counter[str] = Counter()
    variants = {}
    for arm in sorted(
        arms, key=lambda arm: (arm.rank, canonical_json(settings[arm.name]), arm.name)
    ):
        variants[arm.name] = count[arm.method]
        count[arm.method] += 1
    return variants
