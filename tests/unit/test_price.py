"""The price of a job follows from what it held; unknown prices give none."""

import pytest

from reassess.config.load import config_class
from reassess.core.errors import ReassessError
from reassess.core.files import canonical_json
from reassess.core.manifest import Manifest
from reassess.core.price import Rates
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.verify.fields import TYPES, _costs


@pytest.mark.parametrize(
    ("core", "gpu", "gpus", "amount"),
    [
        (0.05, None, 0, 0.2),
        (0.05, 2.0, 0, 0.2),
        (0.05, 2.0, 3, 12.2),
        (None, 2.0, 3, 12.0),
        (0.05, None, 3, None),
        (None, 2.0, 0, None),
        (None, None, 0, None),
        (0.0, None, 0, 0.0),
    ],
)
def test_a_price_needs_the_prices_of_what_was_held(core, gpu, gpus, amount):
    price = Rates(core, gpu, "EUR").price(7200, 2, gpus)
    assert (price and price["amount"]) == amount
    if price is not None:
        assert TYPES["price"](price)
        assert not [*_costs("a", {"seconds": 7200, "price": price})]


def test_a_manifest_has_a_price_only_at_rates(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("WORLD_SIZE", "2")
    manifest = Manifest("train", {}, "")
    manifest.price_at(None)
    assert "price" not in manifest.close()
    manifest.price_at(Rates(0.5, 1.0, "CHF"))
    price = manifest.close()["price"]
    assert (price["cores"], price["gpus"], price["currency"]) == (6, 0, "CHF")


GOOD = {"scope": "machine", "packages": 2, "packages_joules": 4.5}
PRICE = {"amount": 0.2, "currency": "EUR", "core_hour": 0.05, "gpu_hour": None} | {
    "cores": 2, "gpus": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"energy": GOOD}, None),
        ({"energy": {"scope": "machine"}}, "nothing was counted"),
        ({"energy": {**GOOD, "cards": 1}}, "cards and cards_joules"),
        ({"price": PRICE}, None),
        ({"price": {**PRICE, "amount": 0.1}}, "its terms give 0.2"),
        ({"price": {**PRICE, "gpus": 1}}, "gpu_hour: null"),
    ],
)
def test_energy_and_price_are_verified(fields, found):
    problems = [*_costs("a", {"seconds": 7200, **fields})]
    assert (found is None) == (not problems)
    assert not problems or found in problems[0]
    assert all(TYPES[name](value) for name, value in fields.items())


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("energy", {**GOOD, "scope": "job"}),
        ("energy", {**GOOD, "packages_joules": -1.0}),
        ("energy", {**GOOD, "watts": 3}),
        ("price", {**PRICE, "currency": "euros"}),
        ("price", {**PRICE, "cores": 0}),
    ],
)
def test_what_is_no_energy_and_no_price_is_found(kind, value):
    assert not TYPES[kind](value)


def grid_with(folder, text):
    path = folder / "config.yaml"
    path.write_text(f"extends: {ROOT / 'config.yaml'}\n{text}")
    return Grid.load(path)


def test_prices_change_no_spec_and_without_them_the_config_says_nothing(tmp_path):
    plain = grid_with(tmp_path, "")
    priced = grid_with(tmp_path, "prices: {core_hour: 0.05, currency: EUR}\n")
    assert plain.config.rates is None
    assert "prices" not in plain.config.model_dump(mode="json")
    assert priced.config.rates == Rates(0.05, None, "EUR")
    for cell in plain.cells.values():
        assert plain.specs.evaluation_hash(cell) == priced.specs.evaluation_hash(cell)
    kept = priced.config.model_dump(mode="json")["prices"]
    assert canonical_json(kept) == '{"core_hour":0.05,"currency":"EUR","gpu_hour":null}'


@pytest.mark.parametrize("prices", ["{core_hour: 0.05}", "{core_hour: -1, currency: EUR}"])
def test_prices_have_a_currency_and_are_not_negative(tmp_path, prices):
    with pytest.raises(ReassessError, match="prices"):
        grid_with(tmp_path, f"prices: {prices}\n")


def test_every_world_takes_prices():
    for world in ("micro", "hub"):
        assert "prices" in config_class({"world": {"kind": world}}).model_fields
