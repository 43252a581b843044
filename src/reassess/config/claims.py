"""Claims as data: files that say what is claimed, of which cells, and by which rule it is decided.

A claim is one YAML file. Its digest covers all of it, so that a claim that is changed after a run
is found to be changed (`reassess.analysis.registration`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date as Date  # noqa: N812 - a field is called `date`
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from reassess.config.load import read_yaml
from reassess.config.messages import explain
from reassess.config.names import Line, Name
from reassess.config.schema import Strict
from reassess.core.errors import ReassessError
from reassess.core.files import Json, canonical_json, sha256_text
from reassess.core.project import ROOT

CLAIMS = ROOT / "claims"  # the project's own

Quantity = Literal[
    "accuracy difference",
    "spread ratio",
    "difference of improving shares",
    "deceptive share",
    "difference of deceptive shares",
]
OF_ONE_SIDE: frozenset[Quantity] = frozenset({"deceptive share"})
OF_REWARDS: frozenset[Quantity] = frozenset({"deceptive share", "difference of deceptive shares"})
# Changes of accuracy from what a run started from, which are taken on the main benchmark.
OF_CHANGES: frozenset[Quantity] = OF_REWARDS | {"difference of improving shares"}
# The values that an estimate can have; a margin lies between them.
RANGES: dict[Quantity, tuple[float, float]] = {
    "accuracy difference": (-1.0, 1.0),
    "spread ratio": (0.0, math.inf),
    "difference of improving shares": (-1.0, 1.0),
    "deceptive share": (0.0, 1.0),
    "difference of deceptive shares": (-1.0, 1.0),
}
Budget = Literal["own", "updates", "flops", "plateau"]
Share = Annotated[float, Field(ge=0, le=1)]


class Side(Strict):
    """Which runs are meant, by what their arms and traces are: names in a config decide nothing."""

    kind: Literal["sft", "rl"] | None = Field(None, description="all arms whose method does this")
    method: Name | None = Field(None, description="the arm that stands for this method file")
    start: Literal["base", "sft"] = Field(
        description="`base`: nothing supervised comes before it; `sft`: a cold start does"
    )
    traces: Literal["own", "foreign"] | None = Field(
        None, description="`own`: a teacher of the model's own family writes the traces"
    )

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if (self.kind is None) is (self.method is None):
            raise ValueError("give either `method` (one arm) or `kind` (all arms of it)")
        return self


class Cells(Strict):
    """On which cells two arms are compared, of those that the config plans."""

    models: Literal["weak", "strong", "all"] = Field(description="the tier of the models")
    pair: int = Field(ge=1, description="which pair of sizes: 1 is the largest")
    ratio: int = Field(ge=1, description="rows of `second` for each row of `first`")
    scope: Literal["population"] | None = Field(
        None,
        description="of an accuracy difference: `population` is about models in general, of which "
        "these are a sample; default: these models",
    )


class Thresholds(Strict):
    """What counts as deceptive, in shares of 1; see `reassess.analysis.deception`."""

    room: Share = Field(description="a reward that starts nearer to 1 than this cannot rise")
    accuracy: Share = Field(description="accuracy that rises by less than this is not up")


class Estimand(Strict):
    """What is estimated, of which cells."""

    quantity: Quantity = Field(description="what is estimated")
    first: Side = Field(description="the runs that the claim is about")
    second: Side | None = Field(None, description="the runs that they are compared with")
    cells: Cells | None = Field(None, description="the cells; none: every planned run of the arms")
    benchmark: Literal["main", "shifted", "text"] = Field(
        description="the role of the benchmarks whose items are scored"
    )
    decoding: Literal["greedy"] = Field(description="how completions are decoded")
    budget: Budget = Field(
        description="`own`: as each arm is configured; `updates`, `flops`: cells that agree on it; "
        "`plateau`: runs whose probe accuracy no longer rises"
    )
    thresholds: Thresholds | None = Field(None, description="of deceptive runs")

    @model_validator(mode="after")
    def _fits_its_quantity(self) -> Self:
        one_side, of_rewards = self.quantity in OF_ONE_SIDE, self.quantity in OF_REWARDS
        needs = {"second": not one_side, "cells": not of_rewards, "thresholds": of_rewards}
        for name, needed in needs.items():
            if (getattr(self, name) is not None) is not needed:
                raise ValueError(
                    f"`{name}` is {'required' if needed else 'not used'} by {self.quantity!r}"
                )
        general = self.cells is not None and self.cells.scope is not None
        if general and self.quantity != "accuracy difference":
            raise ValueError(f"`cells.scope` is not used by {self.quantity!r}")
        if of_rewards and any(one.kind != "rl" or one.traces is not None for one in self.sides):
            raise ValueError(
                f"{self.quantity!r} is of all arms of a kind on any traces: give `kind: rl` alone"
            )
        if self.quantity in OF_CHANGES and self.benchmark != "main":
            raise ValueError(f"{self.quantity!r} is of the benchmark `main`")
        if of_rewards and self.budget != "own":
            raise ValueError(f"{self.quantity!r} is of each arm's `own` budget")
        if not of_rewards and any(one.method is None for one in self.sides):
            raise ValueError(f"{self.quantity!r} compares one arm with another: give `method`")
        if not of_rewards and any(one.traces is None for one in self.sides):
            raise ValueError(f"{self.quantity!r} compares runs on some traces: give `traces`")
        return self

    @property
    def sides(self) -> list[Side]:
        """The first side, and the second if there is one."""
        return [self.first, *([self.second] if self.second else [])]


class Published(Strict):
    """What the source states as a figure."""

    text: Line = Field(description="in words")
    value: float | None = Field(None, description="in the unit of the quantity, where it is known")


class Claim(Strict):
    """A finding, and the rule that decides it."""

    id: Name = Field(description="its name, and that of its file")
    statement: Line = Field(description="what is claimed")
    source: Line = Field(description="who claims it, and where")
    certainty: Literal["abstract", "second-hand", "ours"] = Field(
        description="how we know that the source says so"
    )
    published: Published = Field(description="the figure of the source")
    estimand: Estimand = Field(description="what is estimated")
    margin: float = Field(description="what the estimate is compared with, in its unit")
    rule: Literal["above", "below"] = Field(
        description="supported where the whole interval lies on this side of the margin"
    )
    family: Line = Field(description="claims of one family are adjusted together (Holm)")
    version: int = Field(ge=1, description="raised with every change")
    date: Date = Field(description="of this version")

    @model_validator(mode="after")
    def _has_a_margin_within_range(self) -> Self:
        low, high = RANGES[self.estimand.quantity]
        if not low <= self.margin <= high or (low == self.margin == 0 and math.isinf(high)):
            raise ValueError(
                f"`margin` is {self.margin:g}, and {self.estimand.quantity!r} lies between {low:g} "
                f"and {high:g} (shares of 1: two points are 0.02)"
            )
        return self

    @property
    def content(self) -> Json:
        """All of it, as a bundle holds it."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def digest(self) -> str:
        """The SHA-256 of its content: any change changes it."""
        return sha256_text(canonical_json(self.content))


