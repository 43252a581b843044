"""What a job costs at the prices of a config: time on the cores and cards that it held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict


class Price(TypedDict):
    """The price of a job, with all that it follows from but the seconds."""

    amount: float
    currency: str
    core_hour: float | None
    gpu_hour: float | None
    cores: int
    gpus: int


@dataclass(frozen=True)
class Rates:
    """Prices of an hour; None: not known.

    Attributes:
        core_hour: of a core.
        gpu_hour: of a card.
        currency: of both.
    """

    core_hour: float | None
    gpu_hour: float | None
    currency: str

    def price(self, seconds: float, cores: int, gpus: int) -> Price | None:
        """The price of a job that held `cores` and `gpus`; None if a price it needs is not known.

        Where only cards have a price, it includes the cores beside them.
        """
        if (self.gpu_hour if gpus else self.core_hour) is None:
            return None
        return {
            "amount": amount(seconds, cores, gpus, self.core_hour, self.gpu_hour),
            "currency": self.currency,
            "core_hour": self.core_hour,
            "gpu_hour": self.gpu_hour,
            "cores": cores,
            "gpus": gpus,
        }


def amount(
    seconds: float, cores: int, gpus: int, core_hour: float | None, gpu_hour: float | None
) -> float:
    """The price of `seconds` on so many cores and cards, rounded to a millionth."""
    hourly = cores * (core_hour or 0) + gpus * (gpu_hour or 0)
    return round(seconds / 3600 * hourly, 6)
