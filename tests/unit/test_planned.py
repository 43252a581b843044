"""Which cells a claim is about: by what the config plans, whatever has results or which name."""

import json
from dataclasses import replace

import pytest
from synthetic import ROOT, grid_in

from reassess.analysis.planned import NotPlanned, Plan
from reassess.bundles.collect import study_of
from reassess.config.claims import Side, read_claims
from reassess.grid.cells import Cell
from reassess.grid.study import Grid

CLAIMS = read_claims()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return study_of(grid_in(tmp_path_factory.mktemp("full"), "config/full-micro.yaml"), {})


def changed(study, change):
    """A copy of a study's terms, changed."""
    copy = json.loads(json.dumps(study))
    change(copy)
    return copy


def renamed(study, arms=None, distributions=None):
    """The terms of a study with arms and distributions under other names."""
    arms, distributions = arms or {}, distributions or {}

    def cell(name):
        found = Cell.of_id(name)
        traces = distributions.get(found.distribution, found.distribution)
        return replace(found, arm=arms.get(found.arm, found.arm), distribution=traces).id

    def change(copy):
        copy["arm_order"] = [arms.get(name, name) for name in copy["arm_order"]]
        copy["arms"] = {arms.get(name, name): one for name, one in copy["arms"].items()}
        for one in copy["arms"].values():
            if one.get("start", "base") != "base":
                one["start"] = arms.get(one["start"], one["start"])
        config = copy["config"]
        config["distributions"] = {
            distributions.get(name, name): one for name, one in config["distributions"].items()
        }
        for terms in copy["studies"].values():
            terms["cells"] = [cell(name) for name in terms["cells"]]

    return changed(study, change)


def pairs_of(study, claim):
    return Plan(study, {}).pairs(CLAIMS[claim].estimand)


@pytest.mark.parametrize(
    ("claim", "first", "second", "sizes", "models"),
    [
        ("capacity-weak", "sft", "grpo", (2000, 2000), ["llava-w32", "qwen3vl-w32"]),
        ("capacity-strong", "grpo", "sft", (2000, 2000), ["llava-w64", "qwen3vl-w64"]),
        ("scale", "sft", "grpo", (200, 2000), ["llava-w32", "llava-w64"]),
        ("scale-small", "sft", "grpo", (20, 200), ["llava-w32", "llava-w64"]),
    ],
)
def test_a_claim_finds_its_cells(study, claim, first, second, sizes, models):
    found = pairs_of(study, claim)
    assert (found.first, found.second) == ((first, "same-family"), (second, "same-family"))
    assert found.sizes == sizes and list(found.models) == models
    assert set(found.seeds.values()) == {(1, 2, 3)}
    assert len(found.cells) == 2 * 3 * len(models)
    assert {cell.id for cell in found.cells} <= set(Plan(study, {}).cells)


def test_traces_are_told_apart_by_who_writes_them(study):
    found = pairs_of(study, "distribution-in")
    assert (found.first, found.second) == (("sft", "same-family"), ("sft", "foreign"))
    names = {"same-family": "foreign", "foreign": "same-family"}
    swapped = renamed(study, distributions=names)
    found = pairs_of(swapped, "distribution-in")
    assert (found.first, found.second) == (("sft", "foreign"), ("sft", "same-family"))


@pytest.mark.parametrize("claim", [name for name in CLAIMS if CLAIMS[name].estimand.cells])
def test_names_of_arms_decide_nothing(study, claim):
    names = {"sft": "grpo", "grpo": "dapo", "dapo": "sft", "sft-grpo": "base-1", "grpo-half": "a"}
    names |= {"base": "sft-grpo"}
    before, after = pairs_of(study, claim), pairs_of(renamed(study, names), claim)
    assert after.first == (names[before.first[0]], before.first[1])
    assert after.second == (names[before.second[0]], before.second[1])
    assert (after.sizes, after.seeds) == (before.sizes, before.seeds)


def test_cells_that_have_no_results_are_planned_all_the_same(study):
    """Kinds come from the cells that a bundle has; where it has none, settings say."""
    kinds = {"base": "none", "sft": "sft", "grpo": "rl", "dapo": "rl", "sft-grpo": "rl"}
    known = Plan(study, kinds)
    for claim in (one for one in CLAIMS.values() if one.estimand.cells):
        assert known.pairs(claim.estimand) == Plan(study, {}).pairs(claim.estimand)


