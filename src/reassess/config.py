"""The typed config: what a grid is made of. Its JSON schema and the documented default are generated from these models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from reassess.config_errors import explain
from reassess.config_file import read_config_file
from reassess.errors import ReassessError


def _distinct(values: list[Any]) -> list[Any]:
    repeated = sorted({str(value) for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"duplicate: {', '.join(repeated)}")
    return values


Names = Annotated[list[str], AfterValidator(_distinct)]
Sizes = Annotated[list[Annotated[int, Field(gt=0)]], AfterValidator(_distinct)]
Seeds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), AfterValidator(_distinct)]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0)]


class Strict(BaseModel):
    """A model that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BaseRecipe(Strict):
    """How the base checkpoints of the micro world are made, before any post-training."""

    rows: int = Field(12000, gt=0, description="stage 1: rows, half with a chain of thought, a quarter text-only")
    steps: int = Field(1000, gt=0, description="stage 1: updates")
    learning_rate: Rate = Field(2e-3, description="stage 1: peak learning rate, cosine to 0")
    direct_rows: int = Field(6000, gt=0, description="stage 2 (answer directly): rows, a tenth with a chain of thought")
    direct_steps: int = Field(150, gt=0, description="stage 2: updates")
    direct_learning_rate: Rate = Field(1e-3, description="stage 2: peak learning rate")


class TeacherRecipe(Strict):
    """How a family's teacher is made: its strongest base, trained further on chains of thought only."""

    rows: int = Field(6000, gt=0, description="rows, all with a chain of thought, none of them in the pool")
    steps: int = Field(400, gt=0, description="updates")
    learning_rate: Rate = Field(2e-3, description="peak learning rate, cosine to 0")


class MicroWorld(Strict):
    """The generated world: sizes of its splits and its recipes. All values are ours."""

    seed: int = Field(2512, ge=0, description="seed of every scene, question and initial weight")
    pool_rows: int = Field(2400, gt=0, description="rows of the training pool, in frozen order")
    split_items: int = Field(300, gt=0, description="items of each benchmark")
    probe_items: int = Field(100, gt=0, description="held-out items scored during training; in no benchmark")
    base: BaseRecipe = Field(default_factory=BaseRecipe, description="recipe of the base checkpoints")
    teacher: TeacherRecipe = Field(default_factory=TeacherRecipe, description="recipe of the teachers")


class Model(Strict):
    """One backbone."""

    family: Literal["llava", "qwen3-vl"] = Field(description="architecture; a family shares a teacher")
    width: int = Field(gt=0, multiple_of=16, description="hidden size")
    tier: Literal["weak", "strong"] = Field(description="which side of the capacity question it stands on")


class Distribution(Strict):
    """Where the traces of a distribution come from."""

    source: Literal["teacher", "rendered"] = Field(
        description="`teacher`: rejection-sampled from the family's teacher; `rendered`: written out by the world"
    )
    samples: int = Field(4, gt=0, description="teacher: completions sampled a prompt; the shortest correct one is kept")
    temperature: Rate = Field(1.0, description="teacher: sampling temperature")
    style: Literal["native", "words"] = Field("words", description="rendered: spelling of the chain of thought")


class Evaluation(Strict):
    """One protocol for all arms."""

    benchmarks: Names = Field(
        default=["iid", "jitter", "dense", "combo", "large", "text"], min_length=1, description="names of benchmark files"
    )
    folders: list[Path] = Field(default_factory=list, description="folders with further benchmark files")
    max_new_tokens: int = Field(80, gt=0, description="token budget of a completion; the foreign style needs 80")
    batch_size: int = Field(100, gt=0, description="items decoded together; greedy")


class Study(Strict):
    """A slice of the grid: every combination of its axes is a cell."""

    question: str = Field(description="what the study asks")
    models: Names = Field(min_length=1, description="names from `models`")
    methods: Names = Field(min_length=1, description="arms: names from `methods`")
    distributions: Names = Field(default=["same-family"], min_length=1, description="names from `distributions`")
    sizes: Sizes = Field(default=[2000], min_length=1, description="rows of the pool, nested")
    seeds: Seeds | None = Field(None, description="seeds of this study; default: the grid's")


class Config(Strict):
    """A whole grid."""

    grid: str = Field("micro", pattern=r"^[a-z0-9][a-z0-9-]*$", description="name; results go to results/<grid>")
    results: Path = Field(Path("results"), description="where results are written, relative to the working folder")
    scratch: Path = Field(Path("scratch"), description="weights, trainer checkpoints, logs; put it on a cluster's scratch")
    plugins: list[Path] = Field(default_factory=list, description="folders with further method files")
    seeds: Seeds = Field(default=[1], description="fine-tuning seeds: data order, sampling")
    world: MicroWorld = Field(default_factory=MicroWorld, description="the micro world")
    models: dict[str, Model] = Field(min_length=1, description="backbones by name")
    teachers: dict[str, str] = Field(description="the model whose base each family's teacher continues")
    distributions: dict[str, Distribution] = Field(min_length=1, description="where traces come from")
    evaluation: Evaluation = Field(default_factory=Evaluation, description="the evaluation protocol")
    methods: dict[str, dict[str, Any]] = Field(
        min_length=1,
        description="arms: `uses` names the method file (default: the arm's own name); the rest are its settings",
    )
    studies: dict[str, Study] = Field(min_length=1, description="slices of the grid, each with its figure")


def load_config(path: Path) -> Config:
    """Read, merge (`extends:`) and validate a config file.

    Raises:
        ReassessError: names the file, the key, the value found, what is allowed and the nearest valid name.
    """
    raw = read_config_file(path)
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise ReassessError(explain(error, path, Config)) from error
