"""What enters a comparison: pairs of runs and items, and whatever finds no partner is named."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from synthetic import grid_in, make_bundle

from reassess.analysis.bundle import CATEGORIES, Bundle
from reassess.analysis.scores import Scores
from reassess.analysis.select import accuracy, difference, pairs, shared_size, without_scores
from reassess.core.errors import ReassessError
from reassess.figures.capacity import draw

ITEMS = 40


class Cells:
    """Cells with chosen outcomes, as the tables of a bundle."""

    def __init__(self, bases=1):
        self.scores, self.manifests, self.study = [], [], {"bases": bases}

    def add(self, method, seed, level=0.5, *, model="m", size=20, status="done", rows="r", lost=()):
        """Add a cell in which a share of the items, the first ones, is right."""
        kind = "none" if method in ("base", "blank") else "sft"
        size = None if kind == "none" else size
        axes = {
            "cell": f"{model}/{size}/{method}/seed{seed}", "model": model, "tier": "weak",
            "family": "f", "distribution": "same-family" if size else None, "size": size,
            "method": method, "kind": kind, "seed": seed,
        }  # fmt: skip
        self.manifests.append(axes | {"status": status, "rows_hash": rows if size else None})
        if status == "done":
            self.scores += [
                axes | {"benchmark": "iid", "item": f"i{n:02}", "correct": n < level * ITEMS}
                for n in range(ITEMS)
                if n not in lost
            ]
        return self

    def bundle(self):
        manifests = pd.DataFrame(self.manifests).astype({"size": "Int64"})
        scores = Scores.of_frame(pd.DataFrame(self.scores).astype({"size": "Int64"}), CATEGORIES)
        return Bundle(scores, pd.DataFrame(), manifests, self.study)


SFT, RL, BASE = {"method": "sft"}, {"method": "rl"}, {"method": "base"}


def test_an_untrained_arm_meets_every_run():
    cells = Cells().add("base", 1, 0.25)
    for seed in (1, 2, 3):
        cells.add("sft", seed, 0.5 + seed / 10)
    estimate = difference(cells.bundle(), SFT, BASE)
    assert estimate.value == pytest.approx(0.45) and estimate.runs == 3
    reverse = difference(cells.bundle(), BASE, SFT)
    assert reverse.interval() == pytest.approx([-end for end in reversed(estimate.interval())])


def test_untrained_cells_of_merged_studies_stand_for_all_runs_from_their_base():
    """Each study has the arm once, under its own first seed."""
    cells = Cells().add("base", 1, 0.25).add("base", 4, 0.75)
    for seed in range(1, 7):
        cells.add("sft", seed, 0.75)
    found = pairs(cells.bundle(), SFT, BASE)
    assert found.unpaired == () and len(found.runs) == 6
    by_run = dict(zip([run.seed for run in found.runs], found.second.mean(axis=1), strict=True))
    assert by_run == pytest.approx({1: 0.25, 2: 0.5, 3: 0.5, 4: 0.75, 5: 0.5, 6: 0.5})


def test_a_trained_arm_with_one_run_left_meets_that_run_alone():
    cells = Cells().add("rl", 4, 0.2)
    for seed in (1, 2, 3, 4, 5):
        cells.add("sft", seed, 0.5)
    found = pairs(cells.bundle(), SFT, RL)
    assert found.estimate.runs == 1 and not found.estimate.covers_runs
    assert found.unpaired == (("m", 1), ("m", 2), ("m", 3), ("m", 5))


def test_trained_arms_without_a_common_seed_have_no_difference():
    cells = Cells()
    for seed in (1, 2):
        cells.add("sft", seed).add("rl", seed + 2)
    found = pairs(cells.bundle(), SFT, RL)
    assert found.estimate is None and len(found.unpaired) == 4
    assert difference(cells.bundle(), SFT, RL) is None


def test_runs_meet_the_untrained_arm_of_their_own_base():
    levels = {1: 0.125, 2: 0.375}
    cells = Cells(bases=2)
    for base, level in levels.items():
        cells.add("base", base, level)
    for seed in range(1, 5):
        cells.add("sft", seed, levels[(seed - 1) % 2 + 1] + 0.25)
    found = pairs(cells.bundle(), SFT, BASE)
    assert found.estimate.by_runs.error == pytest.approx(0, abs=1e-12)  # as much on each
    assert found.estimate.value == pytest.approx(0.25)
    assert (found.estimate.clusters, found.estimate.bases) == (2, 2)
    assert found.estimate.covers == ("bases", "seeds", "items")
    # The base replicate of seeds 2 and 4 has no scores: they find no partner, least of all base 1.
    lost = Cells(bases=2).add("base", 1, 0.1).add("base", 2, status="failed")
    for seed in range(1, 5):
        lost.add("sft", seed, 0.5)
    found = pairs(lost.bundle(), SFT, BASE)
    assert [run.seed for run in found.runs] == [1, 3]
    assert found.unpaired == (("m", 2), ("m", 4))
    assert found.without_scores == ("m/None/base/seed2",)


def test_models_on_one_side_only_and_cells_without_scores_are_named():
    cells = Cells()
    for seed in (1, 2):
        cells.add("sft", seed).add("rl", seed, 0.25).add("sft", seed, model="other")
        cells.add("rl", seed, model="other", status="failed")
    found = pairs(cells.bundle(), SFT, RL)
    assert found.one_sided == ("other",)
    assert found.without_scores == ("other/20/rl/seed1", "other/20/rl/seed2")
    assert [name for name, _ in found.estimate.models] == ["m"]
    assert without_scores(cells.bundle(), method="sft") == []


def test_missing_items_are_an_error_that_names_them():
    cells = Cells().add("base", 1).add("sft", 1, lost=(3, 7)).add("sft", 2)
    with pytest.raises(ReassessError, match=r"m/20/sft/seed1 .*i03, i07 of benchmark 'iid'"):
        accuracy(cells.bundle(), **SFT)
    with pytest.raises(ReassessError, match=r"m/20/sft/seed1 .*i03, i07"):
        difference(cells.bundle(), {**SFT, "seed": 1}, BASE)
    lost = Cells().add("base", 1, lost=range(8)).add("sft", 1)
    with pytest.raises(ReassessError, match=r"m/None/base/seed1 .*i00, i01, i02 and 5 more"):
        difference(lost.bundle(), SFT, BASE)


def test_a_spread_over_rows_is_covered_where_every_model_has_several_draws():
    cells = Cells()
    for seed in (1, 2):
        cells.add("sft", seed, rows=f"draw {seed}").add("rl", seed, rows="whole pool")
        cells.add("sft", seed, model="other", rows="whole pool")
    bundle = cells.bundle()
    assert accuracy(bundle, **SFT, model="m").covers == ("rows", "seeds", "items")
    assert accuracy(bundle, **SFT).covers == ("seeds", "items")
    assert difference(bundle, SFT, RL).covers == ("rows", "seeds", "items")
    assert accuracy(bundle, method="base") is None


def test_the_size_that_arms_share_is_the_planned_one():
    cells = Cells().add("sft", 1, size=20).add("rl", 1, size=20)
    cells.add("sft", 1, size=200).add("rl", 1, size=200, status="failed")
    assert shared_size(cells.bundle(), "sft", "rl") == 200
    assert shared_size(cells.bundle(), "sft", "base") is None


def test_a_difference_is_paired_by_item():
    """An arm that is right at the same items and a tenth more differs in that tenth alone."""
    cells = Cells()
    for seed in (1, 2, 3):
        cells.add("sft", seed, 0.6).add("rl", seed, 0.5)
    estimate = difference(cells.bundle(), SFT, RL)
    apart = accuracy(cells.bundle(), **SFT)
    assert estimate.value == pytest.approx(0.1)
    assert estimate.by_items.error < apart.by_items.error
    assert np.isclose(estimate.by_runs.error, 0)


def test_a_figure_of_capacity_keeps_the_planned_size_and_says_what_lacks(tmp_path):
    grid = grid_in(tmp_path)
    make_bundle(tmp_path, grid)
    bundle = Bundle.load(grid.paths.bundle)
    lost = bundle.manifests["cell"].str.contains("llava-w32/same-family/2000/grpo/")
    assert lost.any()
    manifests = bundle.manifests.assign(status=bundle.manifests["status"].where(~lost, "failed"))
    figure = draw(Bundle(bundle.scores, bundle.history, manifests, bundle.study))
    left, right = figure.axes[:2]
    assert "2000 rows" in left.get_title()
    assert [text.get_text().strip() for text in right.texts].count("no pair of runs") == 1
    plt.close(figure)
