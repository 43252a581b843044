"""Adapters of public data sets on rows of their sources' own layouts, and the items they become."""

import re
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from reassess.core.errors import ReassessError
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.verifier import grade
from reassess.verifier.comparison import verify
from reassess.verifier.golds import problem
from reassess.worlds.hub.answers import kind_of, plain
from reassess.worlds.hub.config import Prompt
from reassess.worlds.hub.items import (
    Dropped,
    HubItem,
    Row,
    messages_of,
    only_image,
    option_letter,
    without_markers,
)
from reassess.worlds.hub.source import benchmark_source, find_source, read_rows, source_names
from reassess.worlds.hub.testing.data_sets import find_example, write_data_set
from reassess.worlds.hub.world import hub_of


def rows_of(name, count=12):
    """What the adapter makes of the first rows of its example."""
    rows = []
    for raw in find_example(name).rows(count):
        try:
            rows += find_source(name).convert(raw)
        except Dropped:
            continue
    return rows


@pytest.mark.parametrize("name", source_names())
def test_every_adapter_has_an_example_and_reads_it_into_valid_rows(name):
    source, rows = find_source(name), rows_of(name)
    assert rows
    assert set(source.columns) <= set(find_example(name).row(0))
    for row in rows:
        assert row.question and "<image" not in row.question
        if row.options:
            assert row.answer in "ABCDEFGHIJ"[: len(row.options)]
        if row.image is not None:
            Image.open(BytesIO(row.image)).load()
    # MathVerse asks about several drawings in the same words.
    assert len({row.question for row in rows}) == len(rows) or name == "mathverse"


CONTINUED = re.compile(
    r"\$?(-?[0-9][0-9.]*)(?:\s*(?:[:/;,_-]|\^(?!\\circ)|\\(?:sqrt|frac|pi|times))|[a-z]).*"
)


@pytest.mark.parametrize("name", source_names())
def test_right_answers_verify_in_a_box_and_their_leading_numbers_do_not(name):
    rows = rows_of(name, count=48)
    for row in rows:
        answer, kind = row.reference_answer, row.answer_kind
        assert problem(answer, kind) is None, row
        if kind != "any":
            assert grade(rf"So it is. $\boxed{{{row.answer}}}$", answer, kind).correct, row
        if kind == "math" and (continued := CONTINUED.fullmatch(row.answer)):
            assert not grade(rf"So it is. \boxed{{{continued[1]}}}", answer, kind).correct, row
    assert len({row.reference_answer for row in rows}) > 1
    if name in ("geometry3k", "geoqa", "mmk12", "virl39k", "math500", "mathvision"):
        assert any(CONTINUED.fullmatch(row.answer) for row in rows)


@pytest.mark.parametrize("name", source_names())
def test_an_example_is_read_back_from_its_sources_own_file_format(name, tmp_path):
    source = find_source(name)
    write_data_set(name, tmp_path)
    for stored, raw in zip(read_rows(tmp_path, source), find_example(name).rows(4), strict=False):
        try:
            expected = list(source.convert(raw))
        except Dropped:
            continue
        assert list(source.convert(stored)) == expected


def test_a_source_without_an_example_is_told_which_file_to_write():
    with pytest.raises(ReassessError, match=r"'nothing'.*examples/nothing\.py.*row\(number\)"):
        find_example("nothing")


def test_every_source_that_the_paper_grid_names_exists():
    grid = Grid.load(ROOT / "config" / "paper.yaml")
    named = hub_of(grid).public.sources(grid.benchmarks)
    assert set(named) <= set(source_names())
    assert {benchmark_source(one) for one in grid.benchmarks.values()} <= set(named)


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("geoqa", {"solution": "145"}, "no answer in the solution"),
        ("mmk12", {"answer": " "}, "no answer"),
        ("mathvista", {"answer": ""}, "no answer"),
        ("mathvista", {"answer": "middle"}, "not exactly one of the options"),
        ("logicvista", {"answer": None}, "no answer"),
        ("virl39k", {"answer": "7"}, "not boxed"),
        ("virl39k", {"image": []}, "no picture"),
        ("wemath", {"option": "10; 20"}, "do not read as letters"),
        ("wemath", {"answer": "H"}, "do not read as letters"),
        ("mmmu", {"answer": "?"}, "no answer"),
        ("mmmu", {"image_2": {"bytes": b"x", "path": "y"}}, "several pictures"),
        ("gsm8k", {"answer": "18"}, "no answer"),
        (
            "ai2d",
            {"texts": [{"user": "What?", "assistant": "A leaf"}]},
            "not question, choices and letter",
        ),
        (
            "ai2d",
            {"texts": [{"user": "What?\nChoices:\nA. a\nB. b", "assistant": "Answer: C"}]},
            "not among the choices",
        ),
        ("eureka_distill", {"messages": [{"role": "user", "content": "x"}]}, "no assistant turn"),
        ("geometry3k", {"images": [{"bytes": None, "path": "x.png"}]}, "bytes are not in the file"),
    ],
)
def test_rows_that_cannot_be_used_are_dropped_with_the_reason(name, changes, reason):
    with pytest.raises(Dropped, match=reason):
        list(find_source(name).convert({**find_example(name).row(0), **changes}))


