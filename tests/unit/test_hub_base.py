"""Base checkpoints of the hub world: one pixel budget for every engine, images processed once or later."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from stand_ins import MODEL, ONE_TEACHER, encoded, stand_in_grid

from reassess.core.errors import ReassessError
from reassess.core.files import read_json, sha256_file
from reassess.data.pool import read_pool
from reassess.grid.cells import Base
from reassess.workflow.jobs.inputs import check_base
from reassess.worlds.hub.base import with_pixels
from reassess.worlds.hub.config import Pixels
from reassess.worlds.hub.items import HubItem
from reassess.worlds.hub.pins import Pin


def test_one_pixel_budget_is_written_into_every_base_checkpoint(stand_in):
    from reassess.training.loading import load_processor

    folder = stand_in.paths.base(MODEL)
    config = json.loads((folder / "preprocessor_config.json").read_text())
    assert (config["min_pixels"], config["max_pixels"]) == (3136, 50176)
    assert load_processor(folder).image_processor.size["longest_edge"] == 50176
    assert with_pixels({"a": 1, "max_pixels": 9}, Pixels())["max_pixels"] == 262144
    assert (folder / "model.safetensors").is_symlink()  # nothing is copied


def test_two_pixel_budgets_are_caught_when_a_batch_is_made(stand_in):
    from reassess.training.loading import load_processor
    from reassess.training.preprocessed import preprocess

    processor = load_processor(stand_in.paths.base(MODEL))
    noise = np.random.default_rng(0).integers(0, 255, (224, 224, 3), dtype=np.uint8)
    first = read_pool(stand_in.paths.pool("train"), HubItem)[0]
    big = replace(first, image=encoded(Image.fromarray(noise), format="PNG"))
    rows = preprocess([big], None, processor, stand_in.world.prompt, keep_pixels=False)
    assert rows.images.inputs(0)["pixel_values"].shape[0] == rows.images.patches(0)
    processor.image_processor.size = {"shortest_edge": 3136, "longest_edge": 12544}
    with pytest.raises(ReassessError, match="two pixel budgets"):
        rows.images.inputs(0)


def test_images_processed_later_are_those_kept(stand_in, tmp_path):
    import torch

    from reassess.training.loading import load_processor
    from reassess.training.preprocessed import PreprocessedRows, preprocess

    train = (
        read_pool(stand_in.paths.pool("train"), HubItem)[:6]
        + read_pool(stand_in.paths.pool("gsm8k"), HubItem)[:1]
    )
    processor, prompt = load_processor(stand_in.paths.base(MODEL)), stand_in.world.prompt
    kept = preprocess(train, None, processor, prompt)
    later = preprocess(train, None, processor, prompt, keep_pixels=False)
    later.save(tmp_path / "rows.safetensors")
    loaded = PreprocessedRows.load(tmp_path / "rows.safetensors").process_later(train, processor)
    for rows in (later, loaded.select([one.id for one in train])):
        batch, expected = rows.prompt_batch(range(7), 0), kept.prompt_batch(range(7), 0)
        assert batch.keys() == expected.keys()
        assert all(torch.equal(batch[name], expected[name]) for name in expected)
    assert (tmp_path / "rows.safetensors").stat().st_size < 40_000


@pytest.fixture
def own_cache(stand_in, tmp_path):
    """The stand-in grid with a cache of its own, which a test may damage."""
    shutil.copytree(stand_in.config.world.cache, tmp_path / "hub", symlinks=True)
    return stand_in_grid(tmp_path, teachers={"qwen-vl": MODEL}, distributions=ONE_TEACHER)


def weights_in_cache(grid):
    repo = grid.config.models[MODEL].hub
    return grid.world.public.model_snapshot(repo) / "model.safetensors"


def flip(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))


def test_a_base_states_its_files_and_holds_only_what_is_fetched(own_cache):
    extra = weights_in_cache(own_cache).with_name("modeling_custom.py")
    extra.write_text("")
    own_cache.world.build_base(own_cache, Base(MODEL))
    stated = read_json(own_cache.paths.base_manifest(MODEL))
    assert "preprocessor_config.json" in stated["checkpoint_files"]
    assert extra.name not in stated["checkpoint_files"]
    assert not (own_cache.paths.base(MODEL) / extra.name).exists()
    check_base(own_cache, MODEL)


def test_a_file_damaged_in_the_cache_is_named(own_cache):
    own_cache.world.build_base(own_cache, Base(MODEL))
    weights = weights_in_cache(own_cache)
    flip(weights)
    with pytest.raises(ReassessError, match="reassess fetch") as caught:
        check_base(own_cache, MODEL)
    assert str(weights.resolve()) in str(caught.value)


def test_a_base_is_laid_out_from_the_pinned_weights_alone(own_cache, monkeypatch):
    weights = weights_in_cache(own_cache)
    pin = Pin("a" * 40, {weights.name: [weights.stat().st_size, sha256_file(weights)]})
    snapshot = weights.parent
    public = own_cache.world.public
    monkeypatch.setattr(public, "pin", lambda kind, repo: pin)
    monkeypatch.setattr(public, "model_snapshot", lambda repo: snapshot)
    own_cache.world.build_base(own_cache, Base(MODEL))
    flip(weights)
    with pytest.raises(ReassessError, match=r"model\.safetensors.*fetch"):
        own_cache.world.build_base(own_cache, Base(MODEL))


def test_a_stand_in_can_be_read_by_whoever_reads_its_configs(stand_in):
    snapshot = weights_in_cache(stand_in).parent
    assert len({path.stat().st_mode for path in snapshot.iterdir() if path.is_file()}) == 1
