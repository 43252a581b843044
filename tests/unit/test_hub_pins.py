"""Public repositories: pinned to commits, compared with their pins, refused with an explanation."""

import shutil
from types import SimpleNamespace

import pytest
from huggingface_hub import errors
from stand_ins import stand_in_grid

from reassess.core.errors import ReassessError
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.worlds.hub import fetch
from reassess.worlds.hub.pins import Pin, Pins
from reassess.worlds.hub.world import hub_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_the_shipped_pins_are_commits_and_plan_the_grid():
    pins = Pins.load(ROOT / "config" / "pins.yaml")
    assert len(pins.pinned) >= 15
    grid = Grid.load(ROOT / "config" / "paper.yaml")
    assert len(grid.specs.pool_hash()) == 64
    with pytest.raises(ReassessError, match=r"JierunChen/Eureka-Distill.*pins\.yaml.*reassess pin"):
        hub_of(grid).fetch(grid, "dataset", "JierunChen/Eureka-Distill")


def test_a_moved_pin_changes_the_pool_and_what_is_trained_on_it(tmp_path):
    path = tmp_path / "pins.yaml"
    shutil.copy(ROOT / "config" / "pins.yaml", path)
    grid = stand_in_grid(tmp_path, world={"stand_in": False, "pins": str(path)})
    cell = next(cell for cell in grid.trained.values() if grid.kind(cell) == "sft")

    def hashes(specs):
        return specs.pool_hash(), specs.base_hash("qwen2-vl-2b"), specs.train_hash(cell)

    moved = Pins.load(path)
    moved.pinned["dataset", "openai/gsm8k"] = Pin(COMMIT)
    moved.pinned["model", "Qwen/Qwen2-VL-2B-Instruct"] = Pin(COMMIT)
    before = hashes(grid.specs)
    moved.save()
    after = hashes(Grid.load(tmp_path / "grid.yaml").specs)
    assert all(old != new for old, new in zip(before, after, strict=True))


def test_pins_survive_being_written_and_read(tmp_path):
    shutil.copy(ROOT / "config" / "pins.yaml", tmp_path / "pins.yaml")
    Pins.load(tmp_path / "pins.yaml").save()
    shipped = (ROOT / "config" / "pins.yaml").read_text()
    assert (tmp_path / "pins.yaml").read_text() == shipped


def test_a_pin_that_is_no_commit_is_named(tmp_path):
    path = tmp_path / "pins.yaml"
    path.write_text("models: {a/b: main}\n")
    with pytest.raises(ReassessError, match=r"models\.a/b.*'main'.*40"):
        Pins.load(path)
    assert Pins.load(tmp_path / "none.yaml").pinned == {}


def test_pin_asks_for_commit_sizes_and_hashes_and_keeps_pins_that_are_not_moved(
    tmp_path, monkeypatch
):
    asked = []

    def info(kind, repo, revision):
        asked.append((kind, repo, revision))
        weights = SimpleNamespace(
            rfilename="model.safetensors", size=9, lfs=SimpleNamespace(sha256="ab")
        )
        config = SimpleNamespace(rfilename="x.json", size=2, lfs=None)
        return SimpleNamespace(sha=revision or COMMIT, siblings=[weights, config])

    monkeypatch.setattr(fetch, "info", info)
    pins = Pins(tmp_path / "pins.yaml", {("model", "a/b"): Pin("f" * 40)})
    lines = list(fetch.resolve([("model", "a/b"), ("dataset", "c/d")], pins, {}))
    assert asked == [("model", "a/b", "f" * 40), ("dataset", "c/d", None)]
    assert lines[1].split() == ["dataset", "c/d", COMMIT]
    read = Pins.load(tmp_path / "pins.yaml")
    assert read.of("model", "a/b").revision == "f" * 40
    assert read.of("dataset", "c/d").size == 11
    list(fetch.resolve([("model", "a/b")], read, {"a/b": "main"}))
    assert asked[-1] == ("model", "a/b", "main")


