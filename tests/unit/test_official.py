"""Our verifier and the official rules of benchmarks: every line of the tables in the docs."""

import pytest
from conventions import CONVENTIONS
from official import CASES, PAGE, TABLES, block, counts, official_verdict
from official_replies import BENCHMARKS, replies

from reassess.verifier import grade

NAMES = [name for name, *_ in BENCHMARKS]


@pytest.mark.parametrize("row", CONVENTIONS, ids=lambda row: f"{row.kind}-{row.gold}")
def test_answers_on_both_sides_of_each_convention(row):
    taken = [
        answer
        for answer in row.right + row.wrong
        if grade(f"\\boxed{{{answer}}}", row.gold, row.kind).correct
    ]
    assert taken == list(row.right)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.reply[:24]}")
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
    assert {case.rule for case in CASES} | {"mathvista_float"} == {
        rule for _, rule, *_ in BENCHMARKS
    }


@pytest.mark.parametrize("name", NAMES)
def test_on_generated_replies_ours_pays_for_no_wrong_answer(name):
    found = counts(name)
    assert found.replies >= 100
    assert found.paid[0] == 0


@pytest.mark.parametrize("row", BENCHMARKS, ids=NAMES)
def test_generated_replies_are_the_same_each_time_and_of_both_kinds(row):
    first, second = (list(replies(*row[2:])) for _ in range(2))
    assert first == second
    assert len({(reply.text, reply.question) for reply in first}) == len(first)
    assert {reply.right for reply in first} == {True, False}


STATED = ("boxed", "<answer>", "Answer:", "answer is", "####")


def test_every_right_answer_that_is_stated_as_one_is_taken():
    lost = [
        (reply.text, reply.question.gold)
        for _, _, questions, shapes in BENCHMARKS
        for reply in replies(questions, shapes)
        if reply.right and any(mark in reply.text for mark in STATED)
        if not grade(reply.text, reply.question.gold, reply.question.kind).correct
    ]
    assert lost == []


@pytest.mark.parametrize("name", TABLES)
def test_the_docs_show_these_tables(name):
    page = PAGE.read_text()
    start, end = block(page, name)
    assert page[start:end] == TABLES[name](), "python tests/official.py writes it again"
