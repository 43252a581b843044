"""What a reader should know of a bundle's configs, which rest on whoever packed it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from reassess.config.load import load_config
from reassess.config.schema import LOCAL
from reassess.core.errors import ReassessError
from reassess.core.files import Json, canonical_json
from reassess.core.project import ROOT
from reassess.verify.report import listed
from reassess.verify.stored import Stored

SAME, FOREIGN = "same-family", "foreign"  # names of distributions that figures go by


def notes_on_configs(stored: Stored) -> Iterator[str]:
    """Yield configs that differ from the shipped ones of their name, and those that own no cell."""
    study = stored.bundle.study
    configs: list[Json] = [terms["config"] for terms in study.get("merged", [study])]
    for config in configs:
        yield from _other_than_shipped(config)
        yield from _misnamed(config)
    if len(configs) == 1:
        return
    owners = {id(grid) for grid, _ in stored.scored()}
    known: set[str] = set()
    for number, (config, grid) in enumerate(zip(configs, stored.grids, strict=True), 1):
        which = f"config {number} of {len(configs)} ({config['grid']})"
        text = canonical_json(config)
        if text in known:
            yield f"{which} is one of the others again, so that one run may pass for two"
        elif id(grid) not in owners:
            yield f"{which} has no result of its own: every cell is as another config says"
        known.add(text)


def _misnamed(config: Json) -> Iterator[str]:
    """Yield distributions that are not what figures call them by their names."""
    models = config["models"]
    families = {model["family"] for model in models.values()}
    for name, settings in config["distributions"].items():
        teacher = settings.get("teacher")  # one model for all; else each family's own
        of_family = teacher is None or {models[teacher]["family"]} == families
        own = settings["source"] == "teacher" and of_family
        if (name == SAME and not own) or (name == FOREIGN and own):
            yield (
                f"traces called {name} are {'' if own else 'not '}sampled from a teacher of the "
                f"family in the config of {config['grid']}; figures go by the name"
            )


def _other_than_shipped(config: Json) -> Iterator[str]:
    """Yield how a config differs from that of its name which this version ships."""
    shipped = [one for one in _shipped() if one["grid"] == config["grid"]]
    found = [sorted(set(_changed(config, one, ""))) for one in shipped]
    if found and (names := min(found, key=len)):
        yield (
            f"the config of {config['grid']} is not the one that this version ships; "
            f"{len(names)} settings differ ({listed(names)})"
        )


@cache
def _shipped() -> list[Json]:
    """The configs beside the code, of this version."""
    found = []
    for path in (ROOT / "config.yaml", *sorted((ROOT / "config").glob("*.yaml"))):
        try:
            found.append(load_config(path).model_dump(mode="json", exclude=LOCAL))
        except ReassessError:
            continue  # pins, say
    return found


def _changed(one: object, other: object, where: str) -> Iterator[str]:
    """Yield the dotted names of settings that differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one and other:
        for name in {*one, *other}:
            place = f"{where}.{name}" if where else name
            yield from _changed(one.get(name), other.get(name), place)
    elif one != other:
        yield where
