"""Scoring held-out items during training, so that reward can be compared with accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from reassess.data.items import Item
from reassess.training.generate import decode, generate, greedy_and_sampled
from reassess.training.loading import Model, Tokenizer
from reassess.training.preprocessed import PreprocessedRows
from reassess.verifier import Verdict, grade_all


@dataclass
class Probe:
    """Held-out items with preprocessed prompts, graded like any other.

    They are decoded greedily and, beside that, sampled at temperature 1.

    Attributes:
        items: the items.
        rows: their prompts.
        tokenizer: of the model.
        max_new_tokens: token budget of a completion.
        samples: completions that are sampled an item.
        seed: of the numbers that decide them, the same at every score.
    """

    items: Sequence[Item]
    rows: PreprocessedRows
    tokenizer: Tokenizer
    max_new_tokens: int
    samples: int = 0
    seed: int = 0

    def score(self, model: Model) -> dict[str, float]:
        """Accuracy and format share (of 1) and mean completion length (tokens) on the probe.

        The accuracy of the samples is added where there are any, and so is the share of undecided
        verdicts on greedy completions.
        """
        completions, sampled = self._completions(model)
        verdicts = self._grade(completions, 1)
        count = len(verdicts)
        undecided = sum(verdict.undecided for verdict in verdicts)
        return {
            "probe_accuracy": sum(verdict.correct for verdict in verdicts) / count,
            "probe_format": sum(verdict.format_ok for verdict in verdicts) / count,
            "probe_length": sum(map(len, completions)) / count,
            **({"probe_undecided": undecided / count} if undecided else {}),
            **({"probe_sampled_accuracy": self._accuracy(sampled)} if sampled else {}),
        }

    def _completions(self, model: Model) -> tuple[list[Tensor], list[Tensor]]:
        """Greedy completions, one an item, and `samples` an item, item by item."""
        tokens = {
            "pad": self.tokenizer.pad_token_id,
            "end": self.tokenizer.eos_token_id,
            "max_new_tokens": self.max_new_tokens,
        }
        every = range(len(self.rows))
        if not self.samples:
            return generate(model, self.rows, every, **tokens), []
        return greedy_and_sampled(
            model, self.rows, every, samples=self.samples, seed=self.seed, **tokens
        )

    def _accuracy(self, sampled: Sequence[Tensor]) -> float:
        verdicts = self._grade(sampled, self.samples)
        return sum(verdict.correct for verdict in verdicts) / len(verdicts)

    def _grade(self, completions: Sequence[Tensor], each: int) -> list[Verdict]:
        """The verdicts on completions, of which each item has as many."""
        items = [item for item in self.items for _ in range(each)]
        return grade_all(
            decode(self.tokenizer, completions),
            [item.answer for item in items],
            [item.answer_kind for item in items],
        )
