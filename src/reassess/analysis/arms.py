"""What an arm is, whatever it is called: its method, where it starts, what its reward looks at.

Claims and figures choose arms by these traits. An arm's name is free (`uses:` in the config names
its method file), so a name decides nothing where traits do: a bundle with renamed arms gives the
same numbers. Among arms with the same traits the one that is called as its method stands for it.
The order of arms never decides: no hash covers it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from reassess.core.files import Json, canonical_json
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
        variant: its number among the arms of its method; 0 stands for the method. Those that
            have cells come before those that nobody ran; among these, those that start from the
            base model, then those whose reward looks at the answer most, then the one that is
            called as its method, then by settings and name.
    """

    name: str
    method: str
    kind: Kind
    cold_start: bool
    format_weight: float | None
    variant: int

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
    variants = _variants(settings, kinds)
    kinds = {name: kinds.get(name) or _kind(content) for name, content in settings.items()}
    return {
        name: ArmTraits(
            name=name,
            method=content["method"],
            kind=kinds[name],
            cold_start=any(kinds.get(start) == "sft" for start in _starts(settings, name)),
            format_weight=content.get("format_weight"),
            variant=variants[name],
        )
        for name, content in settings.items()
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


def _variants(settings: Mapping[str, Json], run: Container[str]) -> dict[str, int]:
    """The number of each arm among those of its method; `run` holds those that have cells."""

    def place(name: str) -> tuple[bool, bool, float, bool, str, str]:
        content = settings[name]
        continues = content.get("start", BASE) != BASE
        weight = float(content.get("format_weight") or 0)
        return (
            name not in run,
            continues,
            weight,
            name != content["method"],
            canonical_json(content),
            name,
        )

    count: dict[str, int] = {}
    variants = {}
    for name in sorted(settings, key=place):
        method = settings[name]["method"]
        variants[name] = count.get(method, 0)
        count[method] = variants[name] + 1
    return variants
