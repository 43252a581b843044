"""DAPO: GRPO with four changes. TRL ships three; the fourth, dynamic sampling of groups, is in
`reassess.training.dynamic_sampling`.

reassess job train --cell llava-w64/same-family/2000/dapo/seed1
"""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reassess.methods.grpo import Grpo
from reassess.training.rl_settings import RlSettings

if TYPE_CHECKING:
    from reassess.training.rl import GrpoOptions


class DapoSettings(RlSettings):
    """The settings that make GRPO into DAPO, with the paper's values where it gives them."""

    epsilon_high: float | None = Field(
        0.28, gt=0, description="clip-higher (arXiv 2503.14476, section 3.1)"
    )
    loss_type: Literal["dapo"] = Field("dapo", description="token-level loss (section 3.3)")
    mask_truncated_completions: bool = Field(True, description="overlong filtering (section 3.4)")
    overlong_cache: int = Field(
        8,
        ge=0,
        description="tokens before the budget in which the overlong penalty grows (ours; 3.4)",
    )
    format_weight: float = Field(
        0.1,
        ge=0,
        le=1,
        description="share of the format reward; DAPO itself has none (EasyR1: 0.1)",
    )
    resample_rounds: int = Field(
        2,
        ge=0,
        description="generation batches drawn to refill groups without variance (ours; 3.2)",
    )


class Dapo(Grpo):
    """Decoupled clip and dynamic sampling policy optimisation."""

    name = "dapo"
    citation = "arXiv 2503.14476"
    deviations = (
        "groups without variance are replaced by groups of further prompts, in at most "
        "`resample_rounds` rounds; the paper draws until the batch is full",
        "a small format reward is kept, as in the other RL arms, so that arms differ in the "
        "algorithm alone",
        *Grpo.deviations,
    )
    Settings = DapoSettings
    settings: DapoSettings

    def options(self) -> "GrpoOptions":
        """The dynamic-sampling trainer and the soft overlong penalty."""
        from trl.rewards import get_soft_overlong_punishment

        from reassess.training.dynamic_sampling import dynamic_sampling_trainer

        budget, cache = self.settings.max_completion_length, self.settings.overlong_cache
        return {
            "trainer_class": dynamic_sampling_trainer(self.settings.resample_rounds),
            "extra_rewards": [get_soft_overlong_punishment(budget, cache)] if cache else [],
        }
