"""Our verifier and the official rules of benchmarks: every line of the table in the docs."""

import pytest
from official import CASES, as_table, official_verdict

from reassess.core.project import ROOT
from reassess.verifier import grade

PAGE = ROOT / "docs" / "graders.md"
START, END = "<!-- cases -->\n", "<!-- end of cases -->"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.benchmark}-{case.reply[:24]}")
def test_both_verdicts_are_those_of_the_table(case):
    assert grade(case.reply, case.gold, case.kind).correct is case.ours
    assert official_verdict(case) is case.official


def test_every_benchmark_has_a_right_a_wrong_and_a_differing_case():
    by_benchmark = {}
    for case in CASES:
        by_benchmark.setdefault(case.benchmark, []).append(case)
    for name, cases in by_benchmark.items():
        assert any(case.ours for case in cases) and any(not case.ours for case in cases), name
        assert any(case.ours is not case.official for case in cases), name
    assert all(case.why for case in CASES if case.ours is not case.official)


def test_the_docs_show_these_cases():
    page = PAGE.read_text()
    assert page[page.index(START) + len(START) : page.index(END)] == as_table()
