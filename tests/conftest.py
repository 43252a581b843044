"""What tests share: portable numerics, and a small micro world with models of fresh weights."""

import gc
import os
import signal
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
os.environ.setdefault(
    "SLURM_CONF", os.devnull
)  # Snakemake's executor for it asks at every start, and may wait long
sys.path.insert(0, str(Path(__file__).parent))

import hypothesis
import pytest

from reassess.core import numerics
from reassess.core.errors import ReassessError

with suppress(ReassessError):  # a processor that has not what it needs: its own arithmetic then
    numerics.fix("portable")

# What imports leave is never garbage. Searching it takes a fifth of the imports' time, and half of a
# small training's, for accelerate collects at the end of each.
gc.disable()


def pytest_collection_finish():
    """Keep whatever imports have made out of every later search for garbage."""
    gc.freeze()
    gc.enable()


# No test depends on how fast the machine is.
hypothesis.settings.register_profile("all", deadline=None)
hypothesis.settings.register_profile("fast", deadline=None, max_examples=30)


def pytest_configure(config):
    """Draw fewer examples in the fast tier."""
    hypothesis.settings.load_profile("fast" if config.option.markexpr == "not slow" else "all")


@pytest.fixture(autouse=True)
def as_found():
    """Restore what a test may change for its whole process: signal handlers, folder, environment.

    A job that writes its results ignores signals until its process ends.
    """
    numbers = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in numbers}
    folder, environment = Path.cwd(), dict(os.environ)
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture(scope="session")
def tokenizer_dir(tmp_path_factory):
    from reassess.worlds.micro.models import build_tokenizer

    folder = tmp_path_factory.mktemp("world") / "tokenizer"
    build_tokenizer(folder)
    return folder


@pytest.fixture(scope="session")
def items():
    from reassess.worlds.micro.items import make_item

    return [make_item("train", 7, index) for index in range(48)]


@pytest.fixture(scope="session", params=["llava", "qwen3-vl"])
def family(request):
    return request.param


@pytest.fixture
def fresh(family, tokenizer_dir):
    """Return a model of width 32 with fresh weights, and its processor."""
    from reassess.worlds.micro.models import build_model

    return build_model(family, 32, 5, tokenizer_dir)


@pytest.fixture
def rows(fresh, items):
    """Return the items, preprocessed with native traces."""
    from reassess.training.preprocessed import preprocess
    from reassess.worlds.micro.prompts import prompt
    from reassess.worlds.micro.traces import render_trace

    return preprocess(items, [render_trace(item, "native") for item in items], fresh[1], prompt)


@pytest.fixture(scope="module")
def one_figure():
    """Draw one figure where all would be drawn, which takes ten seconds."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("reassess.figures.figure_names", lambda: ["capacity"])
        yield


@pytest.fixture
def cut_at(monkeypatch):
    """Return a context in which a trainer is interrupted after `at` updates."""

    @contextmanager
    def cut(trainer, at):
        step = trainer.training_step

        def training_step(self, model, inputs, num_items_in_batch=None):
            if self.state.global_step == at:
                raise KeyboardInterrupt
            return step(self, model, inputs, num_items_in_batch)

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(trainer, "training_step", training_step)
            yield

    return cut