Claims = Mapping[str, Claim]  # by id


def read_claims(folders: Iterable[Path] = ()) -> dict[str, Claim]:
    """The project's own claims and those of further folders, by id, in the order of their ids.

    Raises:
        ReassessError: a folder is missing, a file is no claim or is not called as its claim, or two
            files give one id; names file and key.
    """
    found: dict[str, tuple[Claim, Path]] = {}
    for folder in (CLAIMS, *folders):
        if not folder.is_dir():
            raise ReassessError(f"no folder of claims at {folder}; name another under `claims:`")
        for path in sorted(folder.glob("*.yaml")):
            claim = claim_of(read_yaml(path), path)
            if claim.id != path.stem:
                raise ReassessError(
                    f"{path}: id: found {claim.id!r}: a claim's file is called as the claim; "
                    f"rename it to {claim.id}.yaml"
                )
            if claim.id in found:
                raise ReassessError(f"claim {claim.id!r} is in {found[claim.id][1]} and in {path}")
            found[claim.id] = claim, path
    return {name: found[name][0] for name in sorted(found)}


def claim_of(content: object, source: Path, prefix: str = "") -> Claim:
    """The claim that some content is.

    Args:
        content: of a file, or of a bundle's terms.
        source: the file, for messages.
        prefix: the key in the file under which the claim stands.

    Raises:
        ReassessError: names file, key, value and what is allowed.
    """
    try:
        return Claim.model_validate(content)
    except ValidationError as error:
        raise ReassessError(explain(error, source, Claim, prefix)) from error


def digests(claims: Claims) -> dict[str, str]:
    """The digest of each claim, by id."""
    return {name: claim.digest for name, claim in claims.items()}


def contents(claims: Claims) -> Json:
    """The content of each claim, by id."""
    return {name: claim.content for name, claim in claims.items()}


def hash_of_claims(claims: Claims) -> str:
    """The SHA-256 of all claims together."""
    return sha256_text(canonical_json(digests(claims)))
