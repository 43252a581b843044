"""The micro world's models: tokenizer, base checkpoints and teachers, trained here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from reassess.core.files import read_parquet, write_json
from reassess.core.manifest import Manifest
from reassess.core.seeds import derive_seed
from reassess.data.pool import decode_image
from reassess.grid.study import Grid
from reassess.worlds.micro.prompts import prompt


def train_base(grid: Grid, model_name: str) -> None:
    """Train a base checkpoint: stage 1 on a mix of direct answers and chains of thought, stage 2 mostly on direct answers."""
    from reassess.training.loading import quiet

    quiet()
    from reassess.worlds.micro.base_mix import base_items
    from reassess.worlds.micro.models import build_model

    world, model_config = grid.world.config.world, grid.world.config.models[model_name]
    manifest = Manifest("build_base", grid.specs.base(model_name), grid.specs.base_hash(model_name))
    seed = derive_seed("base", world.seed, model_config.family, model_config.width)
    model, processor = build_model(
        model_config.family, model_config.width, seed, grid.paths.tokenizer
    )
    forbidden = _test_scenes(grid)
    recipe, work = world.base, grid.paths.scratch / "trainer" / "base" / model_name
    stages = (
        (1, recipe.rows, recipe.steps, recipe.learning_rate),
        (2, recipe.direct_rows, recipe.direct_steps, recipe.direct_learning_rate),
    )
    spent = {}
    for stage, rows, steps, rate in stages:
        items = base_items(world.seed, rows, stage, forbidden)
        folder = work / f"stage{stage}"
        history = _fit(
            model, processor, items, steps, rate, derive_seed(seed, stage), folder, manifest
        )
        spent[f"stage{stage}"] = history
    _finish(
        manifest,
        model,
        processor,
        grid.paths.base(model_name),
        grid.paths.results / "models" / model_name / "base.json",
        spent,
    )
    shutil.rmtree(work, ignore_errors=True)


def train_teacher(grid: Grid, family: str) -> None:
    """Train a family's teacher: its strongest base, further, on chains of thought alone."""
    from reassess.training.loading import load_model, load_processor
    from reassess.worlds.micro.base_mix import teacher_items

    world, start = grid.world.config.world, grid.paths.base(grid.teacher_model(family))
    manifest = Manifest(
        "build_teacher", grid.specs.teacher(family, ""), grid.specs.teacher_hash(family, "")
    )
    model, processor = load_model(start), load_processor(start)
    items = teacher_items(
        world.seed, world.teacher.rows, _test_scenes(grid) | _scenes(grid, "train")
    )
    seed, work = (
        derive_seed("teacher", world.seed, family),
        grid.paths.scratch / "trainer" / "teacher" / family,
    )
    spent = _fit(
        model,
        processor,
        items,
        world.teacher.steps,
        world.teacher.learning_rate,
        seed,
        work,
        manifest,
    )
    report = grid.paths.results / "models" / family / "teacher.json"
    _finish(manifest, model, processor, grid.paths.teacher(family), report, {"teacher": spent})
    shutil.rmtree(work, ignore_errors=True)


def _fit(
    model: Any,
    processor: Any,
    pairs: Any,
    steps: int,
    rate: float,
    seed: int,
    work: Path,
    manifest: Manifest,
) -> dict[str, float]:
    """Train in place by `train_sft` on (item, completion) pairs, resuming in `work`; return the running totals."""
    from reassess.training.preprocessed import preprocess
    from reassess.training.sft import train_sft
    from reassess.training.sft_settings import SftSettings

    rows = preprocess(
        [item for item, _ in pairs], [text for _, text in pairs], processor, prompt, decode_image
    )
    settings = SftSettings(max_steps=steps, learning_rate=rate, save_every=250)
    work.mkdir(parents=True, exist_ok=True)
    history, resumed = train_sft(model, processor, rows, settings, order_seed=seed, work=work)
    manifest.add(resumed=resumed)
    return dict(history.totals)


def _finish(
    manifest: Manifest,
    model: Any,
    processor: Any,
    folder: Path,
    report: Path,
    spent: dict[str, Any],
) -> None:
    from reassess.training.loading import save_checkpoint, weights_hash

    save_checkpoint(model, processor, folder)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    manifest.add(parameters=parameters, weights_hash=weights_hash(folder), totals=spent)
    write_json(report, manifest.close())


def _scenes(grid: Grid, split: str) -> set[str]:
    return set(read_parquet(grid.paths.pool(split), ["scene_hash"])["scene_hash"])


def _test_scenes(grid: Grid) -> set[str]:
    return set().union(*(_scenes(grid, split) for split in (*grid.benchmarks, "probe")))
