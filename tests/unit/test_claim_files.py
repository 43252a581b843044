"""Claims as files: what a file may say, what it is refused for, and that every change shows."""

from datetime import date

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from synthetic import ROOT, grid_in

from reassess.config.claims import (
    CLAIMS,
    Claim,
    claim_of,
    contents,
    hash_of_claims,
    read_claims,
)
from reassess.core.errors import ReassessError
from reassess.core.files import canonical_json


def content(**changes):
    """The content of a claim's file, with changes at dotted places."""
    found = yaml.safe_load((CLAIMS / "capacity-weak.yaml").read_text())
    for place, value in changes.items():
        *parents, last = place.split("__")
        where = found
        for parent in parents:
            where = where[parent]
        if value is None:
            del where[last]
        else:
            where[last] = value
    return found


def write(folder, found, name=None):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name or found['id']}.yaml"
    path.write_text(yaml.safe_dump(found))
    return path


def test_the_projects_claims_say_who_claims_what_of_which_cells_and_since_when():
    claims = read_claims()
    assert len(claims) == len([*CLAIMS.glob("*.yaml")]) == 11
    for name, claim in claims.items():
        assert claim.id == name and claim.source and claim.statement
        assert claim.date >= date(2026, 11, 29)
    assert len({claim.family for claim in claims.values()}) == 1
    assert {claim.estimand.quantity for claim in claims.values()} >= {
        "accuracy difference",
        "spread ratio",
        "deceptive share",
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"margin": None}, "margin: missing"),
        ({"certainty": "rumour"}, "certainty: found 'rumour'"),
        ({"marign": 0.0}, "did you mean 'margin'?"),
        ({"rule": "abvoe"}, "did you mean 'above'?"),
        ({"version": 0}, "version: found 0"),
        ({"margin": float("nan")}, "margin: found nan"),
        ({"date": "someday"}, "date: found 'someday'"),
        ({"estimand__cells__pair": 0}, "estimand.cells.pair: found 0"),
        ({"estimand__first__name": "sft"}, "estimand.first.name"),
        ({"estimand__first__kind": "sft"}, "`kind`"),
        ({"estimand__second": None}, "`second` is required"),
        ({"estimand__cells": None}, "`cells` is required"),
        ({"estimand__thresholds": {"room": 0.1, "accuracy": 0.0}}, "`thresholds` is not used"),
        ({"estimand__quantity": "deceptive share"}, "`second` is not used"),
        ({"estimand__first": {"kind": "sft", "start": "base"}}, "give `method`"),
        ({"estimand__first": {"method": "sft", "start": "base"}}, "give `traces`"),
        ({"estimand__cells__scope": "all"}, "estimand.cells.scope: found 'all'"),
        (
            {"estimand__cells__scope": "population", "estimand__quantity": "spread ratio"},
            "`cells.scope` is not used",
        ),
        ({"statement": "two\nlines"}, "statement"),
        ({"margin": 2.0}, "two points are 0.02"),
        ({"margin": 0.0, "estimand__quantity": "spread ratio"}, "`margin` is 0"),
        (
            {"estimand__benchmark": "text", "estimand__quantity": "difference of improving shares"},
            "benchmark `main`",
        ),
    ],
)
def test_what_a_file_gets_wrong_is_named_with_file_and_key(tmp_path, changes, said):
    path = write(tmp_path / "claims", content(**changes), "capacity-weak")
    with pytest.raises(ReassessError) as raised:
        read_claims([path.parent])
    assert str(path) in str(raised.value) and said in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"benchmark": "text"}, "benchmark `main`"),
        ({"budget": "updates"}, "`own` budget"),
        ({"first": {"kind": "rl", "start": "base", "traces": "foreign"}}, "give `kind: rl` alone"),
        ({"first": {"method": "grpo", "start": "base"}}, "give `kind: rl` alone"),
        ({"first": {"kind": "sft", "start": "base"}}, "give `kind: rl` alone"),
    ],
)
def test_what_a_share_of_deceptive_runs_does_not_look_at_is_refused(tmp_path, changes, said):
    found = read_claims()["deception"].content
    found["estimand"] |= changes
    path = write(tmp_path / "claims", found)
    with pytest.raises(ReassessError) as raised:
        read_claims([path.parent])
    assert said in str(raised.value)


