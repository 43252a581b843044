"""Every figure of the committed bundle: its image, and in its SVG the labels, units and intervals.

What a figure must show stands in a file of its name in `figures/`: `texts` that a reader must find
(axes with units, legend, sample sizes; `{items}`: how many the main benchmark has) and the least
number of `intervals`. A figure without such a file, or without a committed image, is only drawn
twice (`test_bundle.py`).
"""

import importlib
import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from memory import lose

from reassess.analysis.bundle import Bundle
from reassess.analysis.statistics import VERSION
from reassess.core.files import read_json
from reassess.core.project import ROOT
from reassess.figures import figure_names
from reassess.figures._parts import OPEN
from reassess.figures._style import STYLE
from reassess.verify.figures import as_published

pytestmark = pytest.mark.slow
REFERENCE = ROOT / "results/reference/micro"
EXPECTED = {path.stem: read_json(path) for path in Path(__file__).parent.glob("figures/*.json")}
WITH_INTERVALS = sorted(name for name, expected in EXPECTED.items() if "intervals" in expected)
CURRENT = read_json(REFERENCE / "drawn-with.json").get("statistics") == str(VERSION)
IMAGES = [name for name in figure_names() if (REFERENCE / f"figures/{name}.png").is_file()]
COMMITTED = IMAGES if CURRENT else []


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
    """Return a figure in the project's style, saved in some formats before: each time the layout
    is computed again and may move."""
    with mpl.rc_context():
        mpl.rcdefaults()
        plt.style.use(STYLE)
        figure = importlib.import_module(f"reassess.figures.{name}").draw(bundle)
        for kind in before:
            figure.savefig(io.BytesIO(), format=kind)
        return figure


def test_what_is_expected_is_expected_of_a_figure_that_exists():
    assert EXPECTED and set(EXPECTED) <= set(figure_names())
    assert IMAGES


def test_images_of_other_statistics_are_known_ones():
    """They cannot be drawn again, and so are compared as bytes."""
    assert CURRENT or as_published(REFERENCE)


def compared(name):
    """Return a test that compares a figure with the committed image."""

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


for _name in COMMITTED:
    globals()[f"test_{_name}_is_the_committed_image"] = compared(_name)


@pytest.fixture
def svg(drawn, tmp_path):
    """Write a figure as SVG with its texts as text."""

    def write(name):
        with mpl.rc_context({"svg.fonttype": "none"}):
            drawn(name).savefig(tmp_path / f"{name}.svg")
        return ET.parse(tmp_path / f"{name}.svg").getroot()

    return write


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_labels_units_and_legend_are_written_in_the_svg(svg, bundle, name):
    texts = [
        "".join(element.itertext())
        for element in svg(name).iter("{http://www.w3.org/2000/svg}text")
    ]
    written = " ".join(texts)
    (main,) = bundle.benchmarks("main")
    cell = bundle.scored["cell"].iloc[0]
    items = (bundle.scores_of([cell], ["benchmark"])["benchmark"] == main).sum()
    due = [text.format(items=items) for text in EXPECTED[name]["texts"]]
    lacking = [text for text in due if text not in written]
    assert lacking == []
    assert any(model in written for model in bundle.study["models"])
    assert not re.search(r"\bnan\b|None|\binf\b", written)


@pytest.mark.parametrize("name", WITH_INTERVALS)
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
    assert len(found) >= 3 and points >= EXPECTED[name]["intervals"]
    groups = [element.get("id", "") for element in svg(name).iter("{http://www.w3.org/2000/svg}g")]
    assert sum(group.startswith("LineCollection") for group in groups) == len(found)


def test_the_reward_figure_has_a_line_for_each_run_and_score(drawn, bundle):
    runs = bundle.history[bundle.history["metric"] == "probe_accuracy"]
    curves = {"reward", "probe_accuracy", "probe_sampled_accuracy"} & {*bundle.history["metric"]}
    *panels, summary = drawn("reward").axes
    for axes in panels:
        assert len(axes.lines) == len(curves) * runs["seed"].nunique()
        assert all(len(line.get_xdata()) > 5 for line in axes.lines)
    points = [one for one in summary.containers if isinstance(one, mpl.container.ErrorbarContainer)]
    assert len(points) == len(panels) * runs["seed"].nunique()


def test_an_interval_of_items_only_is_drawn_open_and_dotted_and_named(drawn, bundle):
    """Of one arm of a weak model all runs but one are lost; the others have three."""
    lost = bundle.scored.query("model == 'llava-w32' and method == 'grpo' and seed > 1")
    capacity = styled("capacity", lose(bundle, {*lost["cell"]}))
    left = capacity.axes[0]
    open_ones = 0
    for line, _, (bars,) in left.containers:
        is_open = line.get_markerfacecolor() == OPEN
        dotted = bars.get_linestyle()[0][1] is not None
        assert is_open == dotted
        open_ones += is_open
    assert 0 < open_ones < len(left.containers)
    assert "items only" in capacity.get_suptitle()
    assert "items only" not in drawn("transfer").get_suptitle()
