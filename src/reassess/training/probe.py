"""Scoring held-out items during training, so that reward can be compared with accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reassess.data.items import Item
from reassess.training.generate import decode, generate
from reassess.training.loading import Model, Tokenizer
from reassess.training.preprocessed import PreprocessedRows
from reassess.verifier import grade_all


@dataclass
class Probe:
    """Held-out items with preprocessed prompts, decoded greedily and graded like any other."""

    items: Sequence[Item]
    rows: PreprocessedRows
    tokenizer: Tokenizer
    max_new_tokens: int

    def score(self, model: Model) -> dict[str, float]:
        """Accuracy and format share (of 1) and mean completion length (tokens) on the probe.

        The share of undecided verdicts is added only where there are any.
        """
        completions = generate(
            model,
            self.rows,
            range(len(self.rows)),
            pad=self.tokenizer.pad_token_id,
            end=self.tokenizer.eos_token_id,
            max_new_tokens=self.max_new_tokens,
        )
        texts = decode(self.tokenizer, completions)
        verdicts = grade_all(
            texts,
            [item.answer for item in self.items],
            [item.answer_kind for item in self.items],
        )
        count = len(verdicts)
        undecided = sum(verdict.undecided for verdict in verdicts)
        return {
            "probe_accuracy": sum(verdict.correct for verdict in verdicts) / count,
            "probe_format": sum(verdict.format_ok for verdict in verdicts) / count,
            "probe_length": sum(map(len, completions)) / count,
            **({"probe_undecided": undecided / count} if undecided else {}),
        }
