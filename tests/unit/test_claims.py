"""Verdicts on claims: by closed forms and brute force, and what never changes them silently."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import drawn, lose, memory_bundle, small_grid
from synthetic import grid_in
from test_planned import renamed

from reassess.analysis.budgets import unmatched
from reassess.analysis.claims import Result, as_json, results
from reassess.analysis.claims import test_claims as write_claims
from reassess.analysis.intervals import Part, holm
from reassess.analysis.measurement import Measurement
from reassess.analysis.statistics import MeanEstimate
from reassess.config.claims import read_claims
from reassess.core.errors import ReassessError
from reassess.core.files import read_json

CLAIMS = read_claims()
WEAK = "capacity-weak"
DECIDED = {"supported", "contradicted", "inconclusive"}
STRONG_CELLS = "llava-w64/"


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    return small_grid(tmp_path_factory.mktemp("claims"))


def outcomes_of(levels, wobble=0.02, noise=0.3, items=40):
    """Outcomes by the arm's level, which differs a little between runs."""

    def outcomes(cell, benchmark):
        level = levels.get((cell.arm, cell.distribution), levels.get(cell.arm, 0.5))
        return drawn(cell, level + wobble * (cell.seed % 3 - 1), items, noise)

    return outcomes


AHEAD = outcomes_of({"base": 0.4, "sft": 0.8, "grpo": 0.5, ("sft", "foreign"): 0.3})
BEHIND = outcomes_of({"base": 0.4, "sft": 0.5, "grpo": 0.8, ("sft", "foreign"): 0.7})
ALIKE = outcomes_of({"base": 0.4, "sft": 0.5, "grpo": 0.5, ("sft", "foreign"): 0.5})


_WHOLE = {}


def whole_bundle(grid):
    """The bundle of all cells; one for all tests that change nothing of it."""
    if "bundle" not in _WHOLE:
        _WHOLE["bundle"] = memory_bundle(grid, AHEAD)
    return _WHOLE["bundle"]


def found(bundle):
    """What came of each claim, by id."""
    return {one.claim.id: one for one in results(bundle)}


def verdicts(bundle):
    return {name: one.verdict for name, one in found(bundle).items()}


# --- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (AHEAD, {WEAK: "supported", "capacity-strong": "contradicted", "scale": "supported",
                 "transfer": "supported", "distribution-in": "supported"}),
        (BEHIND, {WEAK: "contradicted", "capacity-strong": "supported", "scale": "contradicted",
                  "transfer": "contradicted", "distribution-in": "contradicted"}),
        (ALIKE, {WEAK: "inconclusive", "capacity-strong": "inconclusive",
                 "distribution-in": "inconclusive"}),
    ],
    ids=["SFT ahead", "RL ahead", "alike"],
)  # fmt: skip
def test_a_claim_can_come_out_either_way(grid, outcomes, expected):
    came = verdicts(memory_bundle(grid, outcomes))
    assert {name: came[name] for name in expected} == expected


def test_the_estimate_is_the_mean_over_models_of_the_paired_differences(grid):
    one = found(memory_bundle(grid, AHEAD))[WEAK]
    differences = [
        [
            AHEAD(grid.cell(f"{model}/same-family/2000/sft/seed{seed}"), "iid")
            - AHEAD(grid.cell(f"{model}/same-family/2000/grpo/seed{seed}"), "iid")
            for seed in (1, 2, 3)
        ]
        for model in ("llava-w32", "qwen3vl-w32")
    ]
    assert one.measured.estimate.value == pytest.approx(np.mean(differences))
    assert [of.runs for of in one.measured.models] == [3, 3]
    for of, model in zip(one.measured.models, differences, strict=True):
        assert of.estimate.value == pytest.approx(np.mean(model))
    assert one.measured.runs == 6 and one.measured.items == 40
    assert one.measured.heterogeneity is not None


def test_one_seed_never_gets_a_verdict(tmp_path):
    bundle = memory_bundle(small_grid(tmp_path, seeds=(1,)), AHEAD)
    came = found(bundle)
    assert not {one.verdict for one in came.values()} & DECIDED
    assert not {one.alone for one in came.values()} & DECIDED
    assert came[WEAK].verdict == "not enough runs"
    shown = as_json(came[WEAK])
    assert shown["items_only"] and shown["covers"] == ["items"] and shown["p"] is None
    assert shown["estimate"]["low"] < shown["estimate"]["value"] == pytest.approx(0.3)


