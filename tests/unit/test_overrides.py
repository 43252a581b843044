"""An upgrade of TRL or transformers that drops what our trainers override fails at import."""

import importlib.util
import inspect

import pytest

from reassess.core.errors import ReassessError
from reassess.training import engine, rl_trainer, sft
from reassess.training.dynamic_sampling import dynamic_sampling_trainer
from reassess.training.overrides import OVERRIDDEN, require

GRPOTrainer, Trainer = rl_trainer.GRPOTrainer, engine.Trainer
STOCK = {"GRPOTrainer": GRPOTrainer, "Trainer": Trainer}
METHODS = [(name, method) for name, private in OVERRIDDEN.items() for method in private.methods]


def test_the_pinned_versions_have_all_that_is_overridden():
    assert set(STOCK) == set(OVERRIDDEN)
    for stock in STOCK.values():
        require(stock)


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_a_stock_class_without_an_overridden_method_is_refused(monkeypatch, name, method):
    owner = next(base for base in STOCK[name].__mro__ if method in vars(base))
    monkeypatch.delattr(owner, method)
    with monkeypatch.context() as patched:
        for base in owner.__mro__[1:]:
            if method in vars(base):
                patched.delattr(base, method)
        with pytest.raises(
            ReassessError, match=rf"{OVERRIDDEN[name].package} \d.*{name}.*{method}"
        ):
            require(STOCK[name])


def test_a_stock_class_without_an_attribute_that_is_read_is_refused(monkeypatch):
    private = OVERRIDDEN["GRPOTrainer"]
    listed = private._replace(attributes=(*private.attributes, "_metrics_of_another_version"))
    monkeypatch.setitem(OVERRIDDEN, "GRPOTrainer", listed)
    with pytest.raises(ReassessError, match="_metrics_of_another_version"):
        require(GRPOTrainer)


@pytest.mark.parametrize(
    ("module", "stock", "method"),
    [(rl_trainer, GRPOTrainer, "_compute_loss"), (engine, Trainer, "_load_from_checkpoint")],
)
def test_the_check_runs_when_the_trainers_are_imported(monkeypatch, module, stock, method):
    """The module is run again under another name, so that nobody else sees new classes."""
    monkeypatch.delattr(stock, method)
    spec = importlib.util.spec_from_file_location("imported_again", module.__file__)
    with pytest.raises(ReassessError, match=method):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_every_stock_method_that_a_trainer_of_ours_defines_is_listed():
    listed = {method for private in OVERRIDDEN.values() for method in private.methods}
    ours = (
        engine.StrictResume,
        rl_trainer.PreprocessedGrpoTrainer,
        sft.PreprocessedSftTrainer,
        dynamic_sampling_trainer(1),
    )
    overridden = {
        name
        for trainer in ours
        for name, value in vars(trainer).items()
        if inspect.isfunction(value)
        and name != "__init__"
        and (hasattr(GRPOTrainer, name) or hasattr(sft.SFTTrainer, name))
    }
    assert overridden - listed == set()
