"""What sharded models need so as not to go wrong without a word: one group for norm and head, and whole weights to save."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def rank() -> int:
    """Return the number of this process in its job; 0 where there is one."""
    return (
        torch.distributed.get_rank()
        if torch.distributed.is_available() and torch.distributed.is_initialized()
        else 0
    )


def wait_for_all() -> None:
    """Wait until all processes of the job are here."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()


def whole_state(model: nn.Module) -> dict[str, Tensor] | None:
    """Return the unsharded weights of a sharded model on the CPU, None if it is not sharded. All processes must call it.

    Only process 0 of an FSDP job gets them; the others get an empty dictionary.
    """
    parameters = dict(model.named_parameters())
    if any(isinstance(one, torch.distributed.tensor.DTensor) for one in parameters.values()):
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

        found: dict[str, Tensor] = get_model_state_dict(
            model, options=StateDictOptions(full_state_dict=True, cpu_offload=True)
        )
    elif any(hasattr(one, "ds_id") for one in parameters.values()):
        from deepspeed.zero import GatheredParameters

        found = {}
        for name, one in parameters.items():
            with GatheredParameters([one]):
                if rank() == 0:
                    found[name] = one.detach().cpu().clone()
        found |= {
            name: buffer.cpu()
            for name, buffer in model.state_dict().items()
            if name not in parameters
        }
    else:
        return None
    if getattr(model.config.get_text_config(), "tie_word_embeddings", False):
        for name in getattr(model, "_tied_weights_keys", None) or ():
            found.pop(name, None)
    return found
