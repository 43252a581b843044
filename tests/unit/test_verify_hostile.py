"""Bundles of a third round of attacks: hostile bytes, and room for lies in what is excused."""

import io
import json
import struct
import time
from itertools import zip_longest
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import EpsImagePlugin, Image
from reference import seal
from synthetic import grid_in, make_bundle
from transformers.convert_slow_tokenizer import bytes_to_unicode

from reassess.core.files import write_json
from reassess.verify.described import check_descriptions
from reassess.verify.differences import explain
from reassess.verify.items import Items
from reassess.verify.lengths import Lengths
from reassess.verify.pools import Pool
from reassess.verify.scores import Undecided, _samples, _verdicts
from reassess.verify.second_grader import SecondGrader, is_small
from reassess.worlds.micro.reader import MicroReader

# --- bytes --------------------------------------------------------------------------------------------

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(size=(10, 10)):
    made = io.BytesIO()
    Image.new("RGBA", size).save(made, "png")
    return made.getvalue()


def header(width, height):
    """The beginning of a PNG of any size."""
    return SIGNATURE + b"\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + bytes(9)


def test_an_image_of_another_format_starts_no_program(monkeypatch):
    ran = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *a, **k: ran.append(a))
    assert explain(".png", EPS, png()).startswith("the stored image cannot be read as PNG")
    assert ran == []


