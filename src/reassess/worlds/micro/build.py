"""The micro world's base checkpoints and teachers, trained here."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from reassess.core.files import Json, read_parquet, write_json
from reassess.core.manifest import Manifest
from reassess.core.seeds import derive_seed
from reassess.grid.cells import Base
from reassess.grid.study import Grid
from reassess.training.checkpoints import check, describe
from reassess.training.loading import (
    Model,
    Processor,
    load_model,
    load_processor,
    quiet,
    save_checkpoint,
)
from reassess.training.sft_settings import SftSettings
from reassess.worlds.micro.config import MicroConfig
from reassess.worlds.micro.prompts import prompt

quiet()  # before the libraries below are imported

from reassess.training.preprocessed import preprocess  # noqa: E402
from reassess.training.sft import train_sft  # noqa: E402
from reassess.worlds.micro.base_mix import Pair, base_items, teacher_items  # noqa: E402
from reassess.worlds.micro.models import build_model  # noqa: E402


def train_base(grid: Grid, config: MicroConfig, base: Base) -> None:
    """Train a base checkpoint in two stages.

    Stage 1 is a mix of direct answers and chains of thought, stage 2 mostly direct answers. A
    further replicate of a model has other initial weights, other rows and another order.
    """
    name, model_config, recipe = base.name, config.models[base.model], config.world.base
    manifest = Manifest("build_base", grid.specs.base(name), grid.specs.base_hash(name))
    axes = [config.world.seed, *([base.replicate] if base.replicate > 1 else [])]
    seed = derive_seed("base", *axes, model_config.family, model_config.width)
    rows_seed = config.world.seed if base.replicate == 1 else derive_seed("base rows", *axes)
    model, processor = build_model(
        model_config.family, model_config.width, seed, grid.paths.tokenizer
    )
    forbidden = _test_scenes(grid)
    work = grid.paths.scratch / "trainer" / "base" / name
    stages = (
        (1, recipe.rows, recipe.steps, recipe.learning_rate),
        (2, recipe.direct_rows, recipe.direct_steps, recipe.direct_learning_rate),
    )
    totals: Json = {}
    for stage, rows, steps, rate in stages:
        settings = SftSettings(max_steps=steps, learning_rate=rate, save_every=250)
        pairs = base_items(rows_seed, rows, stage, forbidden)
        order, folder = derive_seed(seed, stage), work / f"stage{stage}"
        totals[f"stage{stage}"] = _fit(model, processor, pairs, settings, order, folder, manifest)
    save_checkpoint(model, processor, grid.paths.base(name))
    _report(manifest, model, grid.paths.base(name), totals, grid.paths.base_manifest(name))
    shutil.rmtree(work, ignore_errors=True)


def train_teacher(grid: Grid, family: str) -> None:
    """Train a family's teacher: its strongest base, trained further on chains of thought alone."""
    config = grid.config
    assert isinstance(config, MicroConfig)  # no other world trains teachers
    recipe, base = config.world.teacher, grid.teacher_model(family)
    start = grid.paths.base(base)
    checked = check(start, grid.paths.base_manifest(base), f"base of {base}")
    manifest = Manifest(
        "build_teacher", grid.specs.teacher(family, ""), grid.specs.teacher_hash(family, "")
    )
    model, processor = load_model(start), load_processor(start)
    checked.require_unchanged()
    forbidden = _test_scenes(grid) | _scenes(grid, "train")
    pairs = teacher_items(config.world.seed, recipe.rows, forbidden)
    settings = SftSettings(
        max_steps=recipe.steps, learning_rate=recipe.learning_rate, save_every=250
    )
    order = derive_seed("teacher", config.world.seed, family)
    work = grid.paths.scratch / "trainer" / "teacher" / family
    totals = {"teacher": _fit(model, processor, pairs, settings, order, work, manifest)}
    save_checkpoint(model, processor, grid.paths.teacher(family))
    _report(
        manifest, model, grid.paths.teacher(family), totals, grid.paths.teacher_manifest(family)
    )
    shutil.rmtree(work, ignore_errors=True)


def _fit(
    model: Model,
    processor: Processor,
    pairs: Sequence[Pair],
    settings: SftSettings,
    order_seed: int,
    work: Path,
    manifest: Manifest,
) -> dict[str, float]:
    """Train in place by `train_sft`, resuming in `work`; return the running totals."""
    items, texts = [item for item, _ in pairs], [text for _, text in pairs]
    rows = preprocess(items, texts, processor, prompt)
    work.mkdir(parents=True, exist_ok=True)
    history, resumed = train_sft(model, processor, rows, settings, order_seed=order_seed, work=work)
    manifest.add(resumed=resumed)
    return dict(history.totals)


def _report(manifest: Manifest, model: Model, folder: Path, totals: Json, path: Path) -> None:
    """Write what a saved checkpoint is made of and what it took."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    manifest.add(parameters=parameters, totals=totals, **describe(folder))
    write_json(path, manifest.close())


def _scenes(grid: Grid, split: str) -> set[str]:
    return set(read_parquet(grid.paths.pool(split), ["scene_hash"])["scene_hash"])


def _test_scenes(grid: Grid) -> set[str]:
    return set().union(*(_scenes(grid, split) for split in (*grid.benchmarks, "probe")))