def test_what_the_interval_covers_follows_from_what_the_runs_are(tmp_path):
    plain = as_json(found(memory_bundle(small_grid(tmp_path), AHEAD))[WEAK])
    assert plain["covers"] == ["seeds", "items"] and plain["not_covered"] == ["bases", "rows"]
    grid = small_grid(tmp_path, bases=3, row_draws=True)
    whole = memory_bundle(grid, AHEAD, rows_hash=lambda cell: f"r{cell.seed}")
    shown = as_json(found(whole)[WEAK])
    assert shown["covers"] == ["bases", "rows", "seeds", "items"] and not shown["not_covered"]


def test_a_verdict_needs_the_budget_that_the_claim_names(grid):
    claim = CLAIMS[WEAK]
    matched = claim.model_copy(
        update={"estimand": claim.estimand.model_copy(update={"budget": "updates"})}
    )
    for updates, state in ((lambda cell: 100, "supported"), (spent_by_kind, "not run")):
        bundle = memory_bundle(grid, AHEAD, updates=updates)
        bundle.study["claims"][WEAK] = matched.content
        one = found(bundle)[WEAK]
        assert one.verdict == state
    assert "updates: 300 and 160" in one.measured.reason


def spent_by_kind(cell):
    return 300 if cell.arm == "sft" else 160


def test_a_claim_may_be_about_less(grid):
    """The same estimate on the same side of the margin, and the other rule."""
    bundle = memory_bundle(grid, AHEAD)
    bundle.study["claims"][WEAK]["rule"] = "below"
    assert found(bundle)[WEAK].verdict == "contradicted"


def test_budgets_are_matched_or_not(grid):
    flops = memory_bundle(grid, AHEAD, flops=lambda cell: 1.2 if cell.arm == "sft" else 1.0)
    pair = tuple(f"llava-w32/same-family/2000/{arm}/seed1" for arm in ("sft", "grpo"))
    assert unmatched(flops, "own", [pair]) == unmatched(flops, "updates", [pair]) == ""
    assert "1.2 and 1" in unmatched(flops, "flops", [pair])
    for last, expected in ((0.5, ""), (0.8, pair[0])):
        probed = probing(flops, pair, [0.2, 0.5, 0.5, last])
        assert expected in unmatched(probed, "plateau", [pair])
        assert bool(unmatched(probed, "plateau", [pair])) is bool(expected)
    assert "not recorded" in unmatched(flops, "plateau", [pair])


def probing(bundle, cells, curve):
    """The bundle with a curve of the probe for some cells, and no other history."""
    axes = {"kind": "rl", "metric": "probe_accuracy"}
    rows = [
        {**axes, "cell": cell, "step": step, "value": value}
        for cell in cells
        for step, value in enumerate(curve)
    ]
    return replace(bundle, history=pd.DataFrame(rows))


def test_budgets_are_matched_run_by_run(grid):
    """That the sides agree on average is no agreement."""

    def crosswise(cell):
        return 100 if (cell.arm == "sft") is (cell.model == "llava-w32") else 200

    bundle = memory_bundle(grid, AHEAD, updates=crosswise)
    bundle.study["claims"][WEAK]["estimand"]["budget"] = "updates"
    one = found(bundle)[WEAK]
    assert one.verdict == "not run" and "100 and 200" in one.measured.reason


def test_a_claim_about_models_in_general_takes_five_of_them(grid):
    bundle = memory_bundle(grid, AHEAD)
    bundle.study["claims"][WEAK]["estimand"]["cells"]["scope"] = "population"
    one = found(bundle)[WEAK]
    assert one.verdict == "not enough runs" and one.measured.estimate is None
    assert "5 models" in one.measured.reason and len(one.measured.models) == 2


def test_items_that_all_cells_lack_are_missed(grid):
    bundle = memory_bundle(grid, AHEAD)
    bundle.study["pool"] = {name: {"items": 41} for name in ("iid", "dense", "text")}
    for name, one in found(bundle).items():
        assert one.verdict == "not run", name
        assert re.search(r"40 items were scored.*41", one.measured.reason)
    bundle.study["pool"] = {name: {"items": 40} for name in ("iid", "dense", "text")}
    assert found(bundle)[WEAK].verdict == "supported"


# --- reliability ----------------------------------------------------------------------------------


