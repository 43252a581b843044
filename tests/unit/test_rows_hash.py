"""What a cell is trained on is hashed by content, compared with its records, and no test item."""

import shutil
from dataclasses import replace
from io import BytesIO

import pandas as pd
import pytest
import steps
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny import tiny_grid

from reassess.config.claims import digests
from reassess.core.errors import ReassessError
from reassess.core.files import read_json, write_json, write_parquet
from reassess.data.disjoint import require_rows_disjoint
from reassess.data.pool import content_hashes, read_pool, write_pool
from reassess.data.traces import read_traces, traces_hash, write_traces
from reassess.training.content import PREFIX, rows_hash
from reassess.training.preprocessed import PreprocessedRows
from reassess.workflow import jobs
from reassess.workflow.jobs.inputs import check_training_inputs, note_beside
from reassess.workflow.jobs.job import TracesKey
from reassess.workflow.jobs.train import training_run

FAMILY, DISTRIBUTION = "llava", "same-family"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A grid with all that comes before its cells; nothing may change it."""
    grid = tiny_grid(tmp_path_factory.mktemp("rows"), methods=["base", "sft", "grpo", "dapo"])
    steps.build_before_cells(grid)
    return grid


@pytest.fixture
def grid(built, tmp_path):
    """A copy of it that a test may change."""
    shutil.copytree(built.config.results, tmp_path / "results")
    shutil.copytree(built.config.scratch, tmp_path / "scratch")
    return tiny_grid(tmp_path, methods=["base", "sft", "grpo", "dapo"])


def cell_of(grid, arm="sft"):
    return next(cell for cell in grid.cells.values() if cell.arm == arm)


def run_of(grid, arm="sft"):
    return training_run(grid, cell_of(grid, arm))


def hash_of(run):
    return rows_hash(run.rows, run.items)


def checked(grid):
    check_training_inputs(grid, cell_of(grid), run_of(grid))


# --- the hash --------------------------------------------------------------------------------


def test_all_methods_of_a_cell_have_one_hash(built):
    hashes = {hash_of(run_of(built, arm)) for arm in ("sft", "grpo", "dapo")}
    (only,) = hashes
    assert only.startswith(PREFIX)


def test_the_manifest_states_the_hash_of_content_and_that_of_ids(grid):
    from reassess.core.files import sha256_text

    steps.train(grid, cell_of(grid))
    manifest = read_json(grid.paths.train_manifest(cell_of(grid).id))
    run = run_of(grid)
    assert manifest["rows_hash"] == hash_of(run)
    assert manifest["row_ids_hash"] == sha256_text("\n".join(run.row_ids))
    assert manifest["claims"] == digests(grid.claims)


def repainted(item):
    """The item with one pixel changed by one level."""
    with Image.open(BytesIO(item.image)) as opened:
        image = opened.convert("RGB")
    red, green, blue = image.getpixel((3, 5))
    image.putpixel((3, 5), (red ^ 1, green, blue))
    out = BytesIO()
    image.save(out, format="PNG")
    return replace(item, image=out.getvalue())


EDITS = {
    "question": lambda item: replace(item, question=item.question + " "),
    "answer": lambda item: replace(item, answer=item.answer + "0"),
    "kind": lambda item: replace(item, answer_kind="text"),
    "pixel": repainted,
    "no image": lambda item: replace(item, image=None),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_item_gives_another_hash(built, edit):
    run = run_of(built)
    items = list(run.items)
    items[7] = EDITS[edit](items[7])
    assert rows_hash(run.rows, items) != hash_of(run)


def test_another_encoder_of_the_same_pixels_gives_the_same_hash(built):
    run = run_of(built)
    items = list(run.items)
    with Image.open(BytesIO(items[7].image)) as opened:
        out = BytesIO()
        opened.save(out, format="PNG", compress_level=9)
    assert out.getvalue() != items[7].image
    items[7] = replace(items[7], image=out.getvalue())
    assert rows_hash(run.rows, items) == hash_of(run)


@given(data=st.data())
def test_any_edited_token_or_pixel_gives_another_hash(built, data):
    run = run_of(built)
    before = hash_of(run)
    rows = PreprocessedRows.load(built.paths.preprocessed(FAMILY, DISTRIBUTION)).select(run.row_ids)
    index = data.draw(st.integers(0, len(rows) - 1))
    part = data.draw(st.sampled_from(["prompt", "completion", "pixels", "id"]))
    if part == "id":
        rows.ids[index] += "x"
    else:
        tensor = {
            "prompt": rows.prompts[index],
            "completion": rows.completions[index],
            "pixels": next(iter(rows.images.inputs(index).values())),
        }[part].view(-1)
        place = data.draw(st.integers(0, len(tensor) - 1))
        tensor[place] = tensor[place] + (0.01 if tensor.is_floating_point() else 1)
    assert rows_hash(rows, run.items) != before


def test_the_order_of_rows_counts(built):
    run = run_of(built)
    ids = [run.row_ids[1], run.row_ids[0], *run.row_ids[2:]]
    items = [run.items[1], run.items[0], *run.items[2:]]
    assert rows_hash(run.rows.select(ids), items) != hash_of(run)


def test_the_last_bits_of_arithmetic_give_no_other_hash(built):
    run = run_of(built)
    rows = run.rows.select(run.row_ids)
    before = rows_hash(rows, run.items)
    for index in range(len(rows)):
        for name, value in rows.images.inputs(index).items():
            if value.is_floating_point():
                up = torch.nextafter(value, torch.full_like(value, 9.0))
                rows.images.inputs(index)[name].copy_(up)
    assert rows_hash(rows, run.items) == before


# --- edited files are noticed where a cell is trained ----------------------------------------


def test_what_was_made_is_trained_on(built, capsys):
    checked(built)
    assert "note" not in capsys.readouterr().err


def edit_split(grid, split, place=0, **changes):
    path = grid.paths.pool(split)
    items = read_pool(path, grid.world.item_type)
    items[place] = replace(items[place], **changes)
    write_pool(path, items)
    return path


def edit_prepared(grid):
    path = grid.paths.preprocessed(FAMILY, DISTRIBUTION)
    rows = PreprocessedRows.load(path)
    rows.completions[0][0] += 1
    rows.save(path)
    return path


def flip_prepared(grid):
    path = grid.paths.preprocessed(FAMILY, DISTRIBUTION)
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(bytes(content))
    return path


def edit_traces(grid):
    path = grid.paths.traces(FAMILY, DISTRIBUTION)
    traces = read_traces(path)
    first = next(iter(traces))
    write_traces(path, {**traces, first: traces[first] + "!"})
    return path


def edit_rows(grid):
    path = grid.paths.rows(FAMILY, DISTRIBUTION)
    frame = pd.read_parquet(path)
    write_parquet(path, frame.iloc[::-1].reset_index(drop=True))
    return path


PLANTED = {
    "a question": lambda grid: edit_split(grid, "train", question="How many?"),
    "an answer": lambda grid: edit_split(grid, "train", answer="77"),
    "a picture": lambda grid: edit_split(grid, "train", image=b"\x89PNG"),
    "a question of the probe": lambda grid: edit_split(grid, "probe", question="How many?"),
    "a token of a trace": edit_prepared,
    "a bit of the prepared rows": flip_prepared,
    "a trace": edit_traces,
    "the order of rows": edit_rows,
}


@pytest.mark.parametrize("what", PLANTED)
def test_an_edited_file_is_not_trained_on(grid, what):
    path = PLANTED[what](grid)
    with pytest.raises(ReassessError) as caught:
        checked(grid)
    assert str(path) in str(caught.value)
    assert "again" in str(caught.value)


def test_a_training_job_checks_its_rows(grid, monkeypatch):
    monkeypatch.setattr("reassess.training.launch.train", lambda *_: pytest.fail("it trained"))
    path = edit_prepared(grid)
    with pytest.raises(ReassessError, match=path.name):
        steps.train(grid, cell_of(grid))


def test_prepared_rows_of_an_earlier_pool_are_not_trained_on(grid):
    """Pool, traces and rows were made again, consistently; the prepared rows were not."""
    edit_split(grid, "train", question="How many?")
    report = read_json(grid.paths.disjointness)
    report["splits"]["train"] = content_hashes(grid.paths.pool("train"))["content_hash"]
    write_json(grid.paths.disjointness, report)
    with pytest.raises(ReassessError, match=r"same-family\.safetensors.*pool"):
        checked(grid)
    jobs.PrepareRows(grid).run(TracesKey(FAMILY, DISTRIBUTION))
    checked(grid)


@pytest.mark.parametrize("job", [jobs.FreezeRows, jobs.PrepareRows, jobs.GatherTraces])
def test_no_job_reads_an_edited_pool(grid, job):
    edit_split(grid, "train", answer="77")
    with pytest.raises(ReassessError, match=r"train\.parquet"):
        job(grid).run(TracesKey(FAMILY, DISTRIBUTION))


def test_no_base_keeps_clear_of_an_edited_benchmark(grid):
    edit_split(grid, "iid", scene_hash="0")
    with pytest.raises(ReassessError, match=r"iid\.parquet"):
        steps.build_base(grid, "llava-w32")


def test_no_cell_is_scored_on_an_edited_benchmark(grid):
    path = edit_split(grid, "iid", answer="77")
    with pytest.raises(ReassessError, match=path.name):
        steps.evaluate(grid, cell_of(grid, "base"))


def test_files_of_an_earlier_version_are_trained_on_with_a_note(grid, capsys):
    report = read_json(grid.paths.disjointness)
    del report["splits"]
    write_json(grid.paths.disjointness, report)
    note_beside(grid.paths.preprocessed(FAMILY, DISTRIBUTION)).unlink()
    for path in (grid.paths.rows(FAMILY, DISTRIBUTION), grid.paths.traces(FAMILY, DISTRIBUTION)):
        summary = read_json(path.with_suffix(".json"))
        del summary["content_hash"]
        write_json(path.with_suffix(".json"), summary)
    checked(grid)
    notes = capsys.readouterr().err
    for path in (
        "train.parquet",
        "probe.parquet",
        "same-family.parquet",
        "same-family.safetensors",
    ):
        assert path in notes


def test_the_hash_of_traces_is_that_of_their_file(tmp_path):
    traces = {"a": "ä\n", "b": ""}
    write_traces(tmp_path / "traces.parquet", traces)
    assert content_hashes(tmp_path / "traces.parquet")["content_hash"] == traces_hash(traces)


# --- no row is a test item -------------------------------------------------------------------


def require(grid, **changes):
    cell = cell_of(grid)
    arguments = {
        "ids": run_of(grid).row_ids,
        "pool": grid.paths.pool("train"),
        "tests": {name: grid.paths.pool(name) for name in grid.benchmarks},
        "probe": grid.paths.pool("probe"),
        "own_questions": False,
        **changes,
    }
    assert cell.size == len(arguments["ids"])
    ids, pool, tests, probe = (arguments.pop(name) for name in ("ids", "pool", "tests", "probe"))
    return require_rows_disjoint(ids, pool, tests, probe, **arguments)


def test_rows_that_are_no_test_items_are_trained_on(built):
    assert require(built) == []


LEAKS = {
    "its scene": lambda item: {"scene_hash": item.scene_hash},
    "its perceptual hash": lambda item: {"image_hash": item.image_hash},
    "its picture": lambda item: {"image": item.image},
    "question and picture": lambda item: {"image": item.image, "question": item.question},
}


@pytest.mark.parametrize("split", ["iid", "large", "probe"])
@pytest.mark.parametrize("leak", LEAKS)
def test_a_row_that_is_a_test_item_is_named(grid, leak, split):
    item = read_pool(grid.paths.pool(split), grid.world.item_type)[1]
    if leak == "its perceptual hash" and not item.image_hash:
        pytest.skip("this split has no perceptual hashes")
    row = run_of(grid).row_ids[3]
    place = [one.id for one in run_of(grid).items].index(row)
    edit_split(grid, "train", place, **LEAKS[leak](item))
    with pytest.raises(ReassessError) as caught:
        require(grid)
    for name in (row, item.id, split):
        assert name in str(caught.value)


def test_a_question_in_words_that_is_a_benchmarks_is_named(grid):
    item = read_pool(grid.paths.pool("text"), grid.world.item_type)[0]
    assert item.image is None
    # Its hashes are left as they were: content decides.
    edit_split(
        grid,
        "train",
        image=None,
        question=item.question,
        scene_text=item.scene_text,
        scene=item.scene,
    )
    with pytest.raises(ReassessError, match="train-000000.*text-000000"):
        require(grid)


def test_rows_that_the_cell_is_not_trained_on_do_not_matter(grid):
    item = read_pool(grid.paths.pool("iid"), grid.world.item_type)[0]
    unused = sorted(
        {one.id for one in read_pool(grid.paths.pool("train"), grid.world.item_type)}
        - set(run_of(grid).row_ids)
    )
    edit_split(grid, "train", int(unused[0].rpartition("-")[2]), scene_hash=item.scene_hash)
    assert require(grid) == []


# --- public data: no scenes, pictures with several questions ---------------------------------


def public(path, *rows):
    """Write rows of public data: (id, question, image, perceptual hash)."""
    columns = ["id", "question", "image", "image_hash"]
    frame = pd.DataFrame(rows, columns=columns).assign(options="[]", answer="1", index=0)
    write_parquet(path, frame)
    return path


@pytest.fixture
def data(tmp_path):
    public(tmp_path / "train.parquet", ("t-0", "How?", b"one", "0f"), ("t-1", "2 + 2?", None, ""))
    public(tmp_path / "probe.parquet", ("t-2", "Why?", b"one", "0f"))
    public(tmp_path / "even.parquet", ("e-0", "How?", b"white", "00"))
    return tmp_path


def require_public(data, test, own_questions=False):
    return require_rows_disjoint(
        ["t-0", "t-1"],
        data / "train.parquet",
        {"test": test},
        data / "probe.parquet",
        own_questions=own_questions,
    )


def test_another_question_on_the_same_picture_may_be_in_the_probe(data):
    assert require_public(data, data / "even.parquet") == []


def test_an_even_picture_is_nobodys(data):
    public(data / "train.parquet", ("t-0", "What?", b"white", "00"), ("t-1", "2 + 2?", None, ""))
    assert require_public(data, data / "even.parquet") == []


@pytest.mark.parametrize(
    ("row", "named"),
    [
        (("b-0", "Why?", b"one", "ff"), "t-0 (b-0: the same picture)"),
        (("b-0", "Why?", b"other", "0f"), "t-0 (b-0: the same picture by its hash)"),
        (("b-0", "2 + 2?", None, ""), "t-1 (b-0: the same question"),
    ],
)
def test_a_benchmarks_picture_or_question_is_found_in_public_data(data, row, named):
    with pytest.raises(ReassessError) as caught:
        require_public(data, public(data / "test.parquet", row))
    assert named in str(caught.value)


def test_questions_that_a_distribution_brings_may_be_the_probes_and_that_is_noted(data):
    public(data / "probe.parquet", ("p-0", "How?", b"one", "0f"))
    with pytest.raises(ReassessError, match="p-0"):
        require_public(data, data / "even.parquet")
    (note,) = require_public(data, data / "even.parquet", own_questions=True)
    assert "probe" in note
