"""Text of unknown origin is harmless wherever it is shown."""

import io
import json
import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import make_bundle

from reassess.analysis.pages import as_csv, as_markdown, claims_page, table_page
from reassess.analysis.tables import tabulate
from reassess.cli import main
from reassess.cluster.finding import Finding
from reassess.cluster.status import CellStatus, as_text
from reassess.core.errors import ReassessError
from reassess.core.text import UNSEEN, printable, text_table
from reassess.figures import draw_figures
from reassess.verify.report import VerifyReport

HOSTILE = {
    "colour": "\x1b[31mred",
    "title": "\x1b]0;title\x07",
    "link": "\x1b]8;;http://example.org\x1b\\here\x1b]8;;\x1b\\",
    "C1": "\x9b31m",
    "overwritten": "wrong\rright",
    "backspaces": "wrong\x08\x08\x08\x08\x08right",
    "bidi override": "abc\u202edef",
    "isolates": "\u2066abc\u2069",
    "marks": "\u200e\u200f\u061c",
    "zero width": "pay\u200bpal",
    "byte order mark": "\ufeffabc",
    "tags": "".join(chr(0xE0000 + ord(one)) for one in "hidden"),
    "soft hyphen": "ab\u00adcd",
    "line separator": "one\u2028two",
    "paragraph separator": "one\u2029two",
    "next line": "one\x85two",
    "private": "\ue000",
    "null": "a\0b",
    "lone surrogate": "a\ud800b",
}
FORMULAS = ("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", " =1+1", "-2+3+cmd|' /C calc'!A0", "|x", "\n=1")  # fmt: skip
NUMBERS = ("-0.5", "+3", "1e-3", "-1.5e+10", "12.3 ± 1.0", "-12.3 ± 1.0", "45 %", "1,250")


def seen(text):
    return all(one in "\n\t\u200c\u200d" or unicodedata.category(one) not in UNSEEN for one in text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_seen_is_shown_as_an_escape(text):
    shown = printable(text)
    assert seen(shown)
    assert "\\" in shown


@given(st.text())
def test_ordinary_text_stays_and_nothing_else_does(text):
    shown = printable(text, lines=False)
    assert seen(shown)
    assert "\n" not in shown
    if seen(text) and not set(text) & set("\n\t"):
        assert shown == text


@given(st.text(st.characters()))
def test_two_texts_do_not_become_one_by_a_character_that_is_not_seen(text):
    assert printable(text + "\u202e") != printable(text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_every_way_to_the_terminal_is_harmless(text, capsys, monkeypatch):
    def fail(*_, **__):
        raise ReassessError(text)

    monkeypatch.setattr(main, "app", fail)
    assert main.act([]) == 1
    shown = capsys.readouterr().err
    shown += as_text([CellStatus("a/seed1", "failed", text, (text,))])
    shown += Finding(text, False, text).line() + text_table([text], [[text]])
    shown += VerifyReport("answers", notes=[text], differences=[text]).text()
    assert seen(shown)
    assert text not in shown


def test_an_entry_of_a_report_is_one_line():
    report = VerifyReport("9 answers", differences=["a\n9 answers: no difference\nb"])
    assert len(report.text().splitlines()) == 2


def test_a_traceback_is_harmless_too(capsys, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError(HOSTILE["colour"])

    monkeypatch.setattr(main, "app", fail)
    assert main.act([]) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert seen(shown)


@pytest.mark.parametrize("name", sorted(set(HOSTILE) - {"lone surrogate"}))  # no table holds one
def test_pages_and_tables_are_harmless(name):
    text = HOSTILE[name]
    table = pd.DataFrame({"cell": ["a"], text: [text]})
    words = ("id", "statement", "rule", "verdict", "alone", "detail", "source", "certainty", "date",
             "registered", "reason", "unit")  # fmt: skip
    model = {"model": text, "runs": 1, "planned": 2, "estimate": None, "detail": text}
    claim = dict.fromkeys(words, text) | {
        "published": {"text": text}, "version": 1, "p": None, "estimate": None, "runs": 1,
        "items": 1, "covers": [text], "not_covered": [text], "items_only": False,
        "budgets": {}, "missing": [text], "models": [model], "heterogeneity": None,
        "detectable": None,
    }  # fmt: skip
    for shown in (
        as_csv(table),
        as_markdown(table),
        table_page(table, "caption"),
        claims_page([claim]),
        claims_page([dict.fromkeys(("id", "verdict", "registered", "reason"), text)]),
    ):
        assert seen(shown)
        assert text not in shown


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;b&gt;", "'><b>", '"><b>'],
)
def test_markup_is_text(text):
    table = pd.DataFrame({"cell": [text], text: [1]})
    for shown in (table_page(table, "caption"), as_markdown(table)):
        assert text not in shown
        assert "<script" not in shown.replace("<style", "")
        assert "<img" not in shown
        assert "<b>" not in shown


@pytest.mark.parametrize(
    "text",
    ["[click](javascript:alert(1))", "![x](http://example.org)", "`code`", "a|b", "*a*", "_a_"],
)
def test_markdown_is_text(text):
    line = as_markdown(pd.DataFrame({"cell": [text]})).splitlines()[-1]
    assert text not in line
    assert line.count("|") - line.count("\\|") == 2


@pytest.mark.parametrize("text", FORMULAS)
def test_a_spreadsheet_finds_no_formula(text):
    table = pd.DataFrame({text: [text]})
    for value in pd.read_csv(io.StringIO(as_csv(table)), header=None)[0]:
        assert value.startswith(("'", "\\x0d"))


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_written_as_text_stay(text):
    back = pd.read_csv(io.StringIO(as_csv(pd.DataFrame({"x": [text]}))), dtype=str)
    assert back["x"].tolist() == [text]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_are_the_same_read_back(values):
    back = pd.read_csv(
        io.StringIO(as_csv(pd.DataFrame({"x": values}))), float_precision="round_trip"
    )
    assert back["x"].tolist() == values


@pytest.mark.slow
def test_a_hostile_error_and_label_reach_no_table_or_figure_as_they_are(tmp_path):
    make_bundle(tmp_path)
    folder = tmp_path / "results/micro/bundle"
    if not folder.is_dir():
        folder = next(tmp_path.rglob("study.json")).parent
    manifests = pd.read_parquet(folder / "manifests.parquet")
    manifests["status"] = manifests["status"].astype(object)
    manifests.loc[0, ["status", "error"]] = ["failed", "=cmd\x1b[2J<script>\u202e|"]
    manifests.to_parquet(folder / "manifests.parquet")
    study = json.loads((folder / "study.json").read_text())
    study["benchmarks"][0]["label"] = "$\\frac{1}{0}$ <b>"
    (folder / "study.json").write_text(json.dumps(study))
    tabulate(folder, tmp_path / "tables")
    for path in (tmp_path / "tables").iterdir():
        text = path.read_text()
        assert seen(text)
        if path.suffix != ".csv":
            assert "<script>" not in text
            assert "<b>" not in text
    draw_figures(folder, tmp_path / "figures", ["main"])  # the dollar signs begin no formula
    study["benchmarks"][0]["label"] = "a\x1b[2J"
    (folder / "study.json").write_text(json.dumps(study))
    with pytest.raises(ReassessError, match=r"\\x1b"):
        draw_figures(folder, tmp_path / "figures", ["main"])
