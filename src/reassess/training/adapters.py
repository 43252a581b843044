"""LoRA: low-rank adapters in the language model's layers (arXiv 2106.09685), merged into the weights when a run is over."""

from __future__ import annotations

from typing import Any

TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
ALPHA = 2  # times the rank: LLaMA-Factory's default


def add_adapters(model: Any, rank: int, seed: int) -> Any:
    """Return the model with adapters of `rank` in every linear layer of its language model; nothing else trains."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)  # the adapters' first factors are drawn
    return get_peft_model(
        model, LoraConfig(r=rank, lora_alpha=ALPHA * rank, lora_dropout=0.0, target_modules=TARGETS)
    )


def bare(model: Any) -> Any:
    """Return the model below the wrapper that adapters bring; the model itself where there is none."""
    return model.get_base_model() if has_adapters(model) else model


def has_adapters(model: Any) -> bool:
    """Return whether adapters were added to the model."""
    return hasattr(model, "get_base_model")


def merged(model: Any) -> Any:
    """Return the model with its adapters added into its weights; the model itself where there are none."""
    return model.merge_and_unload() if has_adapters(model) else model