def test_reliability_is_spread_and_improvement_not_the_mean(tmp_path):
    """SFT and RL are equally good on average, but RL's runs differ and some are below the base."""

    def outcomes(cell, benchmark):
        if cell.arm == "base":
            return drawn(cell, 0.4, 100, 0.0)
        level = 0.6 + (0.01 if cell.arm == "sft" else 0.3) * (-1) ** cell.seed
        return drawn(cell, level, 100, 0.0)

    came = found(memory_bundle(small_grid(tmp_path, seeds=range(1, 9)), outcomes))
    assert came[WEAK].alone == "inconclusive"
    spread = came["reliability-spread"]
    assert spread.verdict == "supported"
    assert spread.measured.estimate.value == pytest.approx(30, rel=0.1)
    improving = came["reliability-improving"]
    assert improving.verdict == "supported"
    assert improving.measured.estimate.value == pytest.approx(0.5)
    assert "8 of 8 against 4 of 8" in as_json(improving)["models"][0]["detail"]


def test_runs_that_move_in_step_prove_no_ratio(grid):
    """Both arms of this bundle differ between runs by exactly the same."""
    one = found(memory_bundle(grid, AHEAD))["reliability-spread"]
    assert (
        one.alone == "inconclusive" and one.measured.estimate.low < 1 < one.measured.estimate.high
    )


def test_an_arm_without_spread_says_so(grid):
    bundle = memory_bundle(grid, lambda cell, _: np.ones(40))
    one = found(bundle)["reliability-spread"]
    assert one.verdict == "not enough runs" and "all score the same" in one.measured.reason


# --- what is missing ------------------------------------------------------------------------------


def of_model(grid, model, arm="grpo"):
    return [c for c in grid.cells if c.startswith(f"{model}/same-family/2000/{arm}/")]


def test_a_claim_that_lost_a_model_is_not_run(grid):
    gone = of_model(grid, "qwen3vl-w32")
    one = found(lose(whole_bundle(grid), gone))[WEAK]
    assert one.verdict == one.alone == "not run" and one.p is None
    assert "qwen3vl-w32" in one.measured.reason and one.measured.estimate is None
    assert one.measured.missing == tuple(gone)
    assert [(of.model, of.runs, of.planned) for of in one.measured.models] == [
        ("llava-w32", 3, 3), ("qwen3vl-w32", 0, 3),
    ]  # fmt: skip


def test_a_claim_without_any_result_is_not_run(grid):
    gone = [cell for cell in grid.cells if "-w32/" in cell]
    one = found(lose(whole_bundle(grid), gone))[WEAK]
    assert one.verdict == "not run" and len(one.measured.missing) == len(one.measured.cells) == 12


def test_a_lost_run_is_named_and_its_partner_does_not_count(grid):
    gone = of_model(grid, "qwen3vl-w32")[:1]
    one = found(lose(whole_bundle(grid), gone))[WEAK]
    assert one.verdict in DECIDED and one.measured.missing == tuple(gone)
    assert [(of.runs, of.planned) for of in one.measured.models] == [(3, 3), (2, 3)]
    assert one.measured.runs == 5


def test_a_model_with_one_run_left_decides_nothing(grid):
    gone = of_model(grid, "qwen3vl-w32")[:2]
    one = found(lose(whole_bundle(grid), gone))[WEAK]
    assert one.verdict == "not enough runs" and "qwen3vl-w32" in one.measured.reason


@pytest.mark.parametrize("claim", [WEAK, "reliability-improving", "deception"])
def test_a_missing_item_is_an_error_that_names_it(tmp_path, claim):
    grid = small_grid(tmp_path)
    victim = "llava-w32/same-family/2000/grpo/seed2"

    def outcomes(cell, benchmark):
        whole = AHEAD(cell, benchmark)
        return whole[:-1] if cell.id == victim and benchmark == "iid" else whole

    bundle = memory_bundle(grid, outcomes)
    bundle.study["claims"] = {claim: CLAIMS[claim].content}
    with pytest.raises(ReassessError, match=rf"{victim}.*iid-039.*'iid'"):
        results(bundle)


@settings(max_examples=6)
@given(data=st.data())
def test_no_lost_cell_changes_a_verdict_silently(grid, data):
    """Whatever is lost: a verdict that changes says which cells are missing; none becomes easier."""
    cells = sorted(grid.cells)
    gone = set(data.draw(st.lists(st.sampled_from(cells), max_size=12)))
    whole, less = found(whole_bundle(grid)), found(lose(whole_bundle(grid), gone))
    for name, before in whole.items():
        after = less[name]
        if as_json(before) | DERIVED != as_json(after) | DERIVED:
            said = set(after.measured.missing) & gone or after.measured.reason
            assert said, name
        lacking = {of.model for of in after.measured.models if not of.runs}
        paired = after.claim.estimand.cells is not None
        if lacking or (paired and any(of.runs < 2 for of in after.measured.models)):
            assert after.verdict not in DECIDED
        assert after.family == before.family and after.measured.cells == before.measured.cells


