"""Loading and saving checkpoints: offline, safetensors only, with errors that name the file."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from reassess.core.errors import ReassessError
from reassess.core.files import set_usual_modes

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin

Model: TypeAlias = "PreTrainedModel"  # an image-text model
Processor: TypeAlias = "ProcessorMixin"
Tokenizer: TypeAlias = "PreTrainedTokenizerBase"


def quiet() -> None:
    """Switch off network, telemetry, progress bars and advice, before libraries are imported."""
    for name in (
        "HF_HUB_OFFLINE",
        "HF_DATASETS_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "HF_HUB_DISABLE_TELEMETRY",
        "DO_NOT_TRACK",
    ):
        os.environ[name] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Matrix products on a GPU are deterministic with this workspace.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # transformers renames its own arguments; TRL still passes the old names.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\..*")


def check_checkpoint(folder: Path) -> None:
    """Check that a checkpoint folder is complete.

    Raises:
        ReassessError: the folder, its config, its weights or a shard is missing, or the index names
            a file elsewhere; names it.
    """
    if not (folder / "config.json").is_file():
        raise ReassessError(
            f"no checkpoint in {folder} (config.json is missing); rerun the job that makes it"
        )
    index = folder / "model.safetensors.index.json"
    names = (
        set(json.loads(index.read_text())["weight_map"].values())
        if index.is_file()
        else {"model.safetensors"}
    )
    elsewhere = sorted(name for name in names if Path(name).name != name)
    if elsewhere:
        raise ReassessError(
            f"{index} names weights that are not in its folder: {', '.join(elsewhere)}; delete the "
            "folder and rerun to make it again"
        )
    missing = sorted(name for name in names if not (folder / name).is_file())
    if missing:
        raise ReassessError(
            f"checkpoint {folder} lacks {', '.join(missing)}; delete the folder and rerun to make "
            "it again"
        )


def load_processor(folder: Path) -> Processor:
    """The processor saved in a checkpoint folder.

    Raises:
        ReassessError: the checkpoint is incomplete.
    """
    quiet()
    from transformers import AutoProcessor

    check_checkpoint(folder)
    return AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def load_model(folder: Path, attention: str = "sdpa") -> Model:
    """The image-text model saved in a checkpoint folder, in float32.

    Raises:
        ReassessError: the checkpoint is incomplete or damaged.
    """
    quiet()
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForImageTextToText

    check_checkpoint(folder)
    try:
        return AutoModelForImageTextToText.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            attn_implementation=attention,
        )
    except SafetensorError as error:
        raise ReassessError(
            f"the weights in {folder} are damaged ({error}); delete the folder and rerun"
        ) from error


def freeze_vision(model: Model) -> None:
    """Freeze vision tower and merger. The language model's backward pass costs as much as before.

    Raises:
        ReassessError: the model has no tower under any name known here.
    """
    inner = getattr(model, "base_model", model)
    towers = [
        part
        for name in ("visual", "vision_tower", "multi_modal_projector")
        if (part := getattr(inner, name, None)) is not None
    ]
    if not towers:
        raise ReassessError(
            f"{type(model).__name__} has no vision tower under a known name; freeze_vision cannot "
            "be met"
        )
    for tower in towers:
        tower.requires_grad_(False)


def save_checkpoint(
    model: Model, processor: Processor, folder: Path, precision: str | None = None
) -> None:
    """Write model and processor so that the folder appears complete or not at all.

    All processes of a job must call it; the first one writes.

    Args:
        model: image-text model, sharded or not.
        processor: its processor.
        folder: where to write; replaced if it exists.
        precision: stated in the config for engines that read the folder; the weights are written
            as they are.

    Raises:
        ReassessError: the folder cannot be written; names it.
    """
    from reassess.training.sharding import rank, wait_for_all, whole_state

    state = whole_state(model)
    if rank() != 0:
        wait_for_all()
        return
    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        model.save_pretrained(temporary, **({} if state is None else {"state_dict": state}))
        processor.save_pretrained(temporary)
        if precision is not None:
            config = temporary / "config.json"
            config.write_text(
                json.dumps({**json.loads(config.read_text()), "dtype": precision}, indent=2) + "\n"
            )
        set_usual_modes(temporary)  # safetensors writes files that only their owner can read
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except OSError as error:
        raise ReassessError(
            f"cannot write checkpoint {folder}: {error.strerror or error}"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    wait_for_all()
