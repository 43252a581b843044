"""The typed config: what a grid consists of.

Its JSON schema and the documented default config are generated from these models.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from reassess.config.names import (
    ArmSettings,
    Line,
    Name,
    Named,
    NamedReadOnly,
    Names,
    Output,
    Place,
    distinct,
)
from reassess.core.numerics import Mode
from reassess.core.price import Rates

LOCAL = {"results", "scratch", "claims"}  # keys that no bundle's config has
LARGEST = 2**63 - 1  # of a size or a seed: what the tables' integers hold

Sizes = Annotated[list[Annotated[int, Field(gt=0, le=LARGEST)]], AfterValidator(distinct)]
Seeds = Annotated[
    list[Annotated[int, Field(ge=0, le=LARGEST)]], Field(min_length=1), AfterValidator(distinct)
]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0)]


class Strict(BaseModel):
    """A model that refuses unknown keys and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class World(Strict):
    """What every world's section has; a world adds its own keys."""

    kind: str = Field("micro", description="which world: a folder below src/reassess/worlds")
    seed: int = Field(2512, ge=0, description="seed of everything random before the cells")
    pool_rows: int = Field(2400, gt=0, description="rows of the training pool, in frozen order")
    probe_items: int = Field(
        100, gt=0, description="held-out items scored during training; in no benchmark"
    )
    bases: int = Field(
        1,
        gt=0,
        le=1000,
        description="base checkpoints a model; seed s starts from base (s - 1) mod bases + 1",
        exclude_if=lambda bases: bases == 1,
    )


class Model(Strict):
    """What every backbone has; a world adds its own keys."""

    family: Name = Field(description="models of a family share tokenizer, template and teacher")
    tier: Literal["weak", "strong"] = Field(
        description="which side of the capacity question it stands on"
    )


class Distribution(Strict):
    """What every source of traces has; a world adds its own keys."""

    source: str = Field(
        description="`teacher`: rejection-sampled from a teacher; else as the world says"
    )
    samples: int = Field(
        4,
        gt=0,
        description="teacher: completions sampled a prompt; the shortest correct one is kept",
    )
    temperature: Rate = Field(1.0, description="teacher: sampling temperature")
    max_new_tokens: int = Field(80, gt=0, description="teacher: token budget of a sample")
    shards: int = Field(
        1,
        gt=0,
        description="teacher: jobs that the prompts are divided among; a finished shard is kept",
    )


class Evaluation(Strict):
    """One protocol for all arms."""

    benchmarks: Names = Field(
        default=["iid", "jitter", "dense", "combo", "large", "text"],
        min_length=1,
        description="names of benchmark files",
    )
    folders: list[Place] = Field(
        default_factory=list,
        description="folders with further benchmark files, relative to this file",
    )
    max_new_tokens: int = Field(
        80, gt=0, description="token budget of a completion; the foreign style needs 80"
    )
    batch_size: int = Field(100, gt=0, description="items decoded together; greedy")
    samples: int = Field(
        0,
        ge=0,
        description=(
            "further sampled completions an item, scored apart: their mean and pass@k; 0: none"
        ),
    )
    sample_temperature: Rate = Field(1.0, description="of those samples (ours)")
    judge: Name | None = Field(
        None,
        description=(
            "a name from `models` that judges answers as a second, separate score; null: none"
        ),
    )


class Study(Strict):
    """A slice of the grid: every combination of its axes is a cell."""

    question: Line = Field(description="what the study asks")
    models: Names = Field(min_length=1, description="names from `models`")
    methods: Names = Field(min_length=1, description="arms: names from `methods`")
    distributions: Names = Field(
        default=["same-family"], min_length=1, description="names from `distributions`"
    )
    sizes: Sizes = Field(default=[2000], min_length=1, description="rows of the pool, nested")
    seeds: Seeds | None = Field(None, description="seeds of this study; default: the grid's")


class Prices(Strict):
    """What an hour costs; manifests then have the price of each job."""

    core_hour: float | None = Field(None, ge=0, description="of a core; null: not known")
    gpu_hour: float | None = Field(
        None, ge=0, description="of a GPU, with the cores beside it if they have no price"
    )
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="of both, as in ISO 4217")


class Config(Strict):
    """A whole grid.

    Each world has a subclass with its own types of world, model and distribution.
    """

    grid: str = Field(
        "micro",
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$",
        description="name; results go to results/<grid>",
    )
    results: Output = Field(
        Path("results"), description="where results are written, relative to the working folder"
    )
    scratch: Output = Field(
        Path("scratch"),
        description="weights, trainer checkpoints, logs; put it on a cluster's scratch",
    )
    checkpoint_minutes: float = Field(
        10, gt=0, description="longest time between two trainer checkpoints: what a kill can cost"
    )
    numerics: Mode = Field(
        "fast",
        description=(
            "portable: the same bits on every x86-64 processor with AVX2, on CPUs only; fast: "
            "kernels of the machine's own"
        ),
        exclude_if=lambda numerics: numerics == "fast",
    )
    prices: Prices | None = Field(
        None,
        description="core_hour, gpu_hour and currency, for prices in manifests; null: no prices",
        exclude_if=lambda prices: prices is None,
    )
    plugins: list[Place] = Field(
        default_factory=list,
        description="folders with further method files, relative to this file",
    )
    claims: list[Place] = Field(
        default_factory=list,
        description="folders with further claims beside the project's own, relative to this file",
    )
    seeds: Seeds = Field(
        default=[1],
        description="seeds of runs: data order and sampling; base (world.bases), rows (row_draws)",
    )
    row_draws: bool = Field(
        False,
        description="each seed draws its own rows, seed 1 the first; false: all train on those",
        exclude_if=lambda drawn: not drawn,
    )
    world: World = Field(
        default_factory=World,
        description="the world: pool, models and benchmarks that belong together",
    )
    models: NamedReadOnly[Model] = Field(min_length=1, description="backbones by name")
    teachers: Named[Name] = Field(
        description="the model whose base each family's teacher continues"
    )
    distributions: NamedReadOnly[Distribution] = Field(
        min_length=1, description="where traces come from"
    )
    evaluation: Evaluation = Field(
        default_factory=Evaluation, description="the evaluation protocol"
    )
    methods: Named[ArmSettings] = Field(
        min_length=1,
        description=(
            "arms: `uses` names the method file (default: the arm's own name); the rest are its "
            "settings"
        ),
    )
    studies: Named[Study] = Field(
        min_length=1, description="slices of the grid, each with its figure"
    )

    @property
    def rates(self) -> Rates | None:
        """The prices, as manifests take them."""
        prices = self.prices
        if prices is None:
            return None
        return Rates(prices.core_hour, prices.gpu_hour, prices.currency)