def test_options_of_gpqa_have_one_order_whenever_they_are_read():
    first, again = rows_of("gpqa_diamond"), rows_of("gpqa_diamond")
    assert first == again
    assert len({row.answer for row in first}) > 1  # the right one is not always first


def test_a_benchmark_of_drawn_options_shows_no_letters_as_texts():
    drawn = [row for row in rows_of("mathvision") if row.answer_kind == "option"]
    assert drawn and all(row.options == () and "A, B, C, D, E" in row.question for row in drawn)


def test_a_question_that_is_only_drawn_stays_hidden():
    hidden = [row for row in rows_of("mathverse") if row.family == "Vision Only"]
    assert hidden and all(row.question == "Answer the question in the picture." for row in hidden)


# --- answers in one notation -----------------------------------------------------------------

IN_METRES = "How tall is the tower, in meters?"


@pytest.mark.parametrize(
    ("answer", "expected", "same", "other"),
    [
        ("2√{2}", r"2\sqrt{2}", r"\sqrt{8}", "2"),
        ("√3：2", r"\sqrt{3}:2", r"\sqrt{3}:2", "3:2"),
        ("√{3+√{2}}", r"\sqrt{3+\sqrt{2}}", r"\sqrt{\sqrt{2}+3}", r"\sqrt{3+2}"),
        ("6√{3}米", r"6\sqrt{3}\text{ m}", r"6\sqrt{3}", "6"),
        ("9\\text{米}", r"9\text{ m}", "9 meters", "9 cm"),
        ("3√{3}cm", r"3\sqrt{3}\text{ cm}", r"3\sqrt{3}\ \mathrm{cm}", r"3\sqrt{3}\text{ m}"),
        ("100√{3}m", r"100\sqrt{3}\text{ m}", r"100\sqrt{3}", "100"),
        ("4√{3}cm²", r"4\sqrt{3}\text{ cm}^2", r"4\sqrt{3}", r"4\sqrt{3}\text{ cm}"),
        ("(25π-24)cm^{2}", r"(25π-24)\text{ cm}^2", r"25\pi-24", r"25\pi"),
        ("12平方厘米", r"12\text{ cm}^2", "12 square centimeters", "12 cm"),
        ("3米/秒", r"3\text{ m}/\text{s}", "3 m/s", "3 km/h"),
        ("5千克/立方米", r"5\text{ kg}/\text{m}^3", "5", "5 kg"),
        ("30度", "30°", r"30^\circ", "31"),
        ("12个", "12", "12", "2"),
        ("30°或150°", "30° or 150°", r"150^\circ \text{ or } 30^\circ", "30°"),
        ("3；4cm", r"(3, 4\text{ cm})", "3, 4", "4, 3"),
        ("(1) 3；(2) 5", "(3, 5)", "3, 5", "5, 3"),
        ("a=1；b=2", "a=1; b=2", "a = 1, b = 2", "a = 2, b = 1"),
        ("{1, 2}; 3", "({1, 2}, 3)", "({2, 1}, 3)", "(3, {1, 2})"),
        ("1, 2; 3", "1, 2; 3", "1, 2, 3", "1, 2"),
    ],
)
def test_answers_translated_from_chinese_are_written_in_latex(answer, expected, same, other):
    assert plain(answer, IN_METRES) == expected
    assert problem(expected, "math") is None
    assert verify(same, expected, "math")
    assert not verify(other, expected, "math")


@pytest.mark.parametrize(
    ("question", "unit"),
    [
        (IN_METRES, True),
        ("A tree is 9m tall. How far away is it?", True),
        ("A tree is 9 m tall and stands on a hill of 20 m.", True),
        ("The line has the slope m. How long is it?", False),
        ("A line is 9m long and has the slope m.", False),
        ("How long is it?", False),
    ],
)
def test_a_metre_is_told_from_a_variable_by_the_question(question, unit):
    written = r"100\sqrt{3}\text{ m}" if unit else r"100\sqrt{3}m"
    assert plain("100√{3}m", question) == written


