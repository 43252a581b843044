"""The hub world's part of the config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from reassess.config import Config, Distribution, Model, Names, Share, Strict, World

HubName = Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]


class Pixels(Strict):
    """One pixel budget for training, rollouts and evaluation; written into every base checkpoint's preprocessor config."""

    smallest: int = Field(3136, gt=0, description="pixels; smaller pictures are enlarged (the checkpoints' own value)")
    largest: int = Field(262144, gt=0, description="pixels; larger pictures are reduced (LLaMA-Factory's example: 262144)")

    @model_validator(mode="after")
    def _in_order(self) -> Pixels:
        if self.smallest > self.largest:
            raise ValueError(f"smallest ({self.smallest}) is above largest ({self.largest})")
        return self


class Prompt(Strict):
    """The one prompt of all arms. `{question}` and `{options}` are filled in; options come a line each."""

    system: str = Field("", description="system turn; empty: the template's own")
    question: str = Field("{question}", description="a free question")
    choice: str = Field("{question}\n{options}", description="a question with options")
    suffix: str = Field(
        "\nFirst think step by step inside <think> </think>, then give the final answer inside \\boxed{}."
        " For a question with options put only the option's letter there.",
        description="after the question (ours; the layout is EasyR1's: a thought in tags, then a box)",
    )


class HubWorld(World):
    """Public data sets, models and benchmarks."""

    kind: Literal["hub"] = Field(description="which world: a folder below src/reassess/worlds")
    pins: Path = Field(Path("config/pins.yaml"), description="commits of models and data sets; `reassess pin` writes it")
    cache: Path | None = Field(None, description="folder of the hub cache; null: where the hub's client keeps it")
    stand_in: bool = Field(False, description="make tiny repositories of the same names and layouts here instead of downloading")
    sources: Names = Field(min_length=1, description="adapter files below worlds/hub/sources whose rows make the pool")
    pixels: Pixels = Field(default_factory=Pixels, description="pixel budget")
    prompt: Prompt = Field(default_factory=Prompt, description="prompt")
    max_prompt_tokens: int = Field(2048, gt=0, description="longer prompts are dropped from the pool, never cut (EasyR1: 2048)")
    ngram: int = Field(13, gt=1, description="words; a row that shares so long a run with a benchmark question is dropped (ours)")
    image_distance: int = Field(10, ge=0, le=256, description="bits of 256; pictures nearer than this count as the same (ours)")
    benchmark_items: int | None = Field(None, gt=0, description="only the first items of each benchmark; null: all")
    workers: int = Field(2, gt=0, description="processes that decode pictures while the pool is built")


class HubModel(Model):
    """One public checkpoint."""

    hub: HubName = Field(description="name on the hub; its commit stands in the pins")
    gpus: int = Field(1, ge=0, description="GPUs of a training job")
    micro_batch: int = Field(1, gt=0, description="rows, or completions, a GPU works on at once")
    sharding: Literal["none", "fsdp", "zero3"] = Field("none", description="how states are spread over the GPUs of a job")


class HubDistribution(Distribution):
    """Where the traces of a distribution come from."""

    source: Literal["teacher", "adapter"] = Field(
        description="`teacher`: rejection-sampled on the pool; `adapter`: a public set with its own questions and traces"
    )
    teacher: str | None = Field(None, description="teacher: the model that is sampled; null: the family's")
    adapter: str | None = Field(None, description="adapter: name of the file below worlds/hub/sources")

    @model_validator(mode="after")
    def _has_its_own(self) -> HubDistribution:
        if self.source == "adapter" and self.adapter is None:
            raise ValueError("source `adapter` needs the key `adapter`")
        return self


class Execution(Strict):
    """The hardware and engines of this grid's jobs."""

    device: Literal["cpu", "cuda"] = Field("cuda", description="where models run")
    precision: Literal["float32", "bfloat16"] = Field("bfloat16", description="of the arithmetic; master weights stay float32")
    gradient_checkpointing: bool = Field(True, description="compute activations again instead of keeping them")
    attention: Literal["eager", "sdpa", "flash_attention_2"] = Field("sdpa", description="implementation; the same in all arms")
    rollouts: Literal["hf", "vllm"] = Field("vllm", description="engine of rollouts, traces and evaluation")
    vllm_mode: Literal["colocate", "server"] = Field("colocate", description="vLLM inside the training processes, or its own")
    vllm_memory: Share = Field(0.3, description="share of a GPU's memory for a colocated vLLM (TRL: 0.3)")


class HubConfig(Config):
    """A grid of the hub world."""

    world: HubWorld = Field(description="the hub world")
    models: dict[str, HubModel] = Field(min_length=1, description="backbones and teachers by name")
    distributions: dict[str, HubDistribution] = Field(min_length=1, description="where traces come from")
    execution: Execution = Field(default_factory=Execution, description="hardware and engines")


CONFIG = HubConfig