def test_of_arms_that_differ_in_settings_alone_none_is_chosen(study):
    def add_twin(copy):
        copy["arms"]["another"] = copy["arms"]["sft"] | {"learning_rate": 1.0}
        copy["arm_order"].append("another")
        for terms in copy["studies"].values():
            terms["cells"] += [one.replace("/sft/", "/another/") for one in terms["cells"]]

    with pytest.raises(NotPlanned, match="another, sft"):
        pairs_of(changed(study, add_twin), "capacity-weak")


def test_an_arm_of_one_study_does_not_replace_one_of_several(study):
    def add(copy):
        copy["arms"]["a"] = copy["arms"]["sft"] | {"max_steps": 9}
        copy["arm_order"].insert(0, "a")
        cells = copy["studies"]["scale"]["cells"]
        cells += [one.replace("/sft/", "/a/") for one in cells if "/sft/" in one]

    assert pairs_of(changed(study, add), "scale").first == ("sft", "same-family")


def test_the_budget_of_a_claim_tells_arms_of_epochs_from_arms_of_updates():
    study = study_of(Grid.load(ROOT / "config/paper.yaml"), {})
    claim = CLAIMS["capacity-weak"].estimand
    own = Plan(study, {}).pairs(claim)
    assert (own.first[0], own.second[0]) == ("sft", "grpo")
    names = {"sft": "sft-matched", "sft-matched": "sft", "grpo": "a", "grpo-matched": "grpo"}
    turned = Plan(renamed(study, names), {}).pairs(claim)
    assert (turned.first[0], turned.second[0]) == ("sft-matched", "a")
    matched = Plan(study, {}).pairs(claim.model_copy(update={"budget": "updates"}))
    assert (matched.first[0], matched.second[0]) == ("sft-matched", "grpo-matched")


def test_what_the_config_does_not_plan_is_said(study):
    with pytest.raises(NotPlanned, match="second pair of sizes.*200 and 2000"):
        pairs_of(without(study, "/20/"), "scale-small")
    with pytest.raises(NotPlanned, match="arm of grpo"):
        pairs_of(without(study, "/grpo"), "capacity-weak")
    with pytest.raises(NotPlanned, match="traces from elsewhere"):
        pairs_of(without(study, "/foreign/"), "distribution-in")


def without(study, part):
    """The terms of a study whose config plans no cell with a part of an id."""

    def drop(copy):
        for terms in copy["studies"].values():
            terms["cells"] = [one for one in terms["cells"] if part not in one]

    return changed(study, drop)


@pytest.mark.parametrize("start", ["base", "sft"])
def test_a_control_is_no_run_of_what_it_controls(study, start):
    plan = Plan(study, {})
    runs = plan.runs(Side(kind="rl", start=start))
    arms = {cell.arm for cell in runs}
    assert arms == ({"sft-grpo"} if start == "sft" else {"grpo", "dapo", "grpo-half"})
    assert any(cell.arm == "format-reward" for cell in plan.cells.values())


def test_a_run_starts_from_the_base_or_from_the_cell_of_its_cold_start(study):
    plan = Plan(study, {})
    for cell in plan.runs(Side(kind="rl", start="sft")):
        assert plan.start_of(cell) == cell.of_arm("sft")
    for cell in plan.runs(Side(kind="rl", start="base")):
        assert plan.start_of(cell).id == f"{cell.model}/base/seed{plan.base_of(cell.seed)}"
    lost = Plan(without(study, "/sft/"), {})
    assert {lost.start_of(cell) for cell in lost.runs(Side(kind="rl", start="sft"))} == {None}


def test_a_run_starts_from_the_replicate_of_its_seed(study):
    plan = Plan(changed(study, lambda copy: copy.update(bases=2)), {})
    for cell in plan.runs(Side(kind="rl", start="base")):
        assert plan.start_of(cell).seed == plan.base_of(cell.seed) == {1: 1, 2: 2, 3: 1}[cell.seed]
    one = Plan(changed(study, lambda copy: copy.pop("bases", None)), {})
    starts = {one.start_of(cell).seed for cell in one.runs(Side(kind="rl", start="base"))}
    assert starts == {1}
