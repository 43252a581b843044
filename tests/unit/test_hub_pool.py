"""The pool of the hub world: one schema, one order, and nothing that a benchmark holds."""

import shutil
import subprocess
import sys
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image
from stand_ins import MODEL, ONE_TEACHER, encoded, stand_in_grid

from reassess.bench.planted.questions import item_of
from reassess.core.errors import ReassessError
from reassess.core.files import read_json
from reassess.data.pool import read_pool
from reassess.verifier.golds import DOES_NOT_VERIFY, WRONG_VERIFIES
from reassess.worlds.hub.items import HubItem
from reassess.worlds.hub.pool import PoolReport, _without_repetitions
from reassess.worlds.hub.screen import SAME_PICTURE
from reassess.worlds.hub.testing.data_sets import find_example, write_data_set
from reassess.worlds.hub.testing.drawing import png
from reassess.worlds.hub.words import SAME_QUESTION, SAME_WORDS

# --- the pool --------------------------------------------------------------------------------


def test_the_pool_is_in_one_schema_and_reports_what_was_dropped(stand_in):
    train = read_pool(stand_in.paths.pool("train"), HubItem)
    assert [one.index for one in train] == list(range(120))
    assert len({one.source for one in train}) == 5
    report = read_json(stand_in.paths.disjointness)
    assert report["dropped"]["logicvista"] == {"no answer": 16}
    assert report["examples"]["logicvista: no answer"][0] == "logicvista-000002"
    assert report["screen"]["pictures"] > 20
    probe = read_pool(stand_in.paths.pool("probe"), HubItem)
    assert not {one.id for one in train} & {one.id for one in probe}
    foreign = read_pool(stand_in.paths.pool("foreign"), HubItem)
    assert all("<think>" in one.trace for one in foreign)


def rebuilt(stand_in, folder, changed, **changes):
    """Build the pool again with other rows in some sources; return grid and report."""
    shutil.copytree(stand_in.config.world.cache, folder / "hub", symlinks=True)
    grid = stand_in_grid(
        folder, teachers={"qwen-vl": MODEL}, distributions=ONE_TEACHER, world=changes
    )
    for name, rows in changed.items():
        write_data_set(name, grid.world.public.data_snapshot(name), rows)
    shutil.copytree(stand_in.paths.base(MODEL), grid.paths.base(MODEL), symlinks=True)
    grid.world.build_pool(grid)
    return grid, read_json(grid.paths.disjointness)


def test_rows_that_cannot_be_used_are_dropped_and_listed(stand_in, tmp_path):
    rows = [dict(find_example("geoqa").row(number)) for number in range(48)]
    tested = Image.open(BytesIO(find_example("mathverse").row(0)["image"]["bytes"]))
    copy = encoded(tested.resize((90, 90)), format="JPEG", quality=80)
    rows[0]["image"] = {"bytes": copy, "path": "a.jpg"}
    rows[1]["image"] = {"bytes": b"\x89PNG broken", "path": "b.png"}
    rows[2]["problem"] = "word " * 500
    rows[3] = dict(rows[4])
    question = find_example("gsm8k").row(1)["question"]
    short = find_example("math500").row(3)
    rows[8] |= {"image": None, "problem": short["problem"]}
    rows[5]["problem"] = f"Look. {question.upper()} Thanks."
    rows[6]["solution"] = "<answer> 6√{3米 </answer>"
    rows[7]["solution"] = "<answer> 无法确定 </answer>"
    tests = [dict(find_example("math500").row(number)) for number in range(48)]
    tests[1]["answer"], tests[2]["answer"] = r"\frac{1}{2", r"0 \times 5"
    changed = {"geoqa": rows, "math500": tests}
    grid, report = rebuilt(stand_in, tmp_path, changed, ngram=8, pool_rows=100)
    assert report["dropped"]["geoqa"] == {
        SAME_PICTURE: 1,
        "the picture does not decode": 1,
        "its prompt is too long": 1,
        "it repeats an earlier row": 1,
        SAME_WORDS: 1,
        SAME_QUESTION: 1,
        DOES_NOT_VERIFY: 1,
        "the answer is in Chinese, the question is not": 1,
    }
    assert report["examples"]["geoqa: the picture does not decode"] == ["geoqa-000001"]
    leaks = {
        reason: report["examples"][f"geoqa: {reason}"]
        for reason in (SAME_PICTURE, SAME_WORDS, SAME_QUESTION)
    }
    assert leaks == {
        SAME_PICTURE: ["geoqa-000000 (mathverse-000000)"],
        SAME_WORDS: ["geoqa-000005 (gsm8k-000001)"],
        SAME_QUESTION: ["geoqa-000008 (math500-000003)"],
    }
    assert report["kept"]["geoqa"] == 40
    assert report["dropped"]["math500"] == {DOES_NOT_VERIFY: 1, WRONG_VERIFIES: 1}
    listed = report["examples"][f"math500: {WRONG_VERIFIES}"]
    assert listed == [r"math500-000002: 0 \times 5"]
    scored = read_pool(grid.paths.pool("math500"), HubItem)
    assert [item.id[-1] for item in scored] == list("034567")
    assert len(read_pool(grid.paths.pool("train"), HubItem)) == 100


