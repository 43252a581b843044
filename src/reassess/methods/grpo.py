"""Group relative policy optimisation, as one `train_grpo` call.

reassess job train --cell llava-w64/same-family/200/grpo/seed1
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from reassess.methods import Method
from reassess.training.history import Outcome
from reassess.training.rl_settings import RlSettings
from reassess.training.settings import MethodSettings

if TYPE_CHECKING:
    from reassess.training.rl import GrpoOptions
    from reassess.training.run import TrainingRun


class Grpo(Method[RlSettings]):
    """Advantages within the completions of a prompt, clipped ratio, no value model (TRL's
    `GRPOTrainer`).
    """

    name = "grpo"
    kind = "rl"
    citation = "arXiv 2402.03300"
    deviations: ClassVar[Sequence[str]] = (
        "no KL term by default (TRL's default); the paper's coefficient is not known",
        "a fixed number of updates for every data size, where the paper trains 2 epochs; histories "
        "allow both readings",
    )
    Settings: ClassVar[type[MethodSettings]] = RlSettings

    def fit(self, run: "TrainingRun") -> Outcome:
        """Train on the cell's prompts."""
        from reassess.training.rl import train_grpo

        return train_grpo(
            run.model,
            run.processor,
            run.rows,
            run.items,
            self.settings,
            order_seed=run.order_seed,
            sampling_seed=run.sampling_seed,
            work=run.work,
            probe=run.probe,
            layout=run.layout,
            **self.options(),
        )

    def options(self) -> "GrpoOptions":
        """Further arguments of `train_grpo`: what a variant changes beyond its settings."""
        return {}
