"""Copies of pictures and questions: what is found after which change, and what is left alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from stand_ins import encoded

from reassess.bench.planted import earlier_rule
from reassess.bench.planted.changes import CHANGES
from reassess.bench.planted.cost import cost
from reassess.bench.planted.page import COMMITTED, PAGE, read_result, with_tables
from reassess.bench.planted.pictures import KINDS, encode, geometry
from reassess.bench.planted.questions import ASKED, REWORDED, item_of, short
from reassess.bench.planted.rates import planted
from reassess.cli.main import act
from reassess.core.errors import ReassessError
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.worlds.hub.copies import ALIKE, CLOSELY, UNIT, Pictures, _grids, _vectors
from reassess.worlds.hub.likeness import likeness_of
from reassess.worlds.hub.pictures import EVEN_PICTURE, SIDE, image_hash, marks_of, trimmed, turns
from reassess.worlds.hub.screen import SAME_PICTURE, Screen
from reassess.worlds.hub.testing.drawing import png
from reassess.worlds.hub.words import SAME_QUESTION, SAME_WORDS, Questions, runs_of, tokens_of

# Without matplotlib's charts, which take a tenth of a second each.
FAST = ("function plot", "geometry", "diagram", "page of text", "clouds")
OF_EACH = 6
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


@pytest.fixture(scope="module")
def drawn():
    """Pictures of each kind: half are benchmarks', half are not."""
    return {
        kind: [KINDS[kind](number) for number in range(2000, 2000 + 2 * OF_EACH)] for kind in FAST
    }


@pytest.fixture(scope="module")
def tested(drawn):
    return [one for pictures in drawn.values() for one in pictures[:OF_EACH]]


@pytest.fixture(scope="module")
def index(tested):
    return Pictures([marks_of(encode(one)) for one in tested])


# --- pictures ------------------------------------------------------------------------------------


def caught(index, tested, change):
    """By place, whether a changed copy is found to be of its own original."""
    copies = [marks_of(encode(CHANGES[change](one))) for one in tested]
    return [found == place for place, found in enumerate(index.copied(copies))]


@pytest.mark.parametrize(
    "change",
    [
        "squeezed into a square",
        "JPEG, quality 40",
        "border 10 %",
        "black border 10 %",
        "mirrored",
        "rotated 90°",
        "inverted",
        "grey",
        "darker and paler",
    ],
)
def test_every_copy_is_found_after(change, index, tested):
    assert all(caught(index, tested, change))


# The least share of copies; the committed tables have what is measured with more pictures.
MOST_OF = {
    "rescaled to 60 %": 0.9,
    "cropped 1 %": 0.95,
    "cropped 3 %": 0.95,
    "cropped 5 %": 0.9,
    "watermark": 0.6,
}


@pytest.mark.parametrize("change", MOST_OF)
def test_most_copies_are_found_after(change, index, tested):
    found = caught(index, tested, change)
    assert sum(found) >= MOST_OF[change] * len(found)


@pytest.mark.parametrize("change", ["cropped 5 %", "border 10 %", "mirrored", "inverted"])
def test_the_earlier_rule_missed_most_after(change, tested):
    """What is measured as `before` is the rule that missed them."""
    hashes = [earlier_rule.image_hash(encode(one)) for one in tested]
    copies = [earlier_rule.image_hash(encode(CHANGES[change](one))) for one in tested]
    found = [earlier_rule.near([copy], [own], 10)[0] for copy, own in zip(copies, hashes)]
    assert sum(found) < 0.5 * len(found)


def test_others_of_the_same_kinds_are_no_copies(index, drawn):
    others = [marks_of(encode(one)) for pictures in drawn.values() for one in pictures[OF_EACH:]]
    assert index.copied(others) == [None] * len(others)