@pytest.mark.parametrize(
    ("changes", "repeated"),
    [
        ({}, True),
        ({"image": b"other bytes"}, True),
        ({"image": b"other bytes", "answer": "45"}, False),
        ({"answer": "45"}, True),
        ({"image": None, "image_hash": "", "answer": "45"}, False),
        ({"question": "find X."}, True),
        ({"question": "Find y."}, False),
        ({"image_hash": "b" * 64}, True),
        ({"image": b"other bytes", "image_hash": "b" * 64}, False),
    ],
)
def test_a_row_repeats_what_another_shows_or_the_answer_to_a_like_picture(changes, repeated):
    first = replace(item_of("geo-1", "Find x.", "60"), image=b"bytes", image_hash="a" * 64)
    second = replace(first, id="geo-2", **changes)
    report = PoolReport()
    kept = _without_repetitions([first, second], report)
    assert kept == ([first] if repeated else [first, second])
    assert report.dropped == ({"geo": {"it repeats an earlier row": 1}} if repeated else {})


def test_too_few_rows_are_reported_before_anything_is_trained(stand_in, tmp_path):
    with pytest.raises(ReassessError, match=r"\d+ rows.*1008.*world\.pool_rows"):
        rebuilt(stand_in, tmp_path, {"geoqa": [find_example("geoqa").row(0)]}, pool_rows=1000)


def test_a_bound_of_earlier_pools_is_refused_with_its_name(stand_in, tmp_path):
    with pytest.raises(ReassessError, match=r"world\.image_distance.*version 3"):
        rebuilt(stand_in, tmp_path, {}, image_distance=10)


def test_prompts_are_measured_as_the_processor_makes_them(stand_in):
    from reassess.training.loading import load_processor
    from reassess.training.preprocessed import preprocess

    train = (
        read_pool(stand_in.paths.pool("train"), HubItem)[:8]
        + read_pool(stand_in.paths.pool("gsm8k"), HubItem)[:2]
    )
    wide = Image.open(BytesIO(png("wide", 1))).resize((300, 120))
    train[0] = replace(train[0], image=encoded(wide, format="PNG"))
    measured = stand_in.world.prompt_lengths(stand_in)(train)
    processor = load_processor(stand_in.paths.base(MODEL))
    rows = preprocess(train, None, processor, stand_in.world.prompt)
    assert measured == [len(prompt) for prompt in rows.prompts]
    assert measured[0] > measured[1]


COMPARED = """
from multiprocessing import get_context
from reassess.verifier import golds
from reassess.worlds.hub.pool import checkers

with checkers(1, get_context({start!r})) as workers:
    print(workers.submit(golds.problem, r"\\frac{{x^2-1}}{{x-1}}", "math").result())
"""
HANGS = 600  # seconds: far more than it takes on any machine


@pytest.mark.slow
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_process_that_compared_symbols_ends(start):
    code = [sys.executable, "-c", COMPARED.format(start=start)]
    done = subprocess.run(code, capture_output=True, text=True, timeout=HANGS)
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr
