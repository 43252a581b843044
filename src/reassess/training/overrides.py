"""Private methods and attributes of the trainers of TRL and transformers that ours rely on.

They may be renamed by any release. A method that is no longer called under its old name would
silently stop overriding, so the modules that override check their base class when imported.
"""

from __future__ import annotations

from importlib.metadata import version
from inspect import unwrap
from types import FunctionType
from typing import NamedTuple

from reassess.core.errors import ReassessError


class Private(NamedTuple):
    """What is used of a class: overridden or called methods, and attributes read or set."""

    package: str
    methods: tuple[str, ...]
    attributes: tuple[str, ...]


OVERRIDDEN = {
    "GRPOTrainer": Private(
        package="trl",
        methods=(
            "_tokenize_prompts",
            "_generate_single_turn",
            "_generate_and_score_completions",
            "_compute_loss",
            "_get_per_token_logps_and_entropies",
        ),
        attributes=(
            "_metrics",
            "_tokenizer",
            "num_generations",
            "temperature",
            "use_vllm",
            "vllm_generation",
        ),
    ),
    "Trainer": Private(
        package="transformers",
        methods=(
            "_load_from_checkpoint",
            "_get_train_sampler",
            "compute_loss",
            "floating_point_ops",
            "training_step",
        ),
        attributes=("is_deepspeed_enabled", "is_fsdp_enabled", "model_accepts_loss_kwargs"),
    ),
}


def require(stock: type) -> None:
    """Check that a trainer class still has what `OVERRIDDEN` lists under its name.

    Raises:
        ReassessError: something is missing; names the package, its version, and what is missing.
    """
    private = OVERRIDDEN[stock.__name__]
    missing = [name for name in private.methods if not callable(getattr(stock, name, None))]
    missing += sorted(set(private.attributes) - _names_used_in(stock))
    if missing:
        raise ReassessError(
            f"{private.package} {version(private.package)}: {stock.__name__} has no "
            f"{', '.join(missing)}, which reassess.training overrides or reads; install the "
            "version that the lock file names"
        )


def _names_used_in(stock: type) -> set[str]:
    """The names that methods of a class and its bases use, attributes of `self` among them."""
    functions = (
        unwrap(value)
        for base in stock.__mro__
        for value in vars(base).values()
        if isinstance(value, FunctionType)
    )
    return {name for function in functions for name in function.__code__.co_names}
