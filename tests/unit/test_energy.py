"""Energy is what counters say, of the whole machine, and absent where they say nothing."""

import gc
import sys
import threading
from types import SimpleNamespace

import pytest

from reassess.core import energy
from reassess.core.energy import Meter
from reassess.core.manifest import Manifest

RANGE = 262_143_328_850


@pytest.fixture(autouse=True)
def no_cards(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(energy.time, "monotonic", lambda: now.seconds)
    return now


def zone(folder, name, counter, kind):
    path = folder / name
    path.mkdir(parents=True)
    (path / "name").write_text(f"{kind}\n")
    (path / "max_energy_range_uj").write_text(f"{RANGE}\n")
    set_counter(path, counter)
    return path


def set_counter(path, value):
    (path / "energy_uj").write_text(f"{value}\n")


def two_packages(folder):
    zone(folder, "intel-rapl:0:0", 5, "core")
    zone(folder, "intel-rapl:0:1", 5, "dram")
    zone(folder, "intel-rapl:2", 5, "psys")
    return zone(folder, "intel-rapl:0", 1_000_000, "package-0"), zone(
        folder, "intel-rapl:1", 2_000_000, "package-1"
    )


def test_packages_are_summed_and_what_lies_within_them_is_not_counted_twice(tmp_path):
    first, second = two_packages(tmp_path)
    meter = Meter(tmp_path)
    set_counter(first, 4_500_000)
    set_counter(second, 3_000_000)
    set_counter(tmp_path / "intel-rapl:0:0", 9_000_000)
    assert meter.stop() == {"scope": "machine", "packages": 2, "packages_joules": 4.5}


def test_a_counter_that_starts_again_is_followed(tmp_path, clock):
    first = zone(tmp_path, "intel-rapl:0", RANGE - 1_000_000, "package-0")
    meter = Meter(tmp_path)
    for counter in (2_000_000, RANGE - 3_000_000, 1_000_000):
        clock.seconds += 60
        set_counter(first, counter)
        meter.read()
    assert meter.stop()["packages_joules"] == pytest.approx((RANGE + 2_000_000) / 1e6)


def test_too_long_a_gap_leaves_nothing_since_the_counter_may_have_started_again_twice(
    tmp_path, clock
):
    first = zone(tmp_path, "intel-rapl:0", 1, "package-0")
    meter = Meter(tmp_path)
    set_counter(first, 5_000_000)
    clock.seconds += RANGE / 1e9 + 1
    assert meter.stop() is None


@pytest.mark.parametrize("unreadable", ["energy_uj", "max_energy_range_uj", "name"])
def test_a_package_that_cannot_be_read_leaves_nothing(tmp_path, unreadable):
    _, second = two_packages(tmp_path)
    (second / unreadable).unlink()
    (second / unreadable).mkdir()
    assert Meter(tmp_path).stop() is None


def test_a_package_that_can_be_read_no_longer_leaves_nothing(tmp_path):
    _, second = two_packages(tmp_path)
    meter = Meter(tmp_path)
    (second / "energy_uj").write_text("")
    meter.read()
    set_counter(second, 9_000_000)
    assert meter.stop() is None


def test_without_counters_there_is_no_energy_and_no_thread(tmp_path):
    before = threading.active_count()
    assert Meter(tmp_path / "none").stop() is None
    assert threading.active_count() == before


def test_packages_are_read_while_a_job_runs(tmp_path, monkeypatch):
    two_packages(tmp_path)
    read = threading.Event()
    monkeypatch.setattr(energy, "INTERVAL", 0.001)
    monkeypatch.setattr(Meter, "read", lambda self: read.set())
    meter = Meter(tmp_path)
    assert read.wait(30)
    assert meter.stop() is not None


def test_a_meter_that_nobody_stops_does_not_go_on(tmp_path, monkeypatch):
    two_packages(tmp_path)
    monkeypatch.setattr(energy, "INTERVAL", 0.001)
    others = {*threading.enumerate()}
    meter = Meter(tmp_path)
    (reader,) = {*threading.enumerate()} - others
    del meter
    gc.collect()
    reader.join(30)
    assert not reader.is_alive()


class Nvml:
    """NVML with two cards."""

    def __init__(self, counters, fails=()):
        self.counters, self.fails = counters, fails

    def __getattr__(self, name):
        if not name.startswith("nvml"):
            raise AttributeError(name)
        if name in self.fails:
            raise RuntimeError(name)
        return {
            "nvmlInit": lambda: None,
            "nvmlShutdown": lambda: None,
            "nvmlDeviceGetCount": lambda: len(self.counters),
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetUUID": lambda index: list(self.counters)[index],
            "nvmlDeviceGetTotalEnergyConsumption": lambda index: list(self.counters.values())[
                index
            ],
        }[name]


@pytest.fixture
def cards(monkeypatch):
    nvml = Nvml({"GPU-a": 1_000, "GPU-b": 2_000})
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    return nvml


def sees(monkeypatch, *uuids):
    monkeypatch.setattr(energy, "_seen", lambda: [f"GPU-{uuid}" for uuid in uuids])


def test_only_the_cards_that_the_job_sees_are_counted(tmp_path, cards, monkeypatch):
    meter = Meter(tmp_path)
    cards.counters.update({"GPU-a": 9_000, "GPU-b": 4_500})
    sees(monkeypatch, "b")
    assert meter.stop() == {"scope": "machine", "cards": 1, "cards_joules": 2.5}


def test_cards_and_packages_stand_beside_each_other(tmp_path, cards, monkeypatch):
    two_packages(tmp_path)
    meter = Meter(tmp_path)
    cards.counters.update({"GPU-a": 2_000, "GPU-b": 4_000})
    sees(monkeypatch, "a", "b")
    assert meter.stop() == {
        "scope": "machine", "packages": 2, "packages_joules": 0.0, "cards": 2, "cards_joules": 3.0,
    }  # fmt: skip


@pytest.mark.parametrize("seen", [(), ("c",), ("a", "c")])
def test_cards_without_a_counter_leave_nothing(tmp_path, cards, monkeypatch, seen):
    meter = Meter(tmp_path)
    sees(monkeypatch, *seen)
    assert meter.stop() is None


def test_a_driver_that_was_loaded_anew_leaves_nothing(tmp_path, cards, monkeypatch):
    meter = Meter(tmp_path)
    cards.counters["GPU-a"] = 10
    sees(monkeypatch, "a")
    assert meter.stop() is None


@pytest.mark.parametrize("fails", ["nvmlInit", "nvmlDeviceGetTotalEnergyConsumption"])
def test_nvml_without_a_driver_or_a_counter_leaves_nothing(tmp_path, cards, monkeypatch, fails):
    cards.fails = (fails,)
    meter = Meter(tmp_path)
    sees(monkeypatch, "a")
    assert meter.stop() is None


def test_a_manifest_has_energy_only_where_it_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("reassess.core.manifest.Meter", lambda: Meter(tmp_path))
    assert "energy" not in Manifest("train", {}, "").close()
    two_packages(tmp_path)
    assert Manifest("train", {}, "").close()["energy"]["packages"] == 2
