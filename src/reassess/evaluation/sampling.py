"""Scores of several samples an item: their mean accuracy and pass@k."""

from __future__ import annotations

from math import comb

import pandas as pd


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """The probability that one or more of `k` samples are correct.

    An unbiased estimate from `correct` of `samples`: 1 - C(n - c, k) / C(n, k) (arXiv 2107.03374,
    equation 1).

    Raises:
        ValueError: k is not between 1 and `samples`, or `correct` not between 0 and `samples`.
    """
    if not 1 <= k <= samples or not 0 <= correct <= samples:
        raise ValueError(f"pass@{k} of {correct} correct among {samples} samples")
    return 1 - comb(samples - correct, k) / comb(samples, k)


def budgets(samples: int) -> list[int]:
    """The reported k of pass@k: powers of two below the number of samples, and that number."""
    powers = {2**power for power in range(samples.bit_length()) if 2**power < samples}
    return sorted(powers | {samples})


def sampled_scores(rows: pd.DataFrame) -> dict[str, float]:
    """Mean accuracy of the samples, and pass@k, over the items of a benchmark.

    Args:
        rows: one an item, with `samples` (one number throughout) and `sampled_correct`.
    """
    samples, correct = int(rows["samples"].iloc[0]), rows["sampled_correct"].tolist()
    passes = {
        f"pass@{k}": sum(pass_at_k(samples, count, k) for count in correct) / len(correct)
        for k in budgets(samples)
    }
    return {
        "samples": samples,
        "sampled_accuracy": sum(correct) / (samples * len(correct)),
        **passes,
    }