def test_stand_ins_are_no_copies_of_each_other():
    """Few of their points are dark: the earlier rule needed a second bound for them."""
    marks = [
        marks_of(png(name, number))
        for name in ("geometry3k", "mathverse", "ai2d")
        for number in range(16)
    ]
    half = len(marks) // 2
    assert Pictures(marks[:half]).copied(marks[half:]) == [None] * half


def test_even_pictures_are_nobodys():
    even = [encode(Image.new("RGB", (64, 64), colour)) for colour in ("white", "#fdfdfd")]
    assert [marks_of(one) for one in even] == [EVEN_PICTURE] * 2
    assert Pictures([EVEN_PICTURE]).copied([EVEN_PICTURE]) == [None]
    assert Pictures([]).copied([marks_of(encode(geometry(1)))]) == [None]


@pytest.mark.parametrize("share", [0.0, 0.07, 0.3])
@pytest.mark.parametrize("colour", ["white", "black", "#808080"])
def test_margins_are_trimmed_whatever_their_level(colour, share):
    inner = np.asarray(KINDS["clouds"](7).convert("L"), dtype=np.int16)
    width = round(share * inner.shape[1])
    level = np.asarray(Image.new("L", (1, 1), colour))[0, 0]
    framed = np.pad(inner, width, constant_values=level)
    assert np.array_equal(trimmed(framed), inner)


def test_margins_inside_margins_are_trimmed_and_nothing_is_left_of_an_even_picture():
    inner = np.asarray(KINDS["clouds"](7).convert("L"), dtype=np.int16)
    framed = np.pad(np.pad(np.pad(inner, 9, constant_values=0), 1, constant_values=200), 5)
    assert np.array_equal(trimmed(framed), inner)
    assert trimmed(np.full((40, 50), 255, dtype=np.int16)) is None


def test_the_hash_is_the_same_for_turned_inverted_and_framed_copies():
    picture = geometry(3)
    changes = ("mirrored", "upside down", "rotated 90°", "inverted", "border 10 %")
    hashes = {image_hash(encode(CHANGES[change](picture))) for change in changes}
    assert hashes == {image_hash(encode(picture))}
    assert image_hash(encode(geometry(4))) not in hashes


def test_a_transparent_picture_is_the_one_on_white():
    picture = geometry(5)
    clear = picture.convert("RGBA")
    clear.putdata([(0, 0, 0, 0) if one[:3] == (255,) * 3 else one for one in clear.getdata()])
    assert marks_of(encoded(clear, format="PNG")) == marks_of(encode(picture))


