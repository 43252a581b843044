"""The micro world's part of the config."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reassess.config.names import Named
from reassess.config.schema import Config, Distribution, Model, Rate, Strict, World


class BaseRecipe(Strict):
    """How the base checkpoints of the micro world are trained, before any post-training."""

    rows: int = Field(
        12000, gt=0, description="stage 1: rows, half with a chain of thought, a quarter text-only"
    )
    steps: int = Field(1000, gt=0, description="stage 1: updates")
    learning_rate: Rate = Field(2e-3, description="stage 1: peak learning rate, cosine to 0")
    direct_rows: int = Field(
        6000, gt=0, description="stage 2 (answer directly): rows, a tenth with a chain of thought"
    )
    direct_steps: int = Field(150, gt=0, description="stage 2: updates")
    direct_learning_rate: Rate = Field(1e-3, description="stage 2: peak learning rate")


class TeacherRecipe(Strict):
    """How a family's teacher is trained: its strongest base, further, on chains of thought only."""

    rows: int = Field(
        6000, gt=0, description="rows, all with a chain of thought, none of them in the pool"
    )
    steps: int = Field(400, gt=0, description="updates")
    learning_rate: Rate = Field(2e-3, description="peak learning rate, cosine to 0")


class MicroWorld(World):
    """The generated world: sizes of its splits and its recipes. All values are ours."""

    kind: Literal["micro"] = Field(
        "micro", description="which world: a folder below src/reassess/worlds"
    )
    seed: int = Field(2512, ge=0, description="seed of every scene, question and initial weight")
    split_items: int = Field(300, gt=0, description="items of each benchmark")
    main_items: int | None = Field(
        None,
        gt=0,
        description="items of a benchmark that arms are compared on (role main); null: split_items",
        exclude_if=lambda items: items is None,
    )
    base: BaseRecipe = Field(
        default_factory=BaseRecipe, description="recipe of the base checkpoints"
    )
    teacher: TeacherRecipe = Field(
        default_factory=TeacherRecipe, description="recipe of the teachers"
    )


class MicroModel(Model):
    """One backbone, built here."""

    family: Literal["llava", "qwen3-vl"] = Field(
        description="architecture; a family shares a teacher"
    )
    width: int = Field(gt=0, multiple_of=16, description="hidden size")


class MicroDistribution(Distribution):
    """Where the traces of a distribution come from."""

    source: Literal["teacher", "rendered"] = Field(
        description="`teacher`: rejection-sampled from the family's teacher; `rendered`: written "
        "by the world"
    )
    style: Literal["native", "words"] = Field(
        "words", description="rendered: style of the chain of thought"
    )


class MicroConfig(Config):
    """A grid of the micro world."""

    world: MicroWorld = Field(default_factory=MicroWorld, description="the micro world")
    models: Named[MicroModel] = Field(min_length=1, description="backbones by name")
    distributions: Named[MicroDistribution] = Field(
        min_length=1, description="where traces come from"
    )


CONFIG = MicroConfig