DERIVED = {"adjusted_p": None, "verdict": None}  # of all claims of a family together
ARMS = ("base", "sft", "grpo", "sft-grpo", "format-reward")
NAMED = ("detail", "missing", "reason")  # fields that name arms


@settings(max_examples=3)
@given(names=st.permutations(("zero", *ARMS[1:])))
def test_names_of_arms_decide_nothing(grid, names):
    before = whole_bundle(grid)
    names = dict(zip(ARMS, names, strict=True))
    study = renamed(before.study, names)

    def cell(name):
        *axes, arm, seed = name.split("/")
        return "/".join([*axes, names[arm], seed])

    frames = [
        frame.assign(cell=frame["cell"].map(cell), method=frame["method"].map(names))
        for frame in (before.scores.frame(), before.history, before.manifests)
    ]
    scores = type(before.scores).of_frame(frames[0], before.scores._texts)
    after = replace(
        before, scores=scores, history=frames[1], manifests=frames[2], study=study, known={}
    )
    expected, got = ([as_json(one) for one in results(one)] for one in (before, after))
    for one in (*expected, *got):
        for field in NAMED:
            one.pop(field)
        for of in one["models"]:
            of.pop("detail")
    assert got == expected


# --- families and registration --------------------------------------------------------------------


def test_verdicts_are_adjusted_for_every_registered_claim(grid):
    gone = of_model(grid, "qwen3vl-w32")
    came = found(lose(whole_bundle(grid), gone))
    names = [name for name, one in came.items() if one.p is not None]
    rest = len(CLAIMS) - len(names)
    assert rest  # some are not run or undecided: they count all the same
    adjusted = holm([came[name].p for name in names] + [1.0] * rest)
    for name, p in zip(names, adjusted):
        assert came[name].adjusted == pytest.approx(p) and came[name].family == len(CLAIMS)


def test_what_alone_is_decided_may_be_open_in_its_family():
    part = Part(0.1, 30.0)
    estimate = MeanEstimate(
        0.22,
        part,
        None,
        Part(0.0, 9.0),
        Part(0.0, 9.0),
        (-1.0, 1.0),
        ("seeds", "items"),
        6,
        6,
        1,
        9,
    )
    p = estimate.p_value(0.0)
    one = Result(CLAIMS[WEAK], Measurement("measured", estimate=estimate), p, 11 * p, 11, None)
    assert 0.01 < p < 0.05 and (one.alone, one.verdict) == ("supported", "inconclusive")


def test_a_withdrawn_claim_counts_in_its_family_and_is_named(grid, tmp_path):
    bundle = memory_bundle(grid, AHEAD)
    before = found(bundle)[WEAK]
    del bundle.study["claims"]["deception"], bundle.study["claims"]["scale-small"]
    after = found(bundle)[WEAK]
    assert after.family == before.family and after.adjusted >= before.adjusted
    write_claims(bundle, tmp_path / "claims.json")
    written = {one["id"]: one for one in read_json(tmp_path / "claims.json")}
    assert written["deception"]["registered"] == "withdrawn after the run"
    page = (tmp_path / "claims.html").read_text()
    assert "withdrawn after the run" in page and CLAIMS[WEAK].statement in page


@pytest.mark.parametrize(
    ("registered", "margin", "state"),
    [
        (True, 0.0, "registered before the run"),
        (True, -0.1, "changed after the run"),
        (False, 0.0, "not registered before the run"),
    ],
)
def test_a_result_says_whether_its_claim_stood_before_the_run(grid, registered, margin, state):
    bundle = memory_bundle(grid, AHEAD, registered=registered)
    bundle.study["claims"][WEAK]["margin"] = margin
    assert as_json(found(bundle)[WEAK])["registered"] == state


def test_what_is_written_is_plain_json_and_names_no_number_of_seeds_for_runs(grid, tmp_path):
    write_claims(whole_bundle(grid), tmp_path / "claims.json")
    text = (tmp_path / "claims.json").read_text()
    json.loads(text, parse_constant=pytest.fail)
    page = (tmp_path / "claims.html").read_text()
    for written in (text, page):
        assert "6 seeds" not in written and "pairs of runs" not in written
    assert "6 runs, 40 items" in page


