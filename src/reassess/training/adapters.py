"""LoRA (arXiv 2106.09685): low-rank adapters in the language model, merged when a run is over."""

from __future__ import annotations

from reassess.training.loading import Model

TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
ALPHA = 2  # times the rank: LLaMA-Factory's default


def add_adapters(model: Model, rank: int, seed: int) -> Model:
    """The model with adapters of `rank` in every linear layer of its language model.

    Nothing else trains. The seed decides the adapters' first factors.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    return get_peft_model(
        model, LoraConfig(r=rank, lora_alpha=ALPHA * rank, lora_dropout=0.0, target_modules=TARGETS)
    )


def bare(model: Model) -> Model:
    """The model below the wrapper that adapters bring; the model itself if there is none."""
    return model.get_base_model() if has_adapters(model) else model


def has_adapters(model: Model) -> bool:
    """Whether adapters were added to the model."""
    return hasattr(model, "get_base_model")


def merged(model: Model) -> Model:
    """The model with its adapters added into its weights; the model itself if there are none."""
    return model.merge_and_unload() if has_adapters(model) else model
