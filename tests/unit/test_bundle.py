"""From cells to bundle, claims, tables and figures.

Nothing vanishes, nothing is compared that must not be, bytes repeat.
"""

import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import steps
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import ROOT, grid_in, make_bundle, write_cell

from reassess.analysis.bundle import SCORES, Bundle
from reassess.analysis.claims import results
from reassess.analysis.select import accuracy, difference, pick, scores_at
from reassess.analysis.tables import budgets_table, cells_table, main_table
from reassess.config.load import load_config
from reassess.core.errors import ReassessError
from reassess.core.files import sha256_file, write_json
from reassess.figures import draw_figures, figure_names


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bundle"))


def copy_of(made, folder):
    """The same grid with the same cells elsewhere, which a test may change."""
    shutil.copytree(made.paths.results.parent, folder / "results")
    return grid_in(folder)


def verdicts(bundle):
    return {one.claim.id: one.verdict for one in results(bundle)}


def hashes(folder):
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir())}


def test_the_bundle_holds_every_item_of_every_cell(made):
    bundle = Bundle.load(made.paths.bundle)
    assert set(bundle.manifests["cell"]) == set(made.cells)
    assert len(bundle.scores) == len(made.cells) * 6 * 60
    estimate = accuracy(
        bundle,
        model="llava-w64",
        method="sft",
        size=2000,
        distribution="same-family",
        benchmark="iid",
    )
    cell = pd.read_parquet(
        made.paths.results / "cells/llava-w64/same-family/2000/sft/seed1/predictions.parquet"
    )
    assert estimate.value == pytest.approx(cell[cell["benchmark"] == "iid"]["correct"].mean())
    assert bundle.scores.columns == [
        *SCORES,
        "undecided",
    ]  # and no answer, which would be a hundred times as much


@pytest.fixture(scope="module")
def bundle(made):
    return Bundle.load(made.paths.bundle)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_scores_found_by_their_cells_are_those_of_a_full_scan(bundle, data):
    names = data.draw(
        st.lists(
            st.sampled_from(
                ["model", "method", "size", "distribution", "seed", "benchmark", "tier"]
            ),
            unique=True,
        )
    )
    values = {name: sorted(bundle.scores.frame()[name].dropna().unique()) for name in names}
    one = {name: st.sampled_from(values[name]) | st.none() for name in names}
    some = {name: st.lists(st.sampled_from(values[name]), max_size=2).map(tuple) for name in names}
    axes = {name: data.draw(one[name] | some[name]) for name in names}
    pd.testing.assert_frame_equal(scores_at(bundle, **axes), pick(bundle.scores.frame(), **axes))


def test_equal_cells_give_equal_bytes(made, tmp_path):
    before = hashes(made.paths.bundle)
    steps.collect(made)
    assert hashes(made.paths.bundle) == before


def test_the_difference_is_paired_by_item_and_an_untrained_arm_meets_every_seed(tmp_path):
    studies = load_config(ROOT / "config/full-micro.yaml").studies
    scale = {"scale": studies["scale"].model_copy(update={"methods": ["base", "sft"]})}
    grid = make_bundle(tmp_path, grid_in(tmp_path, "config/full-micro.yaml", studies=scale))
    bundle = Bundle.load(grid.paths.bundle)
    where = {"model": "llava-w64", "benchmark": "iid"}
    trained = {"method": "sft", "size": 2000, "distribution": "same-family"}
    estimate = difference(bundle, trained, {"method": "base"}, **where)
    assert estimate.runs == 3
    assert estimate.value == pytest.approx(
        accuracy(bundle, **trained, **where).value - accuracy(bundle, method="base", **where).value
    )
    assert difference(bundle, {"method": "nobody"}, {"method": "base"}, **where) is None
    # A trained arm with one run is no pair of all runs of another.
    once = {**trained, "seed": 2}
    assert difference(bundle, once, trained, **where).runs == 1
    assert difference(bundle, once, {**trained, "seed": 3}, **where) is None
    assert difference(bundle, once, {"method": "base"}, **where).runs == 1


def test_a_missing_cell_stops_collect_or_is_recorded_with_its_log(made, tmp_path):
    grid = copy_of(made, tmp_path)
    lost = grid.cell("llava-w64/same-family/20/grpo/seed1")
    shutil.rmtree(grid.paths.cell(lost.id))
    with pytest.raises(ReassessError, match=lost.id):
        steps.collect(grid)
    log = grid.paths.log("train", lost.id)
    log.parent.mkdir(parents=True)
    log.write_text("line\n" * 50 + "the disk was full\n")
    write_json(grid.paths.failure(lost.id), {"error": "OSError: no space"})
    steps.collect(grid, partial=True)
    bundle = Bundle.load(grid.paths.bundle)
    assert bundle.failed["cell"].tolist() == [lost.id]
    reason = cells_table(bundle).set_index("cell").loc[lost.id]
    assert reason["status"] == "failed"
    assert "OSError: no space" in reason["error"]
    assert "the disk was full" in reason["error"]
    assert lost.id not in set(bundle.scores.cells)
    draw_figures(grid.paths.bundle, grid.paths.results / "figures", ["reward"])
    assert (grid.paths.results / "figures" / "reward.png").is_file()


