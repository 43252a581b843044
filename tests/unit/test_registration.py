"""Claims and the runs that test them: what stood before a run, was changed after it, or withdrawn."""

import copy
import json
import shutil

import pandas as pd
import pytest
from finished import finish, kinds
from reference import Part, study
from synthetic import grid_in
from test_claim_files import content, write

from reassess.analysis.bundle import CATEGORIES, Bundle
from reassess.analysis.registration import claims_of, recorded, registration, withdrawn
from reassess.analysis.scores import Scores
from reassess.bundles.collect import study_of
from reassess.bundles.merge import study_of_both
from reassess.config.claims import digests, hash_of_claims, read_claims
from reassess.core.errors import ReassessError
from reassess.verify.claims import check_claims
from reassess.verify.stored import Stored

CLAIMS = read_claims()
CLAIM = CLAIMS["scale"]
NOW = digests(CLAIMS)
OTHER = {**NOW, "scale": "0" * 64}
LESS = {name: digest for name, digest in NOW.items() if name != "scale"}


def manifests(**trained):
    """Manifests of cells whose training recorded these digests; None: it recorded none."""
    rows = [("untouched", "none", {"train": {}, "evaluate": {}})]
    rows += [
        (cell, "sft", {"train": {} if one is None else {"claims": one}, "evaluate": {}})
        for cell, one in trained.items()
    ]
    rows.append(("failed", "sft", None))
    frame = [(cell, kind, None if one is None else json.dumps(one)) for cell, kind, one in rows]
    return pd.DataFrame(frame, columns=["cell", "kind", "manifest"])


@pytest.mark.parametrize(
    ("trained", "state"),
    [
        ({"a": NOW, "b": NOW}, "registered before the run"),
        ({"a": NOW, "b": LESS}, "not registered before the run"),
        ({"a": NOW, "b": None}, "not registered before the run"),
        ({"a": None}, "not registered before the run"),
        ({"a": NOW, "b": OTHER}, "changed after the run"),
        ({"a": None, "b": OTHER}, "changed after the run"),
        ({}, None),
    ],
)
def test_a_claim_stood_before_a_run_if_every_cell_has_its_digest(trained, state):
    records = recorded(manifests(**trained))
    assert {*records} == {*trained}
    cells = [*trained, "untouched", "failed", "elsewhere"]
    assert registration(CLAIM, cells, records) == state


@pytest.mark.parametrize(
    ("other", "state"), [(None, "registered before the run"), (OTHER, "changed after the run")]
)
def test_a_cell_that_does_not_test_a_claim_tells_only_whether_it_changed(other, state):
    records = recorded(manifests(a=NOW, b=other))
    assert registration(CLAIM, ["a"], records) == state
    assert registration(CLAIM, [], records) is None


def test_a_claim_that_was_registered_and_is_gone_is_named():
    records = recorded(manifests(a=NOW, b=None))
    fewer = {name: claim for name, claim in CLAIMS.items() if name != "scale"}
    assert withdrawn(fewer, records) == ["scale"] and withdrawn(CLAIMS, records) == []


def test_a_bundle_of_an_earlier_version_is_tested_by_the_claims_of_this_one(tmp_path):
    terms = study_of(grid_in(tmp_path), {})
    assert digests(claims_of(terms)) == NOW and terms["claims_hash"] == hash_of_claims(CLAIMS)
    del terms["claims"], terms["claims_hash"]
    assert digests(claims_of(terms)) == NOW


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda held: held["scale"].update(margin="low"), r"claims\.scale\.margin"),
        (lambda held: held["scale"].update(run="rm"), r"claims\.scale\.run"),
        (lambda held: held.update(mine=held["scale"]), r"claims\.mine.*'scale'"),
    ],
)
def test_what_is_no_claim_in_a_bundle_is_named(tmp_path, change, said):
    terms = copy.deepcopy(study_of(grid_in(tmp_path), {}))
    change(terms["claims"])
    with pytest.raises(ReassessError, match=said):
        claims_of(terms)


# --- merging --------------------------------------------------------------------------------------


def terms_with(tmp_path, name, **changes):
    """The terms of a grid with a further claim of its own."""
    folder = write(tmp_path / name, content(id="of-mine", **changes)).parent
    return study_of(grid_in(tmp_path, claims=[folder]), {})


