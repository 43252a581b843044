"""The hub world's part of the config."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from reassess.config.names import Line, Name, Named, Names, Place, Repository
from reassess.config.schema import Config, Distribution, Model, Rate, Share, Strict, World


class Pixels(Strict):
    """One pixel budget for training, rollouts and evaluation.

    It is written into the preprocessor config of every base checkpoint.
    """

    smallest: int = Field(
        3136, gt=0, description="pixels; smaller images are enlarged (the checkpoints' own value)"
    )
    largest: int = Field(
        262144,
        gt=0,
        description="pixels; larger images are reduced (LLaMA-Factory's example: 262144)",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Pixels:
        if self.smallest > self.largest:
            raise ValueError(f"smallest ({self.smallest}) is above largest ({self.largest})")
        return self


class Prompt(Strict):
    """The one prompt of all arms.

    `{question}` and `{options}` are filled in, each option on a line of its own.
    """

    system: str = Field("", description="system turn; empty: the template's own")
    question: str = Field("{question}", description="a free question")
    choice: str = Field("{question}\n{options}", description="a question with options")
    suffix: str = Field(
        "\nFirst think step by step inside <think> </think>, then give the final answer inside "
        "\\boxed{}. For a question with options put only the option's letter there.",
        description="after the question (ours; the layout is EasyR1's: a thought in tags, then a "
        "box)",
    )


class HubWorld(World):
    """Public data sets, models and benchmarks."""

    kind: Literal["hub"] = Field(description="which world: a folder below src/reassess/worlds")
    pins: Place = Field(
        Path("config/pins.yaml"),
        description="file with the commits of models and data sets; `reassess pin` writes it",
    )
    cache: Place | None = Field(
        None, description="folder of the hub cache; null: the default of the hub's client"
    )
    stand_in: bool = Field(
        False,
        description="make tiny repositories of the same names and layouts instead of downloading",
    )
    sources: Names = Field(
        min_length=1,
        description="adapter files below worlds/hub/sources whose rows make up the pool",
    )
    pixels: Pixels = Field(default_factory=Pixels, description="pixel budget")
    prompt: Prompt = Field(default_factory=Prompt, description="prompt")
    max_prompt_tokens: int = Field(
        2048,
        gt=0,
        description="longer prompts are dropped from the pool, never truncated (EasyR1: 2048)",
    )
    ngram: int = Field(
        13,
        gt=1,
        description="words; a row that shares a run of this length with a benchmark question is "
        "dropped (ours)",
    )
    image_distance: int | None = Field(
        None,
        ge=0,
        le=256,
        exclude_if=lambda distance: distance is None,
        description="of earlier versions, whose bundles state it: bits of a picture's hash; no "
        "pool is built with it",
    )
    benchmark_items: int | None = Field(
        None, gt=0, description="only the first items of each benchmark; null: all"
    )
    workers: int = Field(
        2, gt=0, description="processes that decode images and check answers for the pool"
    )


class HubModel(Model):
    """One public checkpoint."""

    hub: Repository = Field(description="name on the hub; its commit is in the pins")
    gpus: int = Field(1, ge=0, description="GPUs of a training job")
    micro_batch: int = Field(
        1, gt=0, description="rows, or completions, that a GPU processes at once"
    )
    sharding: Literal["none", "fsdp", "zero3"] = Field(
        "none", description="how states are distributed over the GPUs of a job"
    )


class HubDistribution(Distribution):
    """Where the traces of a distribution come from."""

    source: Literal["teacher", "adapter"] = Field(
        description="`teacher`: rejection-sampled on the pool; `adapter`: a public set with its "
        "own questions and traces"
    )
    teacher: Name | None = Field(
        None, description="teacher: the model that is sampled; null: the family's teacher"
    )
    adapter: Name | None = Field(
        None, description="adapter: name of the file below worlds/hub/sources"
    )

    @model_validator(mode="after")
    def _has_its_own(self) -> HubDistribution:
        if self.source == "adapter" and self.adapter is None:
            raise ValueError("source `adapter` needs the key `adapter`")
        return self


class Execution(Strict):
    """The hardware and engines of this grid's jobs."""

    device: Literal["cpu", "cuda"] = Field("cuda", description="where models run")
    precision: Literal["float32", "bfloat16"] = Field(
        "bfloat16", description="of the arithmetic; master weights stay float32"
    )
    gradient_checkpointing: bool = Field(
        True, description="recompute activations instead of keeping them"
    )
    attention: Literal["eager", "sdpa", "flash_attention_2"] = Field(
        "sdpa", description="implementation; the same in all arms"
    )
    rollouts: Literal["hf", "vllm"] = Field(
        "vllm", description="engine of rollouts, traces and evaluation"
    )
    vllm_mode: Literal["colocate", "server"] = Field(
        "colocate", description="vLLM inside the training processes, or its own"
    )
    vllm_memory: Share = Field(
        0.3, description="share of a GPU's memory for a colocated vLLM (TRL: 0.3)"
    )
    engine_memory: Share = Field(
        0.9, description="the same for traces and evaluation, where vLLM has the GPU to itself"
    )


