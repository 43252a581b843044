"""Control: GRPO on the format reward alone."""

from pydantic import Field

from reassess.methods.grpo import Grpo
from reassess.training.rl_settings import RlSettings


class FormatRewardSettings(RlSettings):
    """GRPO's settings with a reward that never looks at the answer."""

    format_weight: float = Field(
        1.0, ge=1, le=1, description="the whole reward is format; that is what makes it a control"
    )


class FormatReward(Grpo):
    """What RL brings when a completion's shape is rewarded and its answer is not."""

    name = "format-reward"
    citation = "ours: a control"
    deviations = ("accuracy is logged along the run but carries no weight",)
    Settings = FormatRewardSettings