def test_a_folder_adds_claims_and_replaces_none(tmp_path):
    mine = write(tmp_path / "mine", content(id="of-mine")).parent
    assert {*read_claims([mine])} == {*read_claims(), "of-mine"}
    write(mine, content())
    with pytest.raises(ReassessError, match=r"capacity-weak.*mine/capacity-weak\.yaml"):
        read_claims([mine])
    with pytest.raises(ReassessError, match="absent"):
        read_claims([tmp_path / "absent"])


def test_a_file_is_called_as_its_claim(tmp_path):
    path = write(tmp_path / "mine", content(id="of-mine"), "another")
    with pytest.raises(ReassessError, match=r"another\.yaml.*of-mine\.yaml"):
        read_claims([path.parent])


def test_a_claim_about_a_method_that_does_not_exist_is_refused_by_the_grid(tmp_path):
    found = content(id="of-mine", estimand__first__method="grppo")
    grid = grid_in(tmp_path, claims=[write(tmp_path / "mine", found).parent])
    with pytest.raises(ReassessError, match=r"of-mine.*did you mean 'grpo'"):
        _ = grid.claims


def test_claims_are_in_no_spec_and_in_no_bundles_config(tmp_path):
    plain = grid_in(tmp_path)
    other = grid_in(tmp_path, claims=[write(tmp_path / "mine", content(id="of-mine")).parent])
    assert "of-mine" in other.claims
    for name, cell in plain.cells.items():
        assert plain.specs.evaluation_hash(cell) == other.specs.evaluation_hash(other.cells[name])


def paths_of(value, at=()):
    """Yield the place of every plain value."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from paths_of(part, (*at, key))
    else:
        yield at


CONTENT = read_claims()["capacity-weak"].content
OTHER = {str: "other", float: 0.5, int: 7}


@pytest.mark.parametrize("place", [*paths_of(CONTENT)], ids=".".join)
def test_any_change_changes_the_digest(place):
    """Also of fields that only words stand in: a statement can be turned round after a look."""
    changed = yaml.safe_load(yaml.safe_dump(CONTENT))
    where = changed
    for key in place[:-1]:
        where = where[key]
    where[place[-1]] = {
        "certainty": "ours", "rule": "below", "models": "strong", "benchmark": "text",
        "decoding": "greedy", "budget": "updates", "start": "sft",
        "quantity": "difference of improving shares",
        "traces": "foreign", "date": "2027-01-01",
    }.get(place[-1], OTHER[type(where[place[-1]])])  # fmt: skip
    if changed != CONTENT:
        assert Claim.model_validate(changed).digest != Claim.model_validate(CONTENT).digest


@given(st.permutations(sorted(CONTENT)), st.permutations(sorted(CONTENT["estimand"])))
def test_the_digest_is_of_the_content_not_of_its_order(keys, inner):
    turned = {key: CONTENT[key] for key in keys}
    turned["estimand"] = {key: CONTENT["estimand"][key] for key in inner}
    claim = claim_of(turned, ROOT)
    assert claim.digest == read_claims()["capacity-weak"].digest
    assert canonical_json(claim.content) == canonical_json(CONTENT)


def test_the_hash_of_all_claims_shows_each():
    claims = read_claims()
    assert contents(claims).keys() == claims.keys()
    fewer = {name: claim for name, claim in claims.items() if name != "scale"}
    assert hash_of_claims(fewer) != hash_of_claims(claims)


def test_the_page_on_claims_lists_each_with_its_statement_and_margin():
    page = (ROOT / "docs/claims.md").read_text()
    for name, claim in read_claims().items():
        decided = f"{claim.estimand.quantity} {claim.rule} {claim.margin:g}"
        assert f"| `{name}` | {claim.statement} | {decided} |" in page
