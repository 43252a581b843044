"""How a training job uses its hardware: device, precision, processes, and rows per forward pass.

A layout changes the speed and memory of a job and the last bits of its result, never what it
computes. The rows of an update are those of the settings whatever the layout, and the loss is their
token mean (tests/invariant).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from reassess.core.errors import ReassessError

# accelerate's launcher tells its workers by these what to do; of a user's shell they would decide
# on the precision, which no manifest states.
ACCELERATE = "ACCELERATE_"


@dataclass(frozen=True)
class Layout:
    """How a training job uses its hardware; the defaults are one process on a CPU.

    Attributes:
        device: `cpu` or `cuda`.
        precision: of the arithmetic. Master weights stay float32, since bfloat16 weights would lose
            updates at a learning rate of 1e-6.
        processes: one per GPU.
        sharding: how weights, gradients and optimiser states are spread over the processes; `none`
            keeps a copy in each.
        micro_batch: rows (SFT) or completions (RL) of one forward pass of a process; None: all
            that the process has in an update.
        gradient_checkpointing: recompute activations instead of keeping them, in language model
            and tower.
        attention: implementation, as transformers names it.
        rollouts: engine of rollouts.
        vllm_mode: inside the training processes, or as a separate server.
        vllm_memory: share of a GPU's memory for a colocated vLLM.
        engine_memory: the same for a vLLM that has the GPU to itself (traces and evaluation).
        checkpoint_minutes: longest time between two trainer checkpoints.
    """

    device: Literal["cpu", "cuda"] = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
    processes: int = 1
    sharding: Literal["none", "fsdp", "zero3"] = "none"
    micro_batch: int | None = None
    gradient_checkpointing: bool = False
    attention: str = "sdpa"
    rollouts: Literal["hf", "vllm"] = "hf"
    vllm_mode: Literal["colocate", "server"] = "colocate"
    vllm_memory: float = 0.3
    engine_memory: float = 0.9
    checkpoint_minutes: float = 10.0

    def split(self, rows: int) -> tuple[int, int]:
        """Rows of a forward pass and accumulation steps, for `rows` in an update of all processes.

        Raises:
            ReassessError: the rows cannot be divided evenly.
        """
        if rows % self.processes:
            raise ReassessError(
                f"{rows} rows an update cannot be divided among {self.processes} processes"
            )
        own = rows // self.processes
        once = min(self.micro_batch or own, own)
        if own % once:
            raise ReassessError(
                f"{own} rows of a process cannot be divided into micro-batches of {once}; choose a "
                "divisor"
            )
        return once, own // once

    def halved(self, rows: int) -> Layout:
        """The layout with at most half the rows in a forward pass and as many in an update.

        Raises:
            ReassessError: a forward pass has one row already.
        """
        once, accumulation = self.split(rows)
        if once == 1:
            raise ReassessError(
                "one row at a time does not fit into memory: set gradient_checkpointing, "
                "freeze_vision or lora_rank, lower world.pixels.largest or the token budget, or "
                "give the model more GPUs with sharding"
            )
        smaller = max(
            count for count in range(1, once // 2 + 1) if once * accumulation % count == 0
        )
        return replace(self, micro_batch=smaller)

    def rollout_arguments(self) -> dict[str, str | float | bool]:
        """TRL's arguments that select the engine of rollouts; none if transformers generates.

        The importance ratio between engine and trainer is bounded token by token: over a whole
        long completion rounding alone exceeds the bound, and the completion would be masked.
        """
        if self.rollouts == "hf":
            return {}
        return {
            "use_vllm": True,
            "vllm_mode": self.vllm_mode,
            "vllm_gpu_memory_utilization": self.vllm_memory,
            "vllm_enable_sleep_mode": self.vllm_mode == "colocate",
            "vllm_importance_sampling_mode": "token_truncate",
            "vllm_importance_sampling_clip_max": 3.0,
        }

    def arguments(self) -> dict[str, str | bool]:
        """The training arguments of transformers that follow from the layout.

        Where no launcher has started this process, accelerate's variables are removed from its
        environment: what follows from the layout follows from nothing else.
        """
        if self.processes == 1:
            for name in {*os.environ} - {*without_accelerate(os.environ)}:
                del os.environ[name]
        return {
            "use_cpu": self.device == "cpu",
            "bf16": self.precision == "bfloat16",
            "gradient_checkpointing": self.gradient_checkpointing,
            **({"ddp_backend": "gloo"} if self.device == "cpu" and self.processes > 1 else {}),
        }


def without_accelerate(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without accelerate's variables."""
    return {name: value for name, value in environment.items() if not name.startswith(ACCELERATE)}
