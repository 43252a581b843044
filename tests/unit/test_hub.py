"""The hub world: pins, adapters on their sources' own layouts, and a pool that holds nothing of a benchmark."""

import json
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import errors
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reassess.core.errors import ReassessError
from reassess.core.files import read_json
from reassess.core.project import ROOT
from reassess.data.pool import read_pool
from reassess.grid.study import Grid
from reassess.verifier.comparison import verify
from reassess.worlds.hub import fetch
from reassess.worlds.hub.base import with_pixels
from reassess.worlds.hub.config import Pixels, Prompt
from reassess.worlds.hub.items import (
    Dropped,
    HubItem,
    Row,
    messages_of,
    only_picture,
    option_letter,
    without_markers,
)
from reassess.worlds.hub.overlap import image_hash, near, ngrams
from reassess.worlds.hub.pins import Pin, Pins
from reassess.worlds.hub.pool import _gold
from reassess.worlds.hub.source import find_source, read_rows, source_names
from reassess.worlds.hub.testing.drawing import picture
from reassess.worlds.hub.world import hub_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def grid_in(folder, **changes):
    """Return the stand-in grid with its files below `folder`."""
    world = {"cache": str(folder / "hub"), **changes.pop("world", {})}
    config = {
        "extends": str(ROOT / "config" / "stand-in.yaml"),
        "results": str(folder / "results"),
        "scratch": str(folder / "scratch"),
        "world": world,
        **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "grid.yaml").write_text(yaml.safe_dump(config))
    return Grid.load(folder / "grid.yaml")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return a stand-in grid whose data sets and smallest model are fetched and whose pool is built."""
    folder = tmp_path_factory.mktemp("hub")
    grid = grid_in(folder, teachers={"qwen-vl": "qwen2-vl-2b"}, distributions=ONE_TEACHER)
    hub = hub_of(grid)
    for kind, repo in hub.repositories(grid):
        if kind == "dataset" or repo.endswith("VL-2B-Instruct"):
            hub.fetch(grid, kind, repo)
    hub.build_base(grid, "qwen2-vl-2b")
    hub.build_pool(grid)
    return grid


ONE_TEACHER = {
    "same-family": {"teacher": "qwen2-vl-2b"},
    "same-family-7b": {"teacher": "qwen2-vl-2b"},
}


# --- adapters -------------------------------------------------------------------------------------------------------------


def rows_of(name, count=12):
    source = find_source(name)
    found = []
    for number in range(count):
        try:
            found += source.convert(
                {**source.example(number), "files": lambda _, number=number: picture(name, number)}
            )
        except Dropped:
            continue
    return found


@pytest.mark.parametrize("name", source_names())
def test_every_adapter_reads_its_sources_layout(name):
    source, rows = find_source(name), rows_of(name)
    assert rows
    assert set(source.columns) <= set(source.example(0))
    for row in rows:
        assert row.question and "<image" not in row.question
        assert verify(row.answer, _gold(row), row.answer_kind), row
        if row.options:
            assert row.answer in "ABCDEFGHIJ"[: len(row.options)]
        if row.image is not None:
            Image.open(BytesIO(row.image)).load()
    assert len({row.question for row in rows}) == len(rows) or name == "mathverse"


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
    source = find_source(name)
    with pytest.raises(Dropped, match=reason):
        list(source.convert({**source.example(0), **changes, "files": lambda _: b""}))


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


def write_snapshot(folder, name, rows):
    source = find_source(name)
    path = folder / source.files[0].replace("*", "00000")
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_changed_columns_upstream_stop_with_their_names(tmp_path):
    source = find_source("geoqa")
    row = source.example(0)
    write_snapshot(
        tmp_path,
        "geoqa",
        [{"picture": row["image"], "problem": row["problem"], "solution": row["solution"]}],
    )
    with pytest.raises(
        ReassessError,
        match=r"lacks the columns image \(it has picture, problem, solution\).*changed upstream",
    ):
        list(read_rows(tmp_path, source))


def test_missing_and_damaged_files_are_named(tmp_path):
    source = find_source("geoqa")
    (tmp_path / "README.md").write_text("x")
    with pytest.raises(
        ReassessError, match=r"no file matches data/train-\*.parquet; the snapshot has README.md"
    ):
        list(read_rows(tmp_path, source))
    path = write_snapshot(tmp_path, "geoqa", [source.example(0)])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ReassessError, match="not a readable parquet file"):
        list(read_rows(tmp_path, source))
    virl = find_source("virl39k")
    write_snapshot(tmp_path, "virl39k", [virl.example(0)])
    with pytest.raises(ReassessError, match=r"images.zip is missing or damaged"):
        list(read_rows(tmp_path, virl))
    virl.example_files(tmp_path, range(1))
    for row in read_rows(tmp_path, virl):
        assert next(iter(virl.convert(row))).image == picture("virl39k", 0)
        with pytest.raises(Dropped, match="not in the archive"):
            row["files"]("../../secret")


# --- items ----------------------------------------------------------------------------------------------------------------


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


def test_small_pieces():
    assert without_markers("<image>Find <image1> x <IMAGE 2>.") == "Find  x ."
    assert option_letter("b", ["a", "b "]) == "B"
    with pytest.raises(Dropped):
        option_letter("b", ["b", "b"])
    assert only_picture([None, {"bytes": b"1"}]) == b"1"
    with pytest.raises(Dropped, match="several"):
        only_picture([b"1", b"2"])
    assert _gold(Row("q", "B", "choice", options=("x", "y"))) == '["B", "y"]'


# --- what training and test share -----------------------------------------------------------------------------------------


def encoded(image, **options):
    out = BytesIO()
    image.save(out, **options)
    return out.getvalue()


def test_a_picture_is_known_again_when_it_was_scaled_or_compressed():
    first = Image.open(BytesIO(picture("x", 1, side=224)))
    same = [
        encoded(first.resize((160, 160)), format="PNG"),
        encoded(first, format="JPEG", quality=60),
        encoded(first.convert("L"), format="PNG"),
    ]
    others = [picture("x", number, side=224) for number in range(2, 40)]
    known = [image_hash(encoded(first, format="PNG"))]
    assert near([image_hash(one) for one in same], known, 10).all()
    assert not near([image_hash(one) for one in others], known, 10).any()


hashes = st.lists(st.binary(min_size=32, max_size=32).map(bytes.hex), max_size=12)


@given(hashes, hashes, st.integers(0, 256))
@settings(max_examples=50, deadline=None)
def test_near_is_the_distance_by_brute_force(first, second, distance):
    def same(a, b):
        either, differ = (
            (int(a, 16) | int(b, 16)).bit_count(),
            (int(a, 16) ^ int(b, 16)).bit_count(),
        )
        return either > 0 and differ <= distance and 4 * differ <= either

    expected = [any(same(a, b) for b in second) for a in first]
    assert near(first, second, distance, chunk=5).tolist() == expected


def test_two_line_drawings_are_not_the_same_because_both_are_mostly_white():
    """Their hashes set few bits, so that few can differ; a bound on the count alone takes some for copies."""
    hashed = [
        image_hash(picture(name, number))
        for name in ("geometry3k", "mathverse", "ai2d")
        for number in range(48)
    ]
    assert not any(
        near([one], hashed[:place] + hashed[place + 1 :], 10).any()
        for place, one in enumerate(hashed)
    )
    blank = image_hash(encoded(Image.new("RGB", (64, 64), "white"), format="PNG"))
    assert not near([blank], [blank], 10).any()


@given(st.lists(st.sampled_from(["a", "B", "c,", "d-e"]), max_size=12), st.integers(2, 5))
def test_runs_of_words_are_those_of_a_sliding_window(words, size):
    text = " ".join(words)
    plain = text.lower().replace(",", "").replace("-", " ").split()
    assert ngrams(text, size) == {
        " ".join(plain[start : start + size])
        for start in range(len(plain))
        if start + size <= len(plain)
    }


def test_the_pool_is_in_one_schema_and_says_what_was_dropped(world):
    train = read_pool(world.paths.pool("train"), HubItem)
    assert [one.index for one in train] == list(range(120))
    assert len({one.source for one in train}) == 5
    report = read_json(world.paths.pool("train").with_name("disjointness.json"))
    assert report["dropped"]["logicvista"] == {"no answer": 16}
    assert report["examples"]["logicvista: no answer"][0] == "logicvista-000002"
    assert report["screen"]["pictures"] > 20
    assert not {one.id for one in train} & {
        one.id for one in read_pool(world.paths.pool("probe"), HubItem)
    }
    foreign = read_pool(world.paths.pool("foreign"), HubItem)
    assert all("<think>" in one.trace for one in foreign)


def rebuilt(world, tmp_path, name, rows, **changes):
    """Build the pool again with other rows in a source; return its report."""
    hub = hub_of(world)
    cache = tmp_path / "hub"
    shutil.copytree(hub.config.world.cache, cache, symlinks=True)
    grid = grid_in(
        tmp_path, teachers={"qwen-vl": "qwen2-vl-2b"}, distributions=ONE_TEACHER, world=changes
    )
    write_snapshot(hub_of(grid).snapshot_of(name), name, rows)
    shutil.copytree(world.paths.base("qwen2-vl-2b"), grid.paths.base("qwen2-vl-2b"), symlinks=True)
    hub_of(grid).build_pool(grid)
    return grid, read_json(grid.paths.pool("train").with_name("disjointness.json"))


def test_rows_of_a_benchmark_broken_pictures_and_long_prompts_are_dropped(world, tmp_path):
    source = find_source("geoqa")
    rows = [source.example(number) for number in range(48)]
    test = find_source("mathverse").example(0)
    seen = Image.open(BytesIO(test["image"]["bytes"])).resize((90, 90))
    rows[0]["image"] = {"bytes": encoded(seen, format="JPEG", quality=80), "path": "a.jpg"}
    rows[1]["image"] = {"bytes": b"\x89PNG broken", "path": "b.png"}
    rows[2]["problem"] = "word " * 500
    rows[3] = dict(rows[4])
    asked = find_source("gsm8k").example(1)["question"]
    rows[5]["problem"] = f"Look. {asked.upper()} Thanks."
    grid, report = rebuilt(world, tmp_path, "geoqa", rows, ngram=8, pool_rows=100)
    dropped = report["dropped"]["geoqa"]
    assert dropped == {
        "its picture is a benchmark's": 1,
        "the picture does not decode": 1,
        "its prompt is too long": 1,
        "it repeats an earlier row": 1,
        "its words are a benchmark's": 1,
    }
    assert report["examples"]["geoqa: the picture does not decode"] == ["geoqa-000001"]
    assert report["kept"]["geoqa"] == 43
    assert len(read_pool(grid.paths.pool("train"), HubItem)) == 100


def test_too_few_rows_are_said_before_anything_is_trained(world, tmp_path):
    with pytest.raises(
        ReassessError,
        match=r"the sources leave \d+ rows, the pool and the probe want 1008: lower world.pool_rows",
    ):
        rebuilt(world, tmp_path, "geoqa", [find_source("geoqa").example(0)], pool_rows=1000)


def test_prompts_are_measured_as_the_processor_makes_them(world):
    from reassess.data.pool import decode_image
    from reassess.training.loading import load_processor
    from reassess.training.preprocessed import preprocess

    train = (
        read_pool(world.paths.pool("train"), HubItem)[:8]
        + read_pool(world.paths.pool("gsm8k"), HubItem)[:2]
    )
    wide = Image.open(BytesIO(picture("wide", 1))).resize((300, 120))
    train[0] = replace(train[0], image=encoded(wide, format="PNG"))
    measured = world.world.prompt_lengths(world)(train)
    rows = preprocess(
        train,
        None,
        load_processor(world.paths.base("qwen2-vl-2b")),
        world.world.prompt,
        decode_image,
    )
    assert measured == [len(prompt) for prompt in rows.prompts]
    assert measured[0] > measured[1]


# --- pins and downloads ---------------------------------------------------------------------------------------------------


def test_the_shipped_pins_are_commits_and_plan_the_grid():
    found = Pins.load(ROOT / "config" / "pins.yaml")
    assert len(found.found) >= 15
    grid = Grid.load(ROOT / "config" / "paper.yaml")
    assert len(grid.specs.pool_hash()) == 64
    with pytest.raises(
        ReassessError,
        match=r"JierunChen/Eureka-Distill is not pinned in config/pins.yaml; run `reassess pin`",
    ):
        hub_of(grid).fetch(grid, "dataset", "JierunChen/Eureka-Distill")


def test_a_moved_pin_changes_the_pool_and_what_is_trained_on_it(tmp_path):
    path = tmp_path / "pins.yaml"
    shutil.copy(ROOT / "config" / "pins.yaml", path)
    grid = grid_in(tmp_path, world={"stand_in": False, "pins": str(path)})
    cell = next(cell for cell in grid.trained.values() if grid.kind(cell) == "sft")
    before = (
        grid.specs.pool_hash(),
        grid.specs.base_hash("qwen2-vl-2b"),
        grid.specs.train_hash(cell),
    )
    moved = Pins.load(path)
    moved.found["dataset", "openai/gsm8k"] = Pin(COMMIT)
    moved.found["model", "Qwen/Qwen2-VL-2B-Instruct"] = Pin(COMMIT)
    moved.save()
    again = Grid.load(tmp_path / "grid.yaml")
    after = (
        again.specs.pool_hash(),
        again.specs.base_hash("qwen2-vl-2b"),
        again.specs.train_hash(cell),
    )
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_a_pin_that_is_no_commit_is_named(tmp_path):
    path = tmp_path / "pins.yaml"
    path.write_text("models: {a/b: main}\n")
    with pytest.raises(ReassessError, match=r"models.a/b: 'main' is no commit"):
        Pins.load(path)
    assert Pins.load(tmp_path / "none.yaml").found == {}


class Sibling:
    def __init__(self, name, size, sha256=None):
        self.rfilename, self.size = name, size
        self.lfs = type("Lfs", (), {"sha256": sha256})() if sha256 else None


def test_pin_asks_for_commit_sizes_and_hashes_and_keeps_pins_that_are_not_moved(
    tmp_path, monkeypatch
):
    asked = []

    def info(kind, repo, revision):
        asked.append((kind, repo, revision))
        return type(
            "Info",
            (),
            {
                "sha": revision or COMMIT,
                "siblings": [Sibling("model.safetensors", 9, "ab"), Sibling("x.json", 2)],
            },
        )()

    monkeypatch.setattr(fetch, "info", info)
    kept = Pins(tmp_path / "pins.yaml", {("model", "a/b"): Pin("f" * 40)})
    lines = list(fetch.resolve([("model", "a/b"), ("dataset", "c/d")], kept, {}))
    assert asked == [("model", "a/b", "f" * 40), ("dataset", "c/d", None)]
    assert lines[1] == f"dataset  c/d {COMMIT}"
    read = Pins.load(tmp_path / "pins.yaml")
    assert read.of("model", "a/b").revision == "f" * 40
    assert read.of("dataset", "c/d").size == 11
    list(fetch.resolve([("model", "a/b")], read, {"a/b": "main"}))
    assert asked[-1] == ("model", "a/b", "main")


def test_a_download_is_held_against_its_pin(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    digest = fetch.sha256_file(tmp_path / "model.safetensors")
    good = Pin(COMMIT, {"model.safetensors": [7, digest], "code.py": [3, None]})
    fetch.check(tmp_path, "a/b", good, fetch.MODEL_FILES)  # code is not fetched, so not missed
    with pytest.raises(ReassessError, match=r"a/b: model.safetensors is not the file of commit"):
        fetch.check(
            tmp_path, "a/b", Pin(COMMIT, {"model.safetensors": [7, "0" * 64]}), fetch.MODEL_FILES
        )
    with pytest.raises(ReassessError, match=r"config.json is missing"):
        fetch.check(tmp_path, "a/b", Pin(COMMIT, {"config.json": [7, None]}), fetch.MODEL_FILES)


class Response:
    status_code, headers, request = 401, {}, None


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (errors.GatedRepoError, "is gated: ask for access on its page"),
        (errors.RevisionNotFoundError, f"has no commit {COMMIT}"),
        (errors.RepositoryNotFoundError, "the hub has no dataset a/b"),
        (errors.LocalEntryNotFoundError, "the hub cannot be reached.*carry the cache folder over"),
        (ConnectionError, "the hub cannot be reached"),
    ],
)
def test_what_the_hub_refuses_is_explained(raised, words, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    error = (
        raised("no")
        if raised in (errors.LocalEntryNotFoundError, ConnectionError)
        else raised("no", response=Response())
    )
    with pytest.raises(ReassessError, match=words), fetch.explained("dataset", "a/b", COMMIT):
        raise error


def test_offline_says_so_and_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with (
        pytest.raises(ReassessError, match=r"HF_HUB_OFFLINE is set"),
        fetch.explained("model", "a/b", COMMIT),
    ):
        raise errors.OfflineModeIsEnabled("no network")
    with pytest.raises(ReassessError, match=r"carry the folder models--a--b over"):
        fetch.snapshot("model", "a/b", COMMIT, tmp_path)


def test_a_stand_in_never_gets_into_the_users_own_cache(tmp_path):
    grid = grid_in(tmp_path, world={"cache": None})
    grid = Grid(
        grid.config.model_copy(
            update={"world": grid.config.world.model_copy(update={"cache": None})}
        )
    )
    with pytest.raises(ReassessError, match="needs world.cache"):
        hub_of(grid).fetch(grid, "dataset", "openai/gsm8k")


# --- base checkpoints -----------------------------------------------------------------------------------------------------


def test_one_pixel_budget_stands_in_every_base_checkpoint(world):
    from reassess.training.loading import load_processor

    config = json.loads((world.paths.base("qwen2-vl-2b") / "preprocessor_config.json").read_text())
    assert (config["min_pixels"], config["max_pixels"]) == (3136, 50176)
    assert (
        load_processor(world.paths.base("qwen2-vl-2b")).image_processor.size["longest_edge"]
        == 50176
    )
    assert with_pixels({"a": 1, "max_pixels": 9}, Pixels())["max_pixels"] == 262144
    weights = world.paths.base("qwen2-vl-2b") / "model.safetensors"
    assert weights.is_symlink()  # nothing is copied


def test_two_pixel_budgets_are_caught_when_a_batch_is_made(world):
    from reassess.data.pool import decode_image
    from reassess.training.loading import load_processor
    from reassess.training.preprocessed import preprocess

    processor = load_processor(world.paths.base("qwen2-vl-2b"))
    big = Image.fromarray(np.random.default_rng(0).integers(0, 255, (224, 224, 3), dtype=np.uint8))
    one = replace(
        read_pool(world.paths.pool("train"), HubItem)[0], image=encoded(big, format="PNG")
    )
    rows = preprocess([one], None, processor, world.world.prompt, decode_image, keep_pixels=False)
    assert rows.images.inputs(0)["pixel_values"].shape[0] == rows.images.patches(0)
    processor.image_processor.size = {"shortest_edge": 3136, "longest_edge": 12544}
    with pytest.raises(ReassessError, match="two pixel budgets"):
        rows.images.inputs(0)


def test_pictures_processed_later_are_those_kept(world, tmp_path):
    import torch

    from reassess.data.pool import decode_image
    from reassess.training.loading import load_processor
    from reassess.training.preprocessed import PreprocessedRows, preprocess

    train = (
        read_pool(world.paths.pool("train"), HubItem)[:6]
        + read_pool(world.paths.pool("gsm8k"), HubItem)[:1]
    )
    processor = load_processor(world.paths.base("qwen2-vl-2b"))
    kept = preprocess(train, None, processor, world.world.prompt, decode_image)
    later = preprocess(train, None, processor, world.world.prompt, decode_image, keep_pixels=False)
    later.save(tmp_path / "rows.safetensors")
    loaded = PreprocessedRows.load(tmp_path / "rows.safetensors").process_later(
        train, processor, decode_image
    )
    for rows in (later, loaded.select([one.id for one in train])):
        batch, expected = rows.prompt_batch(range(7), 0), kept.prompt_batch(range(7), 0)
        assert batch.keys() == expected.keys()
        assert all(torch.equal(batch[name], expected[name]) for name in expected)
    assert (tmp_path / "rows.safetensors").stat().st_size < 40_000


def test_a_grid_of_another_world_has_no_repositories():
    with pytest.raises(
        ReassessError, match="a grid of the micro world, which has no public repositories"
    ):
        hub_of(Grid.load(ROOT / "config.yaml"))


def test_wrong_hub_configs_are_explained(tmp_path):
    for world_changes, words in (
        ({"sources": ["geometry4k"]}, "did you mean 'geometry3k'"),
        ({"kind": "hubb"}, "did you mean 'hub'"),
        ({"pixels": {"smallest": 9, "largest": 4}}, "smallest (9) is above largest (4)"),
    ):
        with pytest.raises(ReassessError) as caught:
            grid_in(tmp_path, world=world_changes).specs.pool_hash()
        assert words in str(caught.value)
    with pytest.raises(ReassessError, match="needs the key `adapter`"):
        grid_in(tmp_path, distributions={"foreign": {"adapter": None}})


def test_every_source_is_read_by_the_paper_grid():
    grid = Grid.load(ROOT / "config" / "paper.yaml")
    assert set(hub_of(grid).sources(grid.benchmarks)) == set(source_names())
    assert Path(grid.config.world.pins).name == "pins.yaml"
