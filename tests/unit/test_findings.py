"""The tables of README: those of the committed run, each verdict with its conditions."""

import re

import pytest
from memory import drawn, lose, memory_bundle, small_grid

from reassess.analysis import findings
from reassess.analysis.bundle import Bundle
from reassess.analysis.claims import as_json, results
from reassess.analysis.select import accuracy
from reassess.core.errors import ReassessError

LEVELS = {"base": 0.3, "sft": 0.8, "grpo": 0.5}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    grid = small_grid(tmp_path_factory.mktemp("findings"))
    return memory_bundle(grid, lambda cell, _: drawn(cell, LEVELS.get(cell.arm, 0.4)))


def rows_of(table):
    head, line, *rows = table.splitlines()
    columns = head.count("|")
    assert {row.count("|") for row in (line, *rows)} == {columns}
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@pytest.mark.slow
def test_readme_has_the_tables_of_the_committed_run():
    page = findings.PAGE.read_text(encoding="utf-8")
    reference = Bundle.load(findings.REFERENCE / "bundle")
    assert findings.with_tables(page, reference) == page, f"write them anew: {findings.COMMAND}"


def test_every_model_has_its_accuracies(bundle):
    rows = rows_of(findings.accuracy_table(bundle))
    assert [row[0].split()[0] for row in rows] == list(bundle.study["models"])
    for name, *levels in rows:
        of = {"model": name.split()[0], "benchmark": bundle.benchmarks("main")}
        at = {"size": 2000, "distribution": "same-family"}
        due = [accuracy(bundle, method="base", **of)]
        due += [accuracy(bundle, method=arm, **at, **of) for arm in ("sft", "grpo")]
        assert levels[:3] == [one.in_percent() for one in due]
        ahead, low, high = map(float, re.findall(r"[+-][0-9.]+", levels[3]))
        assert ahead == pytest.approx(100 * (due[1].value - due[2].value), abs=0.06)
        assert low < ahead < high


def test_every_claim_has_its_verdict_and_estimates_by_model(bundle):
    rows, claims = rows_of(findings.verdict_table(bundle)), map(as_json, results(bundle))
    for row, claim in zip(rows, claims, strict=True):
        assert row[0].startswith(claim["statement"])
        assert f"**{claim['verdict']}**" in row[1]
        for one in claim["models"]:
            assert (f"{one['model']}: " in row[2]) is (one["estimate"] is not None)
        assert not claim["items"] or f"{claim['items']} items" in row[3]


def test_what_was_not_run_says_why(bundle):
    lost = bundle.manifests.query("model == 'llava-w32' and method == 'grpo'")
    table = rows_of(findings.verdict_table(lose(bundle, {*lost["cell"]})))
    (weak,) = [row for row in table if row[0] == "On weak models SFT helps more than RL"]
    assert weak[1].startswith("**not run**<br>") and "llava-w32" in weak[1]


def test_a_run_without_sft_and_grpo_has_no_accuracies(bundle):
    trained = bundle.manifests.query("kind != 'none'")
    with pytest.raises(ReassessError, match="SFT and GRPO"):
        findings.accuracy_table(lose(bundle, {*trained["cell"]}))