def test_a_download_is_compared_with_its_pin(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    digest = fetch.sha256_file(tmp_path / "model.safetensors")
    good = Pin(COMMIT, {"model.safetensors": [7, digest], "code.py": [3, None]})
    fetch.check(tmp_path, "a/b", good, fetch.MODEL_FILES)  # code is not fetched, so not missed
    with pytest.raises(ReassessError, match=rf"a/b: model.safetensors.*{COMMIT}"):
        fetch.check(
            tmp_path, "a/b", Pin(COMMIT, {"model.safetensors": [7, "0" * 64]}), fetch.MODEL_FILES
        )
    with pytest.raises(ReassessError, match=r"config\.json is missing"):
        fetch.check(tmp_path, "a/b", Pin(COMMIT, {"config.json": [7, None]}), fetch.MODEL_FILES)


class Response:
    status_code, headers, request = 401, {}, None


@pytest.mark.parametrize(
    ("raised", "facts"),
    [
        (errors.GatedRepoError, r"gated.*HF_TOKEN"),
        (errors.RevisionNotFoundError, rf"{COMMIT}.*reassess pin"),
        (errors.RepositoryNotFoundError, r"no dataset a/b.*HF_TOKEN"),
        (errors.LocalEntryNotFoundError, r"cannot be reached.*reassess fetch.*cache folder"),
        (ConnectionError, r"cannot be reached.*reassess fetch"),
    ],
)
def test_refusals_of_the_hub_are_explained(raised, facts, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    error = (
        raised("no")
        if raised in (errors.LocalEntryNotFoundError, ConnectionError)
        else raised("no", response=Response())
    )
    with pytest.raises(ReassessError, match=facts), fetch.explained("dataset", "a/b", COMMIT):
        raise error


def test_an_offline_machine_is_named_as_the_reason(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with (
        pytest.raises(ReassessError, match="HF_HUB_OFFLINE is set"),
        fetch.explained("model", "a/b", COMMIT),
    ):
        raise errors.OfflineModeIsEnabled("no network")
    with pytest.raises(ReassessError, match=rf"{COMMIT}.*models--a--b"):
        fetch.snapshot("model", "a/b", COMMIT, tmp_path)


def test_one_repository_can_be_fetched_and_a_wrong_name_gets_the_nearest(tmp_path):
    grid = stand_in_grid(tmp_path)
    hub = hub_of(grid)
    assert hub.wanted(grid, None) == list(hub.repositories(grid))
    assert hub.wanted(grid, "dataset/openai/gsm8k") == [("dataset", "openai/gsm8k")]
    with pytest.raises(ReassessError, match="did you mean 'dataset/openai/gsm8k'"):
        hub.wanted(grid, "dataset/openai/gsm8")


def test_a_stand_in_never_gets_into_the_users_own_cache(tmp_path):
    grid = stand_in_grid(tmp_path)
    world = grid.config.world.model_copy(update={"cache": None})
    grid = Grid(grid.config.model_copy(update={"world": world}))
    with pytest.raises(ReassessError, match=r"world\.cache"):
        hub_of(grid).fetch(grid, "dataset", "openai/gsm8k")


def test_a_grid_of_another_world_has_no_repositories():
    with pytest.raises(ReassessError, match=r"config\.yaml.*micro world"):
        hub_of(Grid.load(ROOT / "config.yaml"))


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"sources": ["geometry4k"]}, "did you mean 'geometry3k'"),
        ({"kind": "hubb"}, "did you mean 'hub'"),
        ({"pixels": {"smallest": 9, "largest": 4}}, r"smallest \(9\).*largest \(4\)"),
    ],
)
def test_wrong_hub_configs_are_explained(changes, fact, tmp_path):
    with pytest.raises(ReassessError, match=fact):
        stand_in_grid(tmp_path, world=changes).specs.pool_hash()


def test_a_distribution_with_its_own_questions_must_name_their_adapter(tmp_path):
    with pytest.raises(ReassessError, match="foreign.*`adapter`"):
        stand_in_grid(tmp_path, distributions={"foreign": {"adapter": None}})