@given(st.integers(0, 2**32 - 1), st.integers(0, 7), st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_turned_and_inverted_copy_of_anything_is_wholly_alike(seed, turn, inverted):
    values = np.random.default_rng(seed).integers(0, 256, (16, 16), dtype=np.uint8)
    view = np.kron(values, np.ones((SIDE // 16, SIDE // 16), dtype=np.uint8))
    picture = Image.fromarray(turns(255 - view if inverted else view)[turn])
    assert Pictures([marks_of(encode(Image.fromarray(view)))]).copied(
        [marks_of(encode(picture))]
    ) == [0]


@given(st.integers(1, 40), st.integers(1, 600), st.sampled_from(MODES), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_a_picture_of_any_size_and_mode_has_marks_and_is_its_own_copy(height, width, mode, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    through = {"1": "L", "P": "RGB", "I;16": "L"}.get(mode, mode)
    marks = marks_of(encoded(picture.convert(through).convert(mode), format="PNG"))
    if marks.views:
        assert marks.thumbnails().shape == (2, SIDE, SIDE)
        assert Pictures([marks]).copied([marks]) == [0]
    else:
        assert marks == EVEN_PICTURE


def test_a_picture_of_16_bits_is_a_copy_of_the_same_in_8():
    eight = np.asarray(KINDS["clouds"](7).convert("L"))
    sixteen = eight.astype(np.uint16) * 257
    marks = marks_of(encoded(Image.fromarray(sixteen), format="PNG"))
    assert marks.views
    assert marks == marks_of(encoded(Image.fromarray(eight), format="PNG"))


def test_likeness_is_symmetric_enough_and_of_its_range(tested):
    one, other = (marks_of(encode(picture)).thumbnails()[1] for picture in tested[:2])
    assert likeness_of(one, one) == (1.0, 1.0)
    for pair in ((one, other), (other, one)):
        rough, close = likeness_of(*pair)
        assert -1 <= rough <= 1
        assert 0 <= close <= 1


def test_the_search_by_blocks_finds_what_all_products_give(tested, index, monkeypatch):
    """Whatever is compared at once: brute force over every picture, view and turn."""
    marks = [marks_of(encode(CHANGES["cropped 3 %"](one))) for one in tested[:8]]
    monkeypatch.setattr("reassess.worlds.hub.copies.ROWS", 3)
    monkeypatch.setattr("reassess.worlds.hub.copies.COLUMNS", 7)
    others = [marks_of(encode(one)) for one in tested]
    turned = [_vectors(turn).astype(np.int64) for turn in turns(_grids(others))]
    for one, candidates in zip(marks, index.candidates(marks), strict=True):
        (vectors,) = _vectors(_grids([one])).astype(np.int64)
        best = {
            (place, view): max(abs(int(vectors[view] @ turn[place, view])) for turn in turned)
            for place in range(len(others))
            for view in (0, 1)
        }
        best = {key: level for key, level in best.items() if level >= ALIKE * UNIT**2}
        expected = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:CLOSELY]
        assert [((c.place, c.view), int(c.level)) for c in candidates] == expected


# --- questions -----------------------------------------------------------------------------------

EXPECTED = {
    "short": {
        "word for word": SAME_QUESTION,
        "other case, spaces, punctuation": SAME_QUESTION,
        "other numbers": None,
    },
    "long": {
        "word for word": SAME_QUESTION,
        "other case, spaces, punctuation": SAME_QUESTION,
        "inside another text": SAME_WORDS,
        "other numbers": None,
    },
    "about a picture": {"word for word": None, "on another picture": None, "other numbers": None},
    "about a picture, with options": {
        "word for word": SAME_QUESTION,
        "inside another text": SAME_QUESTION,
        "on another picture": SAME_QUESTION,
        "other numbers": None,
    },
}


@pytest.mark.parametrize(
    ("kind", "change"), [(kind, change) for kind in EXPECTED for change in EXPECTED[kind]]
)
def test_of_a_question_it_is_found(kind, change):
    """Pictures are unknown here: of a question that many have, they alone decide."""
    items = [ASKED[kind](number) for number in range(8)]
    questions = Questions(items, 13)
    for place, item in enumerate(items):
        found = questions.copied(REWORDED[change](item))
        expected = EXPECTED[kind][change]
        assert found == (None if expected is None else (place, expected))


def test_unrelated_questions_are_no_copies():
    questions = Questions([ask(number) for ask in ASKED.values() for number in range(30)], 13)
    others = [ask(number) for ask in ASKED.values() for number in range(30, 60)]
    assert [questions.copied(one) for one in others] == [None] * len(others)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("What is 1,000 + 1?", "what is 1000+1", True),
        ("What is 2 + 3?", "What is 2 - 3?", False),
        ("What is 2.5?", "What is 25?", False),
        ("Find $x^2$.", "Find x^2", True),
        ("Find x^2", "Find x^3", False),
        ("What is (2+3)4?", "What is 2+3(4)?", False),
        ("Ｗｈａｔ is ２？", "What is 2?", True),
        ("What is 1, 2?", "What is 12?", False),
    ],
)
def test_what_is_said_decides_not_how_it_is_written(one, other, same):
    assert (tokens_of(one) == tokens_of(other)) is same


SPACELESS = {
    "Chinese": "如图所示,点D在边BC上,且AD平分角BAC,已知AB等于六厘米,线段DC的长度究竟是多少厘米",
    "Japanese": "次の図において、辺BC上に点Dがあり、ADは角BACの二等分線である。DCの長さを求めよ",
    "Korean": "다음그림에서점디는변비씨위에있고에이디는각비에이씨의이등분선이다길이를구하시오",
    "Thai": "ในรูปสามเหลี่ยมเอบีซีจุดดีอยู่บนด้านบีซีและเส้นเอดีแบ่งครึ่งมุมบีเอซี",
}


@pytest.mark.parametrize("script", SPACELESS)
def test_questions_without_spaces_are_compared_letter_by_letter(script):
    text = SPACELESS[script]
    questions = Questions([item_of("b", text, "5", picture=1)], 13)
    assert questions.copied(item_of("t", text, "5", picture=2)) == (0, SAME_QUESTION)
    assert questions.copied(item_of("t", text[-2:], "5", picture=2)) is None
    longer = item_of("t", f"Please answer: {text} Thank you.", "6", picture=2)
    assert questions.copied(longer) == (0, SAME_WORDS)
    short = Questions([item_of("b", text[-9:], "5", picture=1)], 13)
    assert short.copied(item_of("t", f"Look: {text}", "5", picture=2)) == (0, SAME_QUESTION)


def test_words_with_spaces_and_numbers_stay_whole():
    assert tokens_of("AB的长是12.5厘米。") == ("ab", "的", "长", "是", "12.5", "厘", "米")
    assert tokens_of("Größe été 3 ยาว ๑๒") == ("grösse", "été", "3", "ย", "า", "ว", "๑๒")
    assert runs_of("the 角 abc, 2 cm", 3) == {"the 角 abc", "角 abc 2", "abc 2 cm"}


def test_the_same_words_with_other_options_are_another_question():
    base = item_of("b", "Which of these numbers is prime?", "")
    options = [json.dumps(["4", "7"]), json.dumps(["7", "4"]), json.dumps(["9", "11"])]
    one, shuffled, other = (
        replace(base, options=text, answer='["B", "7"]', answer_kind="choice") for text in options
    )
    questions = Questions([one], 13)
    assert questions.copied(shuffled) == (0, SAME_QUESTION)
    assert questions.copied(other) is None


def test_a_run_that_very_many_items_share_is_a_template():
    stem = "Read the following text with care and then choose the one right option below"
    items = [item_of(f"b-{number}", f"{stem} {number}", "1") for number in range(80)]
    questions = Questions(items, 13)
    assert questions.copied(item_of("t", f"{stem} and nothing else", "1")) is None
    assert questions.templates > 0
    assert Questions(items[:20], 13).copied(item_of("t", f"{stem} again", "1")) is not None


@given(st.lists(st.sampled_from(["a", "B", "c,", "d-e"]), max_size=12), st.integers(2, 5))
def test_runs_of_words_are_those_of_a_sliding_window(words, size):
    plain = " ".join(words).lower().replace(",", "").replace("-", " ").split()
    assert runs_of(" ".join(words), size) == {
        " ".join(plain[start : start + size])
        for start in range(len(plain))
        if start + size <= len(plain)
    }


@given(st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=50, deadline=None)
def test_a_question_without_a_picture_repeats_itself_and_no_other(one, other):
    questions = Questions([item_of("b", one, "1")], 13)
    assert bool(questions.copied(item_of("t", one, "2"))) is bool(tokens_of(one))
    if tokens_of(one) != tokens_of(other) and len(tokens_of(other)) < 8:
        assert questions.copied(item_of("t", other, "1")) is None


# --- the screen ----------------------------------------------------------------------------------


def test_a_leak_names_reason_and_item():
    tests = {"one": [short(1)], "two": [item_of("two-0", "Find x.", "3", picture=5)]}
    gallery = {"two-0": marks_of(encode(geometry(5)))}
    screen = Screen(tests, gallery, 13)
    rows = [
        item_of("row-0", "How long is it?", "7", picture=6),
        item_of("row-1", "How long is it?", "7", picture=5),
        item_of("row-2", short(1).question, "7"),
    ]
    marks = {row.id: marks_of(row.image) for row in rows if row.image}
    assert screen.leaks(rows, marks) == [
        None,
        (SAME_PICTURE, "two-0"),
        (SAME_QUESTION, short(1).id),
    ]
    assert screen.content()["pictures"] == 1
    assert screen.content()["questions"] == 2


def test_what_a_cell_is_checked_by_once_more_is_screened(monkeypatch):
    """A row with a benchmark's hash stops training, so that no pool may keep it."""
    monkeypatch.setattr("reassess.worlds.hub.copies.SAME", 2.0)
    item = item_of("two-0", "Find x.", "3", picture=5)
    marks = marks_of(item.image)
    row = item_of("row-0", "How long is it?", "7", picture=5)
    screen = Screen({"two": [item]}, {"two-0": marks}, 13)
    assert screen.leaks([row], {"row-0": marks}) == [(SAME_PICTURE, "two-0")]


# --- versions ------------------------------------------------------------------------------------

BEFORE = "ab2185ca14a62e54f5ad8055804e39beac0aa64b3be4325d9839934cc0a4fafa"  # `specs.pool_hash` of config/paper.yaml at version 2


def test_a_bundle_of_an_earlier_version_keeps_its_specs(tmp_path):
    """Its config states a bound on a hash, which pools of today have not."""
    config = {"extends": str(ROOT / "config" / "paper.yaml"), "world": {"image_distance": 10}}
    (tmp_path / "then.yaml").write_text(json.dumps(config))
    then, now = Grid.load(tmp_path / "then.yaml"), Grid.load(ROOT / "config" / "paper.yaml")
    assert then.specs.pool_hash() == BEFORE
    assert now.specs.pool_hash() != BEFORE
    assert "image_distance" not in now.config.model_dump()["world"]
    assert then.config.model_dump()["world"]["image_distance"] == 10


# --- the measurement -----------------------------------------------------------------------------


def test_what_is_planted_is_counted(monkeypatch):
    monkeypatch.setattr(
        "reassess.bench.planted.rates.KINDS", {kind: KINDS[kind] for kind in ("geometry",)}
    )
    rates = planted(pictures=4, copies=2, questions=10)
    assert rates.tested == 4
    assert [one.rows for one in rates.unrelated] == [4]
    by_change = {one.change: one for one in rates.pictures}
    assert set(by_change) == set(CHANGES)
    assert (by_change["mirrored"].before, by_change["mirrored"].now) == (0, 2)
    assert all(one.now == 0 for one in (*rates.unrelated, *rates.unasked))


def test_the_cost_is_that_of_a_search(monkeypatch):
    monkeypatch.setattr("reassess.bench.planted.cost.DRAWN", 2)
    found = cost(rows=20, items=10)
    assert (found.rows, found.items) == (20, 10)
    assert found.candidates <= 20 * CLOSELY
    assert found.search >= 0


def test_the_page_has_the_committed_result():
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page, read_result()) == page
    with pytest.raises(ReassessError, match="contamination"):
        with_tables("nothing", read_result())


def test_the_committed_result_is_what_the_rule_is_for():
    rates = read_result(COMMITTED).rates
    rows, before, now = (
        sum(getattr(one, name) for one in rates.pictures) for name in ("rows", "before", "now")
    )
    assert now > 0.85 * rows > before
    for one in rates.unrelated:
        assert one.now <= max(one.before, 0.05 * one.rows) or one.kind == "digit"


def test_a_result_of_another_command_is_refused(tmp_path, capsys):
    (tmp_path / "x.json").write_text("{}")
    for path in (tmp_path / "x.json", tmp_path / "missing.json"):
        with pytest.raises(ReassessError, match=r"reassess leaks"):
            read_result(path)
    assert act(["leaks", "--pictures", "0"]) != 0
    assert "pictures" in capsys.readouterr().err