class Costs(Strict):
    """What an estimate of cost is based on.

    Published rates are named; the others are our assumptions.
    """

    price: float = Field(2.5, ge=0, description="of a GPU-hour, in `currency` (ours; use your own)")
    currency: Line = Field("USD", description="of the price")
    peak_tflops: float = Field(
        989, gt=0, description="dense bfloat16 peak of a GPU (H100 and H200)"
    )
    gpu_gb: float = Field(80, gt=0, description="memory of a GPU")
    text_tokens: int = Field(150, ge=0, description="of a prompt (ours)")
    visual_tokens: int = Field(300, ge=0, description="of an image under the pixel budget (ours)")
    trace_tokens: int = Field(350, gt=0, description="of a trace (ours)")
    rollout_tokens: int = Field(
        325,
        gt=0,
        description="of a rollout (EasyR1's published runs have about 700 tokens a sequence)",
    )
    answer_tokens: int = Field(400, gt=0, description="of an answer in evaluation (ours)")
    sft_mfu: Rate = Field(
        0.25,
        description="share of the peak that SFT reaches, of 1 (ours: usual for padded batches with "
        "images)",
    )
    rl_mfu_small: Rate = Field(
        0.037,
        description="training FLOPs over the whole RL step, of 1 (from EasyR1's 3B run, 8 H100)",
    )
    rl_mfu_large: Rate = Field(0.074, description="the same for 7B (from EasyR1's 7B run, 8 H100)")
    small_parameters: Rate = Field(5e9, description="smaller models use `rl_mfu_small`")
    resampling: float = Field(
        0.5, ge=0, description="extra rollouts of dynamic sampling, as a share (ours)"
    )
    engine_tokens_7b: Rate = Field(
        2500, description="tokens a second and GPU that vLLM generates with a 7B model (ours)"
    )
    startup_minutes: float = Field(3, ge=0, description="of a job, on every one of its GPUs (ours)")
    data_set_gb: float = Field(
        1, ge=0, description="size of a data set whose files have not been looked up (ours)"
    )
    benchmark_items: Named[int] = Field(
        default={
            "mathvista": 1000,
            "mathverse": 3940,
            "mathvision": 3040,
            "mmmu": 900,
            "mmstar": 1500,
            "logicvista": 447,
            "wemath": 1740,
            "dynamath": 5010,
            "math500": 500,
            "gsm8k": 1319,
            "gpqa_diamond": 198,
        },
        description="items of benchmarks, as published; a benchmark that is not listed states them "
        "in its own file (metadata.items)",
    )
    other_benchmark_items: int = Field(
        1000, gt=0, description="items of a benchmark whose size is stated nowhere"
    )


class HubConfig(Config):
    """A grid of the hub world."""

    world: HubWorld = Field(description="the hub world")
    models: Named[HubModel] = Field(min_length=1, description="backbones and teachers by name")
    distributions: Named[HubDistribution] = Field(
        min_length=1, description="where traces come from"
    )
    costs: Costs = Field(default_factory=Costs, description="what an estimate of cost is based on")
    execution: Execution = Field(default_factory=Execution, description="hardware and engines")


CONFIG = HubConfig
