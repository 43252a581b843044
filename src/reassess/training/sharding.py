"""Processes of a job: their rank, a barrier, and the whole weights of a sharded model."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def rank() -> int:
    """The number of this process in its job; 0 if it is alone."""
    return (
        torch.distributed.get_rank()
        if torch.distributed.is_available() and torch.distributed.is_initialized()
        else 0
    )


def wait_for_all() -> None:
    """Wait until all processes of the job have called this."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()


def whole_state(model: nn.Module) -> dict[str, Tensor] | None:
    """The unsharded weights of a sharded model, on the CPU; None if it is not sharded.

    All processes must call it. Only process 0 gets all weights; the others ignore what they get.
    """
    parameters = dict(model.named_parameters())
    if any(
        isinstance(parameter, torch.distributed.tensor.DTensor) for parameter in parameters.values()
    ):
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

        state: dict[str, Tensor] = get_model_state_dict(
            model, options=StateDictOptions(full_state_dict=True, cpu_offload=True)
        )
    elif any(hasattr(parameter, "ds_id") for parameter in parameters.values()):
        from deepspeed.zero import GatheredParameters

        state = {}
        for name, parameter in parameters.items():
            with GatheredParameters([parameter]):
                if rank() == 0:
                    state[name] = parameter.detach().cpu().clone()
        state |= {
            name: buffer.cpu()
            for name, buffer in model.state_dict().items()
            if name not in parameters
        }
    else:
        return None
    if getattr(model.config.get_text_config(), "tie_word_embeddings", False):
        for name in getattr(model, "_tied_weights_keys", None) or ():
            state.pop(name, None)
    return state
