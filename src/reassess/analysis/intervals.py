"""Estimates with an interval at any level, tests by inverting them, and Holm's adjustment.

A p-value here is the smallest `1 - level` whose interval excludes the null value, so that interval
and test agree at every level by construction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.special import ndtri, stdtrit

LEVEL = 0.95
POWER = 0.8  # with which a detectable effect is found
SMALLEST = 1e-12  # no smaller p-value is told from this one
HALVINGS = 50  # of the logarithm of p: more than a double resolves

Side = Literal["two", "greater", "less"]


def power_factor(level: float = LEVEL) -> float:
    """What a half-width is multiplied by for an effect found with a chance of 80 %; 1.43 at 95 %.

    (z + z.8) / z, with z the quantile of the level (Cohen, 1988); for an estimate whose interval is
    symmetric and as long whatever the truth.
    """
    quantile = float(ndtri((1 + level) / 2))
    return (quantile + float(ndtri(POWER))) / quantile


@dataclass(frozen=True)
class Estimate(ABC):
    """A value with an equal-tailed interval at any level.

    Attributes:
        value: the point estimate.
    """

    value: float

    @abstractmethod
    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The interval at a level between 0 and 1; a higher level gives one that is no shorter."""

    @property
    def low(self) -> float:
        """The lower end of the 95 % interval."""
        return self.interval()[0]

    @property
    def high(self) -> float:
        """The upper end of the 95 % interval."""
        return self.interval()[1]

    @property
    def half_width(self) -> float:
        """Half the length of the 95 % interval."""
        low, high = self.interval()
        return (high - low) / 2

    def detectable(self, null: float) -> float | None:
        """The smallest distance from a null value that a test at 5 % finds with a chance of 80 %.

        None where no possible effect is. Of a ratio it is a factor.
        """
        return power_factor() * self.half_width

    def in_percent(self) -> str:
        """The value and the distance to the farther end of its interval, in per cent."""
        low, high = self.interval()
        return f"{100 * self.value:.1f} ± {100 * max(self.value - low, high - self.value):.1f}"

    def p_value(self, null: float = 0.0, side: Side = "two") -> float:
        """The p-value of the hypothesis that the estimand is `null`, by inverting the interval.

        Args:
            null: the value under the hypothesis.
            side: the alternative: that the estimand differs from `null` ("two"), or that it is
                greater or less, which halves the p-value where the estimate lies on that side.

        Returns:
            A number from 1e-12, which stands for all smaller ones, to 1.
        """
        two = self._two_sided(null)
        if side == "two":
            return two
        on_side = self.value > null if side == "greater" else self.value < null
        return two / 2 if on_side else 1 - two / 2

    def _two_sided(self, null: float) -> float:
        if self._holds(null, 1.0):
            return 1.0
        if not self._holds(null, SMALLEST):
            return SMALLEST
        inside, outside = SMALLEST, 1.0
        for _ in range(HALVINGS):
            middle = (inside * outside) ** 0.5
            if self._holds(null, middle):
                inside = middle
            else:
                outside = middle
        return inside

    def _holds(self, null: float, alpha: float) -> bool:
        low, high = self.interval(1 - alpha)
        return low <= null <= high


@dataclass(frozen=True)
class Part:
    """One source of uncertainty: a standard error and its degrees of freedom."""

    error: float
    freedom: float

    def half_width(self, level: float = LEVEL) -> float:
        """Half the t interval of this part alone."""
        return self.error * float(stdtrit(self.freedom, (1 + level) / 2)) if self.error else 0.0


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for a family of tests, in the order given.

    One that is at most alpha may be rejected with a chance of at most alpha of any false rejection
    in the family, however the tests depend on each other (Holm, 1979).
    """
    order = sorted(range(len(p_values)), key=lambda number: p_values[number])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, number in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * p_values[number]))
        adjusted[number] = least
    return adjusted