def test_an_answer_in_chinese_is_of_use_only_to_a_question_in_chinese():
    with pytest.raises(Dropped, match="Chinese"):
        plain("无法确定", "How large is it?")
    assert plain("无法确定", "它有多大？") == "无法确定"


@pytest.mark.parametrize(
    ("answer", "question", "expected"),
    [
        ("B", "How wide is it?", ("B", "option")),
        (r"\text{B}", "Which?", ("B", "option")),
        ("(C).", "Which?", ("C", "option")),
        ("x", "Which variable?", ("x", "math")),
        ("K", "Which point?", ("K", "math")),
        ("BD", "Which?\nA. a\nB. b\nC. c\nD. d", ("B, D", "options")),
        ("B and D", "Which? (A) a (B) b (C) c (D) d", ("B, D", "options")),
        ("A, C", "Which? A: a B: b C: c", ("A, C", "options")),
        ("BD", "Which segment of ABCD is longest?", ("BD", "math")),
        ("BD", "Which? A. a B. b C. c", ("BD", "math")),  # no D among them
        ("DB", "Which? A. a B. b C. c D. d", ("DB", "math")),  # in this order a segment
        ("ABC", "Which triangle?", ("ABC", "math")),
    ],
)
def test_letters_are_options_where_the_question_lists_them(answer, question, expected):
    assert kind_of(answer, question) == expected


# --- reading a snapshot ----------------------------------------------------------------------


def test_changed_columns_upstream_stop_with_their_names(tmp_path):
    row = find_example("geoqa").row(0)
    renamed = {"picture": row["image"], "problem": row["problem"], "solution": row["solution"]}
    write_data_set("geoqa", tmp_path, [renamed])
    with pytest.raises(ReassessError, match=r"columns image .*picture, problem, solution"):
        list(read_rows(tmp_path, find_source("geoqa")))


def test_missing_and_damaged_files_are_named(tmp_path):
    source = find_source("geoqa")
    (tmp_path / "README.md").write_text("x")
    with pytest.raises(ReassessError, match=r"data/train-\*\.parquet.*README\.md"):
        list(read_rows(tmp_path, source))
    path = write_data_set("geoqa", tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ReassessError, match=rf"{path.name} is not a readable parquet file"):
        list(read_rows(tmp_path, source))


def test_images_in_an_archive_are_looked_up_by_name_and_never_unpacked(tmp_path):
    source, example = find_source("virl39k"), find_example("virl39k")
    write_data_set("virl39k", tmp_path)
    for number, raw in enumerate(read_rows(tmp_path, source)):
        (row,) = source.convert(raw)
        assert row.image == example.archive(number)[f"images/{number}.png"]
        with pytest.raises(Dropped, match="not in the archive"):
            raw["files"]("../../secret")
    (tmp_path / "images.zip").unlink()
    with pytest.raises(ReassessError, match=r"images\.zip is missing or damaged"):
        list(read_rows(tmp_path, source))


# --- items -----------------------------------------------------------------------------------


def item(**changes):
    base = HubItem("a-0", 0, "s", "f", "How wide?", "[]", "5", "math", b"x", "0" * 64, "", "mit")
    return replace(base, **changes)


def test_one_prompt_for_all():
    (turn,) = messages_of(item(), Prompt())
    assert [part["type"] for part in turn["content"]] == ["image", "text"]
    assert turn["content"][1]["text"].startswith("How wide?\n")
    assert "\\boxed{}" in turn["content"][1]["text"]
    chosen = messages_of(
        item(options='["40°", "{question}"]', image=None), Prompt(system="Be brief.")
    )
    assert chosen[0] == {"role": "system", "content": "Be brief."}
    assert [part["type"] for part in chosen[1]["content"]] == ["text"]
    assert "How wide?\nA. 40°\nB. " in chosen[1]["content"][0]["text"]


def test_markers_letters_images_and_reference_answers():
    assert without_markers("<image>Find <image1> x <IMAGE 2>.") == "Find  x ."
    assert option_letter("b", ["a", "b "]) == "B"
    with pytest.raises(Dropped):
        option_letter("b", ["b", "b"])
    assert only_image([None, {"bytes": b"1"}]) == b"1"
    with pytest.raises(Dropped, match="several"):
        only_image([b"1", b"2"])
    assert Row("q", "B", "choice", options=("x", "y")).reference_answer == '["B", "y"]'
    assert Row("q", "B", "option").reference_answer == "B"
