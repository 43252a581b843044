"""Scoring the held-out probe during training, so that reward can be set against accuracy along the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reassess.training.generate import decode, generate
from reassess.training.preprocessed import PreprocessedRows
from reassess.verifier.grading import judge


@dataclass
class Probe:
    """Held-out items with their prepared prompts. Greedy decoding, the same verifier as everywhere."""

    items: Sequence[Any]
    rows: PreprocessedRows
    tokenizer: Any
    max_new_tokens: int

    def score(self, model: Any) -> dict[str, float]:
        """Return accuracy and format share (of 1) and mean completion length (tokens) of the model on the probe."""
        end = self.tokenizer.eos_token_id
        completions = generate(
            model,
            self.rows,
            range(len(self.rows)),
            pad=self.tokenizer.pad_token_id,
            end=end,
            max_new_tokens=self.max_new_tokens,
        )
        texts = decode(self.tokenizer, completions)
        verdicts = [
            judge(text, item.answer, item.answer_kind)
            for text, item in zip(texts, self.items, strict=True)
        ]
        count = len(verdicts)
        return {
            "probe_accuracy": sum(verdict.correct for verdict in verdicts) / count,
            "probe_format": sum(verdict.format_ok for verdict in verdicts) / count,
            "probe_length": sum(map(len, completions)) / count,
        }