def test_a_merge_has_the_claims_of_both(tmp_path):
    plain = study_of(grid_in(tmp_path), {})
    mine = terms_with(tmp_path, "one")
    for pair in ((plain, mine), (mine, plain)):
        merged = study_of_both(*pair)
        assert {*merged["claims"]} == {*CLAIMS, "of-mine"}
        assert merged["claims_hash"] == mine["claims_hash"] != plain["claims_hash"]


def test_a_merge_does_not_choose_between_two_versions_of_a_claim(tmp_path):
    terms = terms_with(tmp_path, "one"), terms_with(tmp_path, "two", margin=0.1)
    with pytest.raises(ReassessError, match="claim 'of-mine'"):
        study_of_both(*terms)


def test_a_merge_with_a_bundle_of_an_earlier_version_has_the_others_claims(tmp_path):
    now = study_of(grid_in(tmp_path), {})
    before = {name: part for name, part in now.items() if not name.startswith("claims")}
    assert study_of_both(before, now)["claims"] == now["claims"]
    assert "claims" not in study_of_both(before, before)


# --- collecting -----------------------------------------------------------------------------------


def test_a_changed_claim_is_collected_again_and_nothing_is_trained(tmp_path):
    folder = write(tmp_path / "mine", content(id="of-mine")).parent
    finish(grid_in(tmp_path, claims=[folder]))
    assert kinds(grid_in(tmp_path, claims=[folder])) == set()
    write(folder, content(id="of-mine", margin=0.1))
    assert kinds(grid_in(tmp_path, claims=[folder])) == {
        "collect", "draw_figure", "tabulate", "test_claims",
    }  # fmt: skip
    shutil.rmtree(tmp_path / "results/micro/cells")
    assert "collect" not in kinds(grid_in(tmp_path, claims=[folder]))


# --- verifying ------------------------------------------------------------------------------------

STUDY = {"scale": study("How much?", ["llava-w32"], ["base", "sft", "grpo"])}
TRAINED = [f"llava-w32/same-family/20/{arm}/seed1" for arm in ("sft", "grpo")]


def part():
    """A part of the reference run whose cells record the claims of today."""
    made = Part(STUDY)
    for cell in TRAINED:
        made.edit_manifest(cell, lambda record: record["train"].update(claims=NOW))
    return made


def checked(made, tmp_path):
    """What is found wrong, and the notes."""
    bundle = Bundle(
        Scores.of_frame(made.scores, CATEGORIES), made.history, made.manifests, made.study
    )
    notes = []
    return [*check_claims(Stored(tmp_path, bundle, [made.grid]), notes)], " ".join(notes)


def test_registered_claims_are_in_order(tmp_path):
    assert checked(part(), tmp_path) == ([], "")


def test_claims_of_another_hash_are_found(tmp_path):
    made = part()
    made.study["claims"]["scale"]["margin"] = -0.2
    wrong, notes = checked(made, tmp_path)
    assert len(wrong) == 1 and "claims_hash" in wrong[0]
    assert "changed after a run (scale)" in notes and "differ from those of this" in notes


def test_claims_without_a_hash_are_found(tmp_path):
    made = part()
    del made.study["claims_hash"]
    assert "claims_hash" in checked(made, tmp_path)[0][0]


def test_a_withdrawn_a_new_and_an_unregistered_claim_are_notes(tmp_path):
    made = part()
    held = made.study["claims"]
    held["mine"] = held.pop("scale") | {"id": "mine"}
    made.study["claims_hash"] = hash_of_claims(claims_of(made.study))
    wrong, notes = checked(made, tmp_path)
    assert wrong == []
    for said in ("withdrawn after the run (scale)", "none of this version's (mine)",
                 "not registered before all runs (mine)", "are missing (scale)"):  # fmt: skip
        assert said in notes


def test_a_bundle_without_claims_is_of_an_earlier_version(tmp_path):
    made = Part(STUDY)
    del made.study["claims"], made.study["claims_hash"]
    wrong, notes = checked(made, tmp_path)
    assert wrong == [] and "no claims are recorded" in notes
