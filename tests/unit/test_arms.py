"""Names decide nothing: a bundle with renamed arms gives the same verdicts and numbers."""

import importlib
import json
from collections import Counter
from itertools import permutations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from synthetic import make_bundle

from reassess.analysis.arms import traits_of
from reassess.analysis.bundle import Bundle
from reassess.analysis.claims import as_json, results
from reassess.analysis.deception_tables import deception_table, sensitivity_table
from reassess.analysis.tables import budgets_table, cells_table, costs_table, main_table
from reassess.bundles.collect import write_bundle
from reassess.figures import figure_names
from reassess.figures._style import STYLES, styles_of

# Names that mislead: of other arms, with their prefixes, and in another alphabetical order.
NAMES = {
    "base": "zero",
    "sft": "grpo",
    "grpo": "sft-a",
    "dapo": "sft",
    "sft-grpo": "base",
    "grpo-half": "sft-grpo",
    "format-reward": "dapo",
    "random-choice": "blank-image",
    "blank-image": "random-choice",
}


def renamed_cell(cell):
    """The id of a cell with its arm renamed."""
    *where, arm, seed = cell.split("/")
    return "/".join([*where, NAMES[arm], seed])


def renamed(bundle):
    """The tables and terms of a bundle with every arm renamed, consistently."""
    frames = {
        name: frame.assign(method=frame["method"].map(NAMES), cell=frame["cell"].map(renamed_cell))
        for name, frame in (
            ("scores", bundle.scores.frame()),
            ("history", bundle.history),
            ("manifests", bundle.manifests),
        )
    }
    study = json.loads(json.dumps(bundle.study))
    study["arm_order"] = [NAMES[arm] for arm in study["arm_order"]]
    study["arms"] = {NAMES[arm]: settings for arm, settings in study["arms"].items()}
    for settings in study["arms"].values():
        if settings.get("start", "base") != "base":
            settings["start"] = NAMES[settings["start"]]
    for terms in study["studies"].values():
        terms["cells"] = [renamed_cell(cell) for cell in terms["cells"]]
    return frames, study


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A bundle with noise along its runs, and the same with other names of its arms."""
    folder = tmp_path_factory.mktemp("arms")
    grid = make_bundle(folder / "grid", reward=(0.3, 0.8), probe=(0.5, 0.5))
    plain = Bundle.load(grid.paths.bundle)
    noise = np.random.default_rng(0).normal(scale=0.02, size=len(plain.history))
    history = plain.history.assign(value=plain.history["value"] + noise)
    frames = {"scores": plain.scores.frame(), "history": history, "manifests": plain.manifests}
    write_bundle(folder / "before", frames, plain.study)
    before = Bundle.load(folder / "before")
    write_bundle(folder / "after", *renamed(before))
    return before, Bundle.load(folder / "after")


def test_claims_have_the_same_verdicts_and_numbers(pair):
    before, after = ([as_json(one) for one in results(bundle)] for bundle in pair)
    for claim in (*before, *after):
        for named in ("detail", "reason", "missing"):
            claim.pop(named)
    assert before == after
    assert {claim["verdict"] for claim in before} <= {"not enough runs", "not run"}  # one seed
    assert [claim["estimate"] is not None for claim in before].count(True) > 5


@pytest.mark.parametrize(
    "make", [main_table, budgets_table, costs_table, deception_table, sensitivity_table]
)
def test_tables_have_the_same_rows(pair, make):
    before, after = (make(bundle) for bundle in pair)
    if "method" in before:
        before["method"] = before["method"].map(NAMES)
    pd.testing.assert_frame_equal(before, after)


def test_the_table_of_cells_has_the_same_cells(pair):
    before, after = (cells_table(bundle) for bundle in pair)
    before["cell"] = before["cell"].map(renamed_cell)
    assert sorted(before.itertuples(index=False)) == list(after.itertuples(index=False))


def content_of(figure):
    """Every number and colour in a figure, in no order."""
    found = Counter()
    for axes in figure.axes:
        for line in axes.lines:
            places = [tuple(np.sort(np.asarray(part, float)).round(9)) for part in line.get_data()]
            found["line", *places] += 1
        for collection in axes.collections:
            if isinstance(collection, mpl.collections.LineCollection):
                for segment in collection.get_segments():
                    found["bar", tuple(segment[:, 1].round(9)), tuple(segment[:, 0].round(9))] += 1
            elif collection.get_array() is not None:
                found["mesh", tuple(np.ma.filled(collection.get_array(), -1.0).ravel())] += 1
    return found


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name == "main" else ())  # all benchmarks
        for name in figure_names()
    ],
)
def test_figures_show_the_same_numbers(pair, name):
    draw = importlib.import_module(f"reassess.figures.{name}").draw
    before, after = (content_of(draw(bundle)) for bundle in pair)
    plt.close("all")
    assert before == after and before


def test_an_arm_looks_the_same_under_another_name(pair):
    before, after = (styles_of(bundle.arms) for bundle in pair)
    assert {NAMES[name]: style for name, style in before.items()} == after
    assert set(before.values()) == set(STYLES.values())


def arm(method, **settings):
    """The settings of an arm, as a bundle has them."""
    return {"method": method, **settings}


def study_of(arms, order=None, planned=None):
    """What a study tells of its arms: each has so many planned cells, one if it is not said."""
    cells = [
        f"m/d/{size}/{name}/seed1"
        for name in arms
        for size in range(1, 1 + (1 if planned is None else planned.get(name, 0)))
    ]
    return {"arm_order": list(order or arms), "arms": arms, "studies": {"all": {"cells": cells}}}


def test_the_arm_that_stands_for_a_method_starts_at_the_base_and_is_paid_for_answers():
    arms = {
        "continued": arm("grpo", start="tuned", format_weight=0.1),
        "half": arm("grpo", start="base", format_weight=0.5),
        "plain": arm("grpo", start="base", format_weight=0.1),
        "again": arm("grpo", start="base", format_weight=0.1),
        "tuned": arm("sft", start="base"),
    }
    traits = traits_of(study_of(arms), {})
    by_variant = sorted((one.variant, name) for name, one in traits.items() if one.kind == "rl")
    assert [name for _, name in by_variant] == ["again", "plain", "half", "continued"]
    assert traits["tuned"].kind == "sft" and traits["tuned"].variant == 0


def test_the_order_of_arms_decides_for_no_arm():
    """Exchanged in a bundle, it would choose afterwards which arm a claim is about."""
    arms = {
        "sft": arm("sft", start="base", learning_rate=2e-3),
        "sft-low": arm("sft", start="base", learning_rate=1e-4),
        "another": arm("sft", start="base", learning_rate=1e-5),
    }
    found = set()
    for order in permutations(arms):
        traits = traits_of(study_of(arms, order), dict.fromkeys(arms, "sft"))
        found.add(tuple(traits[name].variant for name in arms))
    assert len(found) == 1 and sorted(*found) == [0, 1, 2]


def test_an_arm_without_planned_cells_stands_for_nothing():
    """Added to a config after the runs, it would void what is said of its method."""
    arms = {
        "grpo": arm("grpo", start="base", format_weight=0.1),
        "plain": arm("grpo", start="base", format_weight=0.0),
    }
    ran = dict.fromkeys(arms, "rl")
    assert traits_of(study_of(arms, planned={"grpo": 1}), ran)["grpo"].variant == 0
    assert traits_of(study_of(arms), ran)["plain"].variant == 0


def test_what_stands_for_a_method_is_decided_by_planned_cells_not_by_results():
    arms = {
        "grpo": arm("grpo", start="base", format_weight=0.1, temperature=1.0),
        "hot": arm("grpo", start="base", format_weight=0.1, temperature=2.0),
    }
    study = study_of(arms, planned={"grpo": 2, "hot": 3})
    for ran in ({}, {"grpo": "rl"}, {"hot": "rl"}, dict.fromkeys(arms, "rl")):
        traits = traits_of(study, ran)
        assert (traits["hot"].variant, traits["grpo"].variant) == (0, 1)


@pytest.mark.parametrize("turned", [False, True])
def test_no_order_of_arms_decides_how_they_are_drawn(turned):
    arms = {
        "format-reward": arm("format-reward", start="base", format_weight=1.0),
        "only-form": arm("grpo", start="base", format_weight=1.0),
    }
    order = sorted(arms, reverse=turned)
    styles = styles_of(traits_of(study_of(arms, order), dict.fromkeys(arms, "rl")))
    assert styles["format-reward"].label == "GRPO on format alone"
    assert styles["only-form"].label == "only-form"


def test_a_cold_start_is_found_through_the_chain_of_starts():
    arms = {
        "tuned": arm("sft", start="base"),
        "first": arm("grpo", start="tuned", format_weight=0.1),
        "second": arm("dapo", start="first", format_weight=0.1),
        "warm": arm("dapo", start="plain", format_weight=1.0),
        "plain": arm("grpo", start="base", format_weight=0.1),
        "untouched": arm("base"),
    }
    traits = traits_of(study_of(arms), {"tuned": "sft"})
    assert {name for name, one in traits.items() if one.cold_start} == {"first", "second"}
    assert [name for name, one in traits.items() if one.format_only] == ["warm"]
    assert [name for name, one in traits.items() if not one.trains] == ["untouched"]


def test_arms_beyond_the_known_ones_get_a_style_each_and_keep_their_name():
    arms = {
        "grpo": arm("grpo", start="base", format_weight=0.1),
        "longer": arm("grpo", start="base", format_weight=0.1),
        "third": arm("grpo", start="base", format_weight=0.3),
        "new": arm("dr-grpo", start="base", format_weight=0.1),
    }
    styles = styles_of(traits_of(study_of(arms, planned={"grpo": 2, "longer": 1}), {}))
    assert styles["grpo"] == STYLES["grpo"]
    assert [styles[name].label for name in ("longer", "third", "new")] == ["longer", "third", "new"]
    assert not {styles[name] for name in ("longer", "third", "new")} & set(STYLES.values())