def test_cells_trained_on_other_rows_are_not_compared(made, tmp_path):
    grid = copy_of(made, tmp_path)
    write_cell(grid, grid.cell("llava-w64/same-family/2000/grpo/seed1"), 0.5, rows_hash="other")
    with pytest.raises(
        ReassessError, match=r"llava-w\d+/same-family/2000/\S+ and llava-w64/same-family/2000/grpo"
    ):
        steps.collect(grid)


def test_a_damaged_bundle_is_named(made, tmp_path):
    shutil.copytree(made.paths.bundle, tmp_path / "bundle")
    (tmp_path / "bundle" / "history.parquet").write_bytes(b"PAR1")
    with pytest.raises(ReassessError, match=r"history.parquet is not a readable"):
        Bundle.load(tmp_path / "bundle")
    pd.DataFrame({"cell": ["a"]}).to_parquet(tmp_path / "bundle" / "history.parquet")
    with pytest.raises(ReassessError, match=r"history.parquet lacks the columns"):
        Bundle.load(tmp_path / "bundle")


def test_a_claim_without_cells_is_not_run(tmp_path):
    grid = grid_in(tmp_path)
    only = grid.config.model_copy(update={"studies": {"controls": grid.config.studies["controls"]}})
    grid = type(grid)(
        only.model_copy(
            update={
                "studies": {
                    "controls": only.studies["controls"].model_copy(update={"methods": ["base"]})
                }
            }
        )
    )
    for cell in grid.cells.values():
        write_cell(grid, cell, 0.5)
    steps.collect(grid)
    bundle = Bundle.load(grid.paths.bundle)
    assert set(verdicts(bundle).values()) == {"not run"}
    draw_figures(
        grid.paths.bundle, grid.paths.results / "figures"
    )  # every figure says why it is empty
    assert len(list((grid.paths.results / "figures").glob("*.svg"))) == len(figure_names())


def test_tables_say_what_the_bundle_says(made):
    bundle = Bundle.load(made.paths.bundle)
    main = main_table(bundle)
    row = main[
        (main["model"] == "llava-w64") & (main["method"] == "sft") & (main["size"] == 20)
    ].iloc[0]
    estimate = accuracy(
        bundle,
        model="llava-w64",
        method="sft",
        size=20,
        distribution="same-family",
        benchmark="iid",
    )
    farther = max(estimate.high - estimate.value, estimate.value - estimate.low)
    shown = f"{100 * estimate.value:.1f} (± {100 * farther:.1f})"
    assert row["in-distribution, %"] == shown
    assert row["intervals cover"] == "items only, one run" and row["runs"] == 1
    assert set(budgets_table(bundle)["method"]) == {
        "sft",
        "grpo",
        "dapo",
        "sft-grpo",
        "grpo-half",
        "format-reward",
    }


@pytest.mark.slow
def test_figures_drawn_again_in_another_process_have_the_same_bytes(made, tmp_path):
    for name, hash_seed in (("one", "1"), ("two", "2")):
        command = [
            sys.executable,
            "-m",
            "reassess.cli.entry",
            "bundle",
            "draw",
            "--bundle",
            str(made.paths.bundle),
            "--out",
            str(tmp_path / name),
        ]
        environment = {"PYTHONHASHSEED": hash_seed, "HOME": str(tmp_path / f"home{name}")}
        if "PYTHONPATH" in os.environ:
            environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
        subprocess.run(command, check=True, env=environment)
    for kind in ("figures", "tables"):
        assert hashes(tmp_path / "one" / kind) == hashes(tmp_path / "two" / kind)
    drawn = set(hashes(tmp_path / "one/figures"))
    assert drawn == {f"{name}.{kind}" for name in figure_names() for kind in ("svg", "pdf", "png")}


@pytest.mark.slow
def test_drawing_needs_no_torch(made, tmp_path):
    code = (
        "import sys; from pathlib import Path; from reassess.figures import draw_figures;"
        f"draw_figures(Path({str(made.paths.bundle)!r}), Path({str(tmp_path)!r}), ['capacity']);"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_unknown_figure_is_answered_with_the_nearest(made, tmp_path):
    with pytest.raises(ReassessError, match="did you mean 'capacity'"):
        draw_figures(made.paths.bundle, tmp_path, ["capasity"])


def test_colours_stay_apart_for_colour_blind_readers():
    """Every pair of arms differs in marker, and in colour as a deuteranope sees it or in lightness."""
    from itertools import combinations

    import numpy as np
    from matplotlib.colors import to_rgb

    from reassess.figures._style import STYLES

    # Viénot, Brettel and Mollon 1999, deuteranopia, on linear RGB.
    matrix = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
    seen = {name: matrix @ np.array(to_rgb(style.colour)) ** 2.2 for name, style in STYLES.items()}
    for first, second in combinations(STYLES, 2):
        assert STYLES[first].marker != STYLES[second].marker
        assert np.abs(seen[first] - seen[second]).max() > 0.03, (first, second)
