"""Every figure of the committed bundle: the picture that is committed beside it, and in its SVG the labels, units, legend and intervals."""

import importlib
import io
import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from reassess.analysis.bundle import Bundle
from reassess.core.manifest import ROOT
from reassess.figures import figure_names
from reassess.figures._style import STYLE

pytestmark = pytest.mark.slow
REFERENCE = ROOT / "results/reference/micro"
# What a reader must find written in each figure, besides the names of models: axes with units, legend, sample sizes.
WORDS = {
    "capacity": (
        "accuracy, held-out in-distribution (%)",
        "SFT minus GRPO (points)",
        "base",
        "SFT",
        "GRPO",
        "300 items",
    ),
    "controls": (
        "accuracy (%)",
        "random choice",
        "base, blank image",
        "GRPO on format alone",
        "300 items",
    ),
    "distribution": ("accuracy (%)", "SFT, same-family traces", "SFT, foreign traces", "300 items"),
    "main": ("Accuracy (%)", "300 items"),
    "reward": (
        "update",
        "training reward (mean of 10 updates)",
        "held-out accuracy (probe)",
        "3 seeds",
    ),
    "scale": (
        "accuracy (%)",
        "training rows",
        "updates",
        "tokens processed",
        "training FLOPs",
        "SFT",
        "GRPO",
        "DAPO",
        "300 items",
    ),
    "transfer": (
        "change from base (points)",
        "trained on pictures, tested in words",
        "SFT",
        "GRPO",
        "300 items",
    ),
}
# Points with an error bar each; lines of runs.
INTERVALS = {"capacity": 16, "controls": 24, "distribution": 30, "scale": 6, "transfer": 8}


@pytest.fixture(scope="module")
def bundle():
    return Bundle.load(REFERENCE / "bundle")


@pytest.fixture(scope="module")
def drawn(bundle):
    """Draw each figure once for the tests of structure."""
    made = {}
    yield lambda name: made[name] if name in made else made.setdefault(name, styled(name, bundle))
    plt.close("all")


def styled(name, bundle, *before):
    """Return a figure in the project's style, saved in some formats before: each time the layout is worked out anew and may move."""
    with mpl.rc_context():
        mpl.rcdefaults()
        plt.style.use(STYLE)
        figure = importlib.import_module(f"reassess.figures.{name}").draw(bundle)
        for kind in before:
            figure.savefig(io.BytesIO(), format=kind)
        return figure


def test_every_figure_is_described_here():
    assert set(WORDS) == set(figure_names())


def compared(name):
    """Return a test that holds a figure against the committed picture."""

    @pytest.mark.mpl_image_compare(
        baseline_dir=str(REFERENCE / "figures"),
        filename=f"{name}.png",
        style=str(STYLE),
        tolerance=0,
        savefig_kwargs={"dpi": 150},
    )
    def compare(bundle):
        return styled(name, bundle, "svg", "pdf")

    return compare


for _name in figure_names():
    globals()[f"test_{_name}_is_the_committed_picture"] = compared(_name)


@pytest.fixture
def svg(drawn, tmp_path):
    """Write a figure as SVG with its words as text."""

    def write(name):
        with mpl.rc_context({"svg.fonttype": "none"}):
            drawn(name).savefig(tmp_path / f"{name}.svg")
        return ET.parse(tmp_path / f"{name}.svg").getroot()

    return write


@pytest.mark.parametrize("name", figure_names())
def test_labels_units_and_legend_are_written_in_the_svg(svg, bundle, name):
    texts = [
        "".join(element.itertext())
        for element in svg(name).iter("{http://www.w3.org/2000/svg}text")
    ]
    written = " ".join(texts)
    lacking = [word for word in WORDS[name] if word not in written]
    assert lacking == []
    assert any(model in written for model in bundle.study["models"])
    assert not re.search(r"\bnan\b|None|\binf\b", written)


@pytest.mark.parametrize("name", sorted(INTERVALS))
def test_every_point_has_its_interval(drawn, svg, name):
    found = [
        container
        for axes in drawn(name).axes
        for container in axes.containers
        if isinstance(container, mpl.container.ErrorbarContainer)
    ]
    points = 0
    for line, _, (bars,) in found:
        segments = bars.get_segments()
        places = line.get_xydata()
        assert len(segments) == len(places)
        for (lower, upper), place in zip(segments, places, strict=True):
            assert (upper >= lower).all()
            assert (upper != lower).any() or {0.0, 100.0} & set(
                place
            )  # none or all are right: no spread
        points += len(segments)
    assert len(found) >= 3 and points >= INTERVALS[name]
    groups = [element.get("id", "") for element in svg(name).iter("{http://www.w3.org/2000/svg}g")]
    assert sum(one.startswith("LineCollection") for one in groups) == len(found)


def test_the_reward_figure_has_a_line_for_each_run_and_score(drawn, bundle):
    runs = bundle.history[bundle.history["metric"] == "probe_accuracy"]
    for axes in drawn("reward").axes:
        assert len(axes.lines) == 2 * runs["seed"].nunique()
        assert all(len(line.get_xdata()) > 5 for line in axes.lines)
