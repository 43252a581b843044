"""Cold start: GRPO from the same cell's SFT checkpoint."""

from pydantic import Field

from reassess.methods.grpo import Grpo
from reassess.training.rl_settings import RlSettings


class SftGrpoSettings(RlSettings):
    """GRPO's settings, from another start."""

    start: str = Field(
        "sft",
        description="the cold start: the same cell's SFT checkpoint (arXiv 2512.12690, finding 7)",
    )


class SftGrpo(Grpo):
    """SFT first, then GRPO on the same prompts."""

    name = "sft-grpo"
    citation = "arXiv 2512.12690: cold start before GRPO"
    deviations = (
        "the cold start uses the same rows and as many updates as the `sft` arm; the paper's "
        "cold-start recipe is not known",
        *Grpo.deviations,
    )
    Settings = SftGrpoSettings
