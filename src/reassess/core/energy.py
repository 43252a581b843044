"""The energy that the machine took while a job ran, from counters; never an estimate.

Processor packages: the counters of Linux's powercap framework (RAPL), in microjoules
(https://docs.kernel.org/power/powercap/powercap.html). They count everything that runs on the
machine, so what a job records is the machine's energy, not its share. Most systems let only root
read them. Cards: NVML's counter of a whole card (`nvmlDeviceGetTotalEnergyConsumption`), in
millijoules, Volta and newer, if a Python binding is installed. What cannot be read is left out.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import NotRequired, Protocol, TypedDict, cast

POWERCAP = Path("/sys/class/powercap")
MOST_WATTS = 1000  # of a package: what it may take between two readings decides what may be summed
INTERVAL = 60.0  # seconds between two readings of the packages; a counter wraps within minutes


class Energy(TypedDict):
    """Joules between two moments."""

    scope: str  # `machine`: of all that ran there
    packages: NotRequired[int]  # how many processor packages were counted: all of the machine's
    packages_joules: NotRequired[float]
    cards: NotRequired[int]  # how many cards were counted: those that torch sees
    cards_joules: NotRequired[float]


class _Nvml(Protocol):
    """What is used of NVML's Python binding."""

    def nvmlInit(self) -> None: ...  # noqa: N802
    def nvmlShutdown(self) -> None: ...  # noqa: N802
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: N802
    def nvmlDeviceGetHandleByIndex(self, index: int) -> object: ...  # noqa: N802
    def nvmlDeviceGetUUID(self, handle: object) -> str | bytes: ...  # noqa: N802
    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object) -> int: ...  # noqa: N802


class Package:
    """The counter of a processor package, which starts again at 0 beyond its range."""

    def __init__(self, zone: Path) -> None:
        """Read the counter in `zone` for the first time.

        Raises:
            OSError: it cannot be read.
            ValueError: it holds no number.
        """
        self._counter = zone / "energy_uj"
        self._range = int((zone / "max_energy_range_uj").read_text())
        self._last, self._time = int(self._counter.read_text()), time.monotonic()
        self._microjoules: int | None = 0

    def read(self) -> None:
        """Add what was counted since the last reading.

        The sum is lost for good if it cannot be read, or if so much time has passed that the
        counter may have started again more than once.
        """
        try:
            counted, now = int(self._counter.read_text()), time.monotonic()
        except (OSError, ValueError):
            self._microjoules = None
            return
        if self._microjoules is None:
            return
        if (now - self._time) * MOST_WATTS * 1e6 >= self._range:
            self._microjoules = None
            return
        grown = counted - self._last
        self._microjoules += grown if grown >= 0 else grown + self._range
        self._last, self._time = counted, now

    @property
    def joules(self) -> float | None:
        """The sum so far; None if it is not known."""
        return None if self._microjoules is None else self._microjoules / 1e6


class Meter:
    """Counts from when it is made. A thread reads the packages meanwhile, if there are any."""

    def __init__(self, folder: Path = POWERCAP) -> None:
        """Start to count."""
        self._lock, self._done = threading.Lock(), threading.Event()
        self._packages = _packages(folder)
        self._cards = _counters()
        if self._packages:
            arguments = (weakref.ref(self), self._done)
            threading.Thread(target=_keep_reading, args=arguments, daemon=True).start()

    def read(self) -> None:
        """Read the packages."""
        with self._lock:
            for package in self._packages:
                package.read()

    def stop(self) -> Energy | None:
        """The energy since the start; None where no counter can be read."""
        self._done.set()
        self.read()
        energy: Energy = {"scope": "machine"}
        joules = [one.joules for one in self._packages]
        known = [one for one in joules if one is not None]
        if joules and len(known) == len(joules):
            energy["packages"], energy["packages_joules"] = len(joules), round(sum(known), 3)
        cards = _grown(self._cards, _counters(), _seen()) if self._cards else None
        if cards is not None:
            energy["cards"], energy["cards_joules"] = cards
        return energy if len(energy) > 1 else None


def _keep_reading(meter: weakref.ref[Meter], done: threading.Event) -> None:
    while not done.wait(INTERVAL):
        present = meter()
        if present is None:
            return
        present.read()
        del present  # a meter that nobody stops ends with its job


def _packages(folder: Path) -> list[Package]:
    """The counters of all processor packages; none if one of them cannot be read.

    Zones within a package, and of a whole platform (`psys`), count the same energy again.
    """
    packages = []
    try:
        for zone in sorted(folder.glob("intel-rapl:*")):
            if (zone / "name").read_text().startswith("package-"):
                packages.append(Package(zone))
    except (OSError, ValueError):
        return []
    return packages


def _counters() -> dict[str, int]:
    """The counter of every card that has one, in millijoules, by the card's UUID."""
    try:
        nvml = cast(_Nvml, import_module("pynvml"))
        nvml.nvmlInit()
    except Exception:  # no binding, no driver or no card: the binding has its own errors
        return {}
    counters = {}
    try:
        for index in range(nvml.nvmlDeviceGetCount()):
            card = nvml.nvmlDeviceGetHandleByIndex(index)
            uuid = nvml.nvmlDeviceGetUUID(card)
            name = uuid.decode() if isinstance(uuid, bytes) else uuid
            counters[name] = nvml.nvmlDeviceGetTotalEnergyConsumption(card)
    except Exception:  # a card without the counter: nothing of any of them
        return {}
    finally:
        nvml.nvmlShutdown()
    return counters


def _seen() -> list[str]:
    """The UUIDs of the cards that torch sees, if it is loaded and has used them."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    cards = range(torch.cuda.device_count())
    return [f"GPU-{torch.cuda.get_device_properties(card).uuid}" for card in cards]


def _grown(
    before: Mapping[str, int], after: Mapping[str, int], seen: Iterable[str]
) -> tuple[int, float] | None:
    """How many cards are seen, and by how many joules they grew; None if one is not known."""
    names = list(seen)
    if not names or not all(name in before and name in after for name in names):
        return None
    grown = [after[name] - before[name] for name in names]
    if min(grown) < 0:  # a driver was loaded anew
        return None
    return len(names), round(sum(grown) / 1e3, 3)