@pytest.mark.parametrize(
    "stored",
    [
        header(2**31 - 1, 2**31 - 1),
        header(60_000, 60_000),
        header(0, 0),
        SIGNATURE + b"\xff" * 200,
        SIGNATURE,
        png()[:40],
        png().replace(b"IDAT", b"IDAU"),
        png()[:-30] + bytes(30),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_image_is_a_difference(stored):
    found = explain(".png", stored, png())
    assert "cannot be read" in found or "pixels stored" in found


def test_an_image_of_another_size_is_not_decoded(monkeypatch):
    monkeypatch.setattr(Image.Image, "convert", lambda *a, **k: pytest.fail("decoded"))
    found = explain(".png", png((9000, 900)), png())
    assert found == "9000 x 900 pixels stored, 10 x 10 drawn"


def test_many_lines_are_compared_in_time():
    started = time.monotonic()
    found = explain(".svg", b"a\nb\n" + b"x\n" * 50_000, b"a\nc\n" + b"x\ny\n" * 25_000)
    assert time.monotonic() - started < 5
    assert found.startswith("up to ") and "first at line 2: stored 'b', drawn 'c'" in found


# --- texts for the second grader ----------------------------------------------------------------------

LARGE = [
    "9^9^9", "9^{9^{9^9}}", "(9**9**9)**9", "9* *9", "1000000000000!", r"\sum_{i=1}^{10^9} i", "9" * 5000,
    "(1+x)^{5000}", "(1+1)^{99}", "7^{10^8}", "9^{999}", "1e999999999", "1.e9", "(a+b)(c+d)", "((1))",
    "(" * 5000, "1 " * 5000,
]  # fmt: skip
SMALL = [
    "5",
    "-5.",
    "1,000",
    "3/4",
    r"\frac{4}{2}",
    r"2\cdot 3",
    "(1+2)*3",
    "10^2",
    "5%",
    "x = 5",
    "gt less1",
]


@pytest.mark.parametrize("text", LARGE, ids=range(len(LARGE)))
def test_what_might_never_end_is_not_given_to_the_second_grader(text):
    for extracted, answer in ((text, "5"), ("5", text)):
        rows = pd.DataFrame([{"cell": "c", "benchmark": "b", "item": "i", "answer": answer}])
        second = SecondGrader()
        second.check(
            rows.assign(answer_kind="integer"),
            pd.DataFrame({"correct": [False], "extracted": [extracted]}),
        )
        assert (second.graded, second.refused) == (0, 1)
        assert any("1 mathematical answers not compared" in note for note in second.notes())


def test_ordinary_answers_are_given_to_the_second_grader():
    assert [text for text in SMALL if not is_small(text)] == []


# --- verdicts that were undecided ---------------------------------------------------------------------


def rows_of(answers, benchmark="iid", others=199):
    """A benchmark of a cell: answers stored as undecided, then others with a verdict."""
    texts = [*answers, *["1"] * others]
    return pd.DataFrame(
        {
            "cell": "c", "benchmark": benchmark, "item": [f"{benchmark}-{n}" for n in range(len(texts))],
            "completion": [f"This is how one comes to it. Answer: {text}" for text in texts],
            "answer": "1", "answer_kind": "integer",
            "correct": [False] * len(answers) + [True] * others,
            "undecided": [True] * len(answers) + [False] * others,
        }
    )  # fmt: skip


def checked(*frames):
    undecided, known = Undecided(), {}
    for rows in frames:
        undecided.check(rows, _verdicts(rows, known))
    undecided.conclude()
    return undecided


def test_an_answer_for_which_nothing_is_computed_was_never_undecided():
    found = checked(rows_of(["1"]))
    assert found.differences == [
        "c iid iid-0: stored as undecided, True now, and nothing has to be computed for it"
    ]
    assert found.decided == []


@pytest.mark.slow
def test_a_computed_answer_may_have_been_undecided_elsewhere():
    found = checked(rows_of(["1+0"]))
    assert found.differences == []
    assert found.decided == ["c iid iid-0: stored as undecided, True now"]


@pytest.mark.slow
def test_only_few_computed_answers_of_a_benchmark_may_have_been_undecided():
    rows = pd.concat(
        [rows_of(["2+0", "3+0", "4+0"]), rows_of([], "jitter", 2000)], ignore_index=True
    )
    assert len(checked(rows).differences) == 3


@pytest.mark.slow
def test_only_few_computed_answers_of_a_bundle_may_have_been_undecided():
    cells = [rows_of(["1+0"]).assign(cell=name) for name in "abcd"]
    assert checked(cells[0]).differences == []
    found = checked(*cells)
    assert found.differences[0].startswith("4 of 800 answers that are stored as undecided have a")
    assert len(found.differences) == 5 and found.decided == []


def test_an_undecided_answer_is_not_right():
    rows = rows_of(["1"]).assign(correct=True)
    assert "c iid iid-0: stored as undecided, and yet as right" in checked(rows).differences


def test_further_completions_are_spelled_as_a_run_writes_them():
    rows = rows_of([], others=1).assign(samples=2, sampled_correct=1)
    texts = ["Answer: 1", "Answer: 2"]
    assert _samples(rows.assign(sampled=json.dumps(texts)), {}) == []
    assert _samples(rows.assign(sampled=json.dumps(texts, indent=1)), {})


# --- the files around the tables ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    root = tmp_path_factory.mktemp("described")
    made = make_bundle(root / "run", grid_in(root / "run", "config/smoke.yaml"), items=5)
    made.paths.bundle.rename(root / "bundle")
    return seal(root)


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)


@pytest.mark.parametrize("text", [BOMB, "[" * 100_000, "{", "!!python/name:os.system"])
def test_a_hostile_config_beside_the_tables_is_a_difference(described, text):
    path = described / "config.yaml"
    before = path.read_text()
    path.write_text(text)
    try:
        found = [one for one in check_descriptions(described) if one.startswith("config.yaml: ")]
    finally:
        path.write_text(before)
    assert len(found) == 1 and "lines differ, first at line 1: stored " in found[0]


def test_a_key_that_stands_twice_in_the_versions_is_found(described):
    path = described / "drawn-with.json"
    write_json(path, {"numpy": "2"})
    try:
        assert not [one for one in check_descriptions(described) if one.startswith(path.name)]
        path.write_text(path.read_text().replace("{\n", '{\n  "numpy": "1",\n'))
        found = [one for one in check_descriptions(described) if one.startswith(path.name)]
    finally:
        path.unlink()
    assert found == [f"{path.name}: not spelled as a run writes it: a key may stand in it twice"]


# --- lengths ------------------------------------------------------------------------------------------

WORDS = SimpleNamespace(
    lengths=lambda texts: [{len(text.split())} for text in texts],
    fewest=lambda text: len(text.split()),
)


def lengths(texts, states, noise=("length", "truncated"), others=100):
    """What is found of a cell that gives other lengths to some texts, and states other answers."""
    rows = [(text, *noise, "1" if states else None) for text in texts]
    rows += [(f"Answer: {n}", 3, False, str(n)) for n in range(others)]
    frame = pd.DataFrame(rows, columns=["completion", "length", "truncated", "extracted"])
    frame.index = pd.MultiIndex.from_tuples([("iid", str(n)) for n in range(len(rows))])
    one = Lengths()
    found = [*one.check("c", "f", frame, 80, WORDS), *one.conclude()]
    return found, one.notes


def test_texts_that_state_nothing_are_not_as_long_as_one_likes():
    found, notes = lengths(["ab cd", "ef gh"], False, (80, True))
    assert len(found) == 2 and "length is 80 (truncated), derived as 2" in found[0] and notes == []
    found, notes = lengths(["ab cd"], False, (80, True))
    assert found == [] and len(notes) == 1


def test_texts_that_state_nothing_may_be_in_a_few_other_tokens():
    assert lengths([f"a{n} cd" for n in range(3)], False, (5, False), 600)[0] == []
    assert len(lengths([f"a{n} cd" for n in range(9)], False, (5, False), 600)[0]) == 9


def test_a_model_that_writes_noise_has_any_lengths():
    found, notes = lengths([f"a{n}" for n in range(9)], False, (80, True), others=3)
    assert found == [] and len(notes) == 9


BYTES = st.lists(st.sampled_from([b"\x80", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"]), max_size=4)


@given(spoiled=BYTES, words=st.lists(st.sampled_from(["no 0", "rs 1", "Answer: 2"]), min_size=1))
@settings(max_examples=60)
def test_bytes_that_are_no_text_are_counted_as_the_model_wrote_them(spoiled, words):
    reader = MicroReader.of("llava")
    tokenizer = reader._tokenizer
    symbols = bytes_to_unicode()
    ids = []
    for word, broken in zip_longest(words, spoiled):
        ids += tokenizer.convert_tokens_to_ids([symbols[one] for one in broken or b""])
        ids += tokenizer(f" {word}" if word else "", add_special_tokens=False)["input_ids"]
    text = tokenizer.decode(ids)
    assert len(ids) in reader.lengths([text.strip()])[0]
    assert reader.fewest(text.strip()) <= len(ids)


def test_an_unreadable_byte_that_the_text_does_not_show_whole_is_no_difference():
    reader = MicroReader.of("llava")
    text = "\ufffd no 0 rs 1. Answer: 2"
    usual = reader.lengths([" no 0 rs 1. Answer: 2"])[0]
    (ways,) = reader.lengths([text])
    assert {count + 1 for count in usual} < ways and max(ways) <= max(usual) + 4
    assert reader.fewest("\ufffd" * 5) == 5


def test_without_a_tokenizer_unreadable_texts_may_differ_in_length():
    rows = answers(["\ufffd \\boxed{7}"] * 40)
    rows = rows.assign(length=[*[9] * 20, *[10] * 20], truncated=False, extracted="7")
    one = Lengths()
    assert [*one.check("a", "qwen", rows, 80, None), *one.conclude()] == []
    shown = rows.assign(completion="\\boxed{7}")
    assert [*one.check("b", "qwen", shown, 80, None), *one.conclude()] != []


# --- cells beside each other --------------------------------------------------------------------------


def items(weights=(), **study):
    """Items of a bundle of which only weights and terms are known."""
    records = {name: {"evaluate": {"weights_hash": one}} for name, one in weights}
    bundle = SimpleNamespace(study=study)
    return Items(SimpleNamespace(records=records, bundle=bundle, grids=[]))


def answers(texts):
    index = pd.MultiIndex.from_tuples([("iid", str(n)) for n in range(len(texts))])
    return pd.DataFrame({"completion": texts}, index=index)


@pytest.mark.parametrize("others", ["base", "grpo/seed1", "sft/seed2"])
def test_the_completions_of_any_other_cell_are_named(others):
    one = items([("sft/seed1", "w"), (others, "v")])
    texts = [f"so it is {n}" for n in range(12)]
    one._alike(SimpleNamespace(id=others), answers(texts))
    one._alike(SimpleNamespace(id="sft/seed1"), answers(texts))
    one._alike(SimpleNamespace(id="dapo/seed1"), answers([*texts[:-1], "other"]))
    (note,) = one._repeated
    assert note.startswith(f"sft/seed1: every completion is that of {others}, 12 different texts,")
    assert "their weights differ" in note


def judged(verdicts):
    """What is said of cells with these verdicts of a judge."""
    one = items()
    found = []
    for cell, values in verdicts.items():
        frame = pd.DataFrame({"judged": pd.Series(values, dtype=object)})
        found += one._judged(["large"], SimpleNamespace(id=cell), frame)
    return [*found, *one._judges()], one.notes


def test_nothing_vouches_for_verdicts_of_a_judge():
    found, (note,) = judged({"sft": [True, None], "grpo": [False, False]})
    assert found == []
    assert note.startswith("verdicts of the judge large on 2 cells (sft, grpo) rest on whoever")


def test_a_judge_judges_every_cell():
    found, _ = judged({"sft": [None, None], "grpo": [True, True]})
    assert found == ["sft: no answer has a verdict of the judge large, unlike those of grpo"]


# --- hashes of the pool -------------------------------------------------------------------------------


HASHES = {"items": 6, "golds_hash": "0" * 64, "content_hash": "1" * 64}


@pytest.fixture
def pool_of(tmp_path, monkeypatch):
    """What is found of the hashes of a pool that cannot be made here."""
    monkeypatch.setattr(Pool, "splits", None)
    grid = grid_in(tmp_path, "config/smoke.yaml")

    def check(change, records=(), **study):
        one = items(**study)
        one._stored.grids, one._stored.scored = [grid], lambda: []
        one._stored.records = {str(n): {"evaluate": record} for n, record in enumerate(records)}
        pool = {name: dict(HASHES) for name in grid.splits}
        if change is not None:
            change(pool)
            one._stored.bundle.study["pool"] = pool
        return [*one._pool_hashes()], one.notes

    return check


def test_hashes_that_are_complete(pool_of):
    assert pool_of(lambda pool: None) == ([], [])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda pool: pool.pop("train"), "study.json.pool.train: missing"),
        (lambda pool: pool.clear(), "study.json.pool.iid: missing"),
        (lambda pool: pool.update(iid=["x"]), "study.json.pool.iid: its entries are not"),
        (lambda pool: pool["iid"].pop("items"), "study.json.pool.iid: its entries are not"),
        (lambda pool: pool["iid"].update(note="x"), "study.json.pool.iid: its entries are not"),
        (lambda pool: pool["iid"].update(items=True), "study.json.pool.iid: items is no number"),
        (lambda pool: pool["iid"].update(items=6.0), "study.json.pool.iid: items is no number"),
        (
            lambda pool: pool["iid"].update(content_hash="endorsed by everybody"),
            "study.json.pool.iid: content_hash is no hash ('endorsed by everybody')",
        ),
        (lambda pool: pool["iid"].update(golds_hash=["0"]), "golds_hash is no hash"),
    ],
)
def test_hashes_that_are_not_as_a_run_writes_them(pool_of, change, named):
    assert any(named in one for one in pool_of(change)[0])


def test_only_earlier_versions_have_no_hashes_of_the_pool(pool_of):
    found, notes = pool_of(None, [{}, {}])
    assert found == [] and "an earlier version wrote it" in notes[0]
    assert pool_of(None, [{}, {"environment": {}}])[0][0].startswith("study.json.pool: missing")
    merged = {"merged": [{}, {}]}
    assert pool_of(None, [{}, {"environment": {}}], **merged)[0] == []
    assert pool_of(None, [{"environment": {}}], **merged)[0]
