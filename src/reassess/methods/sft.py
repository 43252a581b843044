"""Supervised fine-tuning on traces, as one `train_sft` call.

reassess job train --cell llava-w64/same-family/200/sft/seed1
"""

from typing import TYPE_CHECKING

from reassess.methods import Method
from reassess.training.history import Outcome
from reassess.training.sft_settings import SftSettings

if TYPE_CHECKING:
    from reassess.training.run import TrainingRun


class Sft(Method[SftSettings]):
    """Token cross-entropy on chain of thought and answer, prompt excluded (TRL's `SFTTrainer`)."""

    name = "sft"
    kind = "sft"
    citation = "arXiv 2512.12690: SFT in LLaMA-Factory"
    deviations = (
        "a fixed number of updates for every data size, where the paper trains 3 epochs; histories "
        "allow both readings",
        "all parameters train, the vision tower included; the paper does not say",
    )
    Settings = SftSettings

    def fit(self, run: "TrainingRun") -> Outcome:
        """Fine-tune on the cell's rows."""
        from reassess.training.sft import train_sft

        return train_sft(
            run.model,
            run.processor,
            run.rows,
            self.settings,
            order_seed=run.order_seed,
            work=run.work,
            probe=run.probe,
            layout=run.layout,
        )