def test_a_share_is_in_per_cent_a_difference_in_points_and_a_ratio_in_neither(grid, tmp_path):
    write_claims(whole_bundle(grid), tmp_path / "claims.json")
    units = {one["id"]: one["unit"] for one in read_json(tmp_path / "claims.json")}
    assert units["deception"] == "percent" and units["reliability-spread"] == "ratio"
    assert {units[name] for name in units} == {"percent", "ratio", "points"}
    page = (tmp_path / "claims.html").read_text()
    assert "above 25 %" in page and "above 1<" in page and "above -2 points" in page


# --- what is lost or changed makes nothing easier -------------------------------------------------


def test_models_that_lose_a_base_still_share_their_rows(tmp_path):
    def outcomes(cell, benchmark):
        level = {"sft": 0.6, "grpo": 0.5}.get(cell.arm, 0.4) + 0.1 * (cell.arm == "sft") * (
            (-1) ** (cell.seed // 2)
        )
        return drawn(cell, level, 100, 0.3)

    grid = small_grid(tmp_path, seeds=(1, 2, 3, 4), bases=2, row_draws=True)
    whole = memory_bundle(grid, outcomes, rows_hash=lambda cell: f"r{cell.seed}")
    lost = lose(whole, [f"qwen3vl-w32/same-family/2000/grpo/seed{seed}" for seed in (2, 4)])
    before, after = (found(one)[WEAK].measured.estimate for one in (whole, lost))
    assert "rows" in before.covers and "rows" in after.covers
    assert before.by_rows.freedom == after.by_rows.freedom == 1
    assert after.half_width > before.half_width / 2


def test_claims_that_leave_a_family_after_the_run_still_count_in_it(grid):
    whole = memory_bundle(grid, AHEAD)
    before = found(whole)[WEAK].adjusted
    for name, claim in whole.study["claims"].items():
        if name != WEAK:
            claim["family"] = "another"
    after = found(whole)
    assert after[WEAK].adjusted >= before
    assert after[WEAK].family == len(CLAIMS)
    assert after["transfer"].registered == "changed after the run"


def only(bundle, keep):
    """The bundle with the RL runs from a base that a condition holds for."""
    rl = [cell for cell in bundle.manifests["cell"] if "/grpo/" in cell]
    return lose(bundle, [cell for cell in rl if not keep(cell)])


def test_one_run_of_each_configuration_is_no_share(grid):
    seed_of = {"llava-w32": 1, "qwen3vl-w32": 2, "llava-w64": 3, "qwen3vl-w64": 1}
    whole = memory_bundle(grid, AHEAD)
    single = only(whole, lambda cell: cell.endswith(f"seed{seed_of[cell.split('/')[0]]}"))
    one = found(single)["deception"]
    assert (
        one.verdict == "not enough runs" and "one run of each configuration" in one.measured.reason
    )


def test_a_model_that_one_side_lost_is_missing(tmp_path):
    grid = small_grid(tmp_path)
    whole = memory_bundle(grid, AHEAD)
    assert found(whole)["deception-cold-start"].measured.state == "measured"
    gone = [cell for cell in grid.cells if cell.startswith("llava-w32") and "/sft-grpo/" in cell]
    one = found(lose(whole, gone))["deception-cold-start"]
    assert one.verdict == "not run" and "llava-w32 on one side" in one.measured.reason


def test_shares_are_compared_on_what_both_sides_plan(tmp_path):
    grid = small_grid(tmp_path)
    one = found(memory_bundle(grid, AHEAD))["deception-cold-start"]
    assert {model.model for model in one.measured.models} == {"llava-w32", "llava-w64"}
    assert {cell.split("/")[2] for cell in one.measured.cells if "/same-family/" in cell} == {
        "20",
        "200",
    }


def grid_with(grid, folder, studies):
    """The grid with other studies."""
    evaluation, seeds = grid.config.evaluation, grid.config.seeds
    return grid_in(
        folder, "config/full-micro.yaml", studies=studies, evaluation=evaluation, seeds=seeds
    )


def test_a_model_that_the_config_plans_on_one_side_only_is_named(tmp_path):
    grid = small_grid(tmp_path)
    capacity = grid.config.studies["capacity"]
    alone = capacity.model_copy(update={"models": ["qwen3vl-w32"], "methods": ["base", "sft"]})
    others = capacity.model_copy(
        update={"models": [name for name in capacity.models if name != "qwen3vl-w32"]}
    )
    studies = {**grid.config.studies, "capacity": others, "alone": alone}
    one = found(memory_bundle(grid_with(grid, tmp_path / "other", studies), AHEAD))[WEAK]
    assert [model.model for model in one.measured.models] == ["llava-w32"]
    assert "planned on one side only: qwen3vl-w32" in one.measured.detail
