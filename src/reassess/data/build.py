"""The jobs that come before any cell: pool, base checkpoints, teachers, traces, frozen rows, prepared rows."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from reassess.data.pool import build_pool, decode_image, read_pool
from reassess.errors import ReassessError
from reassess.files import read_parquet, sha256_text, write_json, write_parquet
from reassess.grid import Grid
from reassess.manifest import Manifest
from reassess.seeds import derive_seed
from reassess.worlds.micro.prompts import prompt


def make_pool(grid: Grid) -> None:
    """Write every split and the disjointness report."""
    world = grid.config.world
    folder = grid.pool_file("train").parent
    build_pool(folder, world.seed, world.pool_rows, world.split_items, world.probe_items, grid.scenes())


def make_tokenizer(grid: Grid) -> None:
    """Train the world's tokenizer."""
    from reassess.worlds.micro.models import build_tokenizer

    build_tokenizer(grid.tokenizer_dir())


def make_base(grid: Grid, model_name: str) -> None:
    """Train a base checkpoint: stage 1 on a mix of direct answers and chains of thought, stage 2 mostly on direct answers."""
    from reassess.training.loading import quiet

    quiet()
    from reassess.worlds.micro.base_mix import base_items
    from reassess.worlds.micro.models import build_model

    world, model_config = grid.config.world, grid.config.models[model_name]
    manifest = Manifest("build_base", grid.base_spec(model_name), grid.base_hash(model_name))
    seed = derive_seed("base", world.seed, model_config.family, model_config.width)
    model, processor = build_model(model_config.family, model_config.width, seed, grid.tokenizer_dir())
    forbidden = _test_scenes(grid)
    recipe, work = world.base, grid.scratch / "trainer" / "base" / model_name
    stages = (
        (1, recipe.rows, recipe.steps, recipe.learning_rate),
        (2, recipe.direct_rows, recipe.direct_steps, recipe.direct_learning_rate),
    )
    spent = {}
    for stage, rows, steps, rate in stages:
        items = base_items(world.seed, rows, stage, forbidden)
        folder = work / f"stage{stage}"
        history = _fit(model, processor, items, steps, rate, derive_seed(seed, stage), folder, manifest)
        spent[f"stage{stage}"] = history
    _finish(manifest, model, processor, grid.base_dir(model_name), grid.results / "models" / model_name / "base.json", spent)
    shutil.rmtree(work, ignore_errors=True)


def make_teacher(grid: Grid, family: str) -> None:
    """Train a family's teacher: its strongest base, further, on chains of thought alone."""
    from reassess.training.loading import load_model, load_processor
    from reassess.worlds.micro.base_mix import teacher_items

    world, start = grid.config.world, grid.base_dir(grid.teacher_model(family))
    manifest = Manifest("build_teacher", grid.teacher_spec(family), grid.teacher_hash(family))
    model, processor = load_model(start), load_processor(start)
    items = teacher_items(world.seed, world.teacher.rows, _test_scenes(grid) | _scenes(grid, "train"))
    seed, work = derive_seed("teacher", world.seed, family), grid.scratch / "trainer" / "teacher" / family
    spent = _fit(model, processor, items, world.teacher.steps, world.teacher.learning_rate, seed, work, manifest)
    report = grid.results / "models" / family / "teacher.json"
    _finish(manifest, model, processor, grid.teacher_dir(family), report, {"teacher": spent})
    shutil.rmtree(work, ignore_errors=True)


def _fit(
    model: Any, processor: Any, pairs: Any, steps: int, rate: float, seed: int, work: Path, manifest: Manifest
) -> dict[str, float]:
    """Train in place by `train_sft` on (item, completion) pairs, resuming in `work`; return the running totals."""
    from reassess.training.prepared import prepare
    from reassess.training.sft import train_sft
    from reassess.training.sft_settings import SftSettings

    rows = prepare([item for item, _ in pairs], [text for _, text in pairs], processor, prompt, decode_image)
    settings = SftSettings(max_steps=steps, learning_rate=rate, save_every=250)
    work.mkdir(parents=True, exist_ok=True)
    history, resumed = train_sft(model, processor, rows, settings, order_seed=seed, work=work)
    manifest.add(resumed=resumed)
    return dict(history.totals)


def _finish(manifest: Manifest, model: Any, processor: Any, folder: Path, report: Path, spent: dict[str, Any]) -> None:
    from reassess.training.loading import save_checkpoint, weights_hash

    save_checkpoint(model, processor, folder)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    manifest.add(parameters=parameters, weights_hash=weights_hash(folder), totals=spent)
    write_json(report, manifest.close())


def _scenes(grid: Grid, split: str) -> set[str]:
    return set(read_parquet(grid.pool_file(split), ["scene_hash"])["scene_hash"])


def _test_scenes(grid: Grid) -> set[str]:
    return set().union(*(_scenes(grid, split) for split in (*grid.benchmarks, "probe")))


def make_traces(grid: Grid, family: str, distribution: str) -> None:
    """Write the traces of a distribution for a family: sampled from its teacher, or rendered by the world."""
    config, started = grid.config.distributions[distribution], time.monotonic()
    items = read_pool(grid.pool_file("train"))
    if config.source == "teacher":
        from reassess.data.traces import sample_traces

        seed = derive_seed("traces", grid.config.world.seed, family, distribution)
        kept, report = sample_traces(grid.teacher_dir(family), items, config.samples, config.temperature, seed)
    else:
        from reassess.worlds.micro.traces import render_trace

        kept = {item.id: render_trace(item, config.style) for item in items}
        report = {"samples_per_prompt": 1, "temperature": None, "tokens": None}
    import pandas as pd

    report |= {"source": config.source, "prompts": len(items), "kept": len(kept), "yield": len(kept) / len(items)}
    report |= {"seconds": round(time.monotonic() - started, 3), "spec_hash": grid.traces_hash(family, distribution)}
    path = grid.traces_file(family, distribution)
    write_json(path.with_suffix(".json"), report)
    write_parquet(path, pd.DataFrame({"id": list(kept), "completion": list(kept.values())}))


def freeze_rows(grid: Grid, family: str) -> None:
    """Write the family's rows: those of the pool, in order, that have a trace in every distribution.

    So every distribution and every method of a family trains on the same questions.

    Raises:
        ReassessError: no row is left.
    """
    kept = [set(read_parquet(grid.traces_file(family, name), ["id"])["id"]) for name in grid.distributions_of(family)]
    pool = read_parquet(grid.pool_file("train"), ["id"])
    frozen = pool[pool["id"].isin(set.intersection(*kept))].reset_index(drop=True)
    if frozen.empty:
        raise ReassessError(f"no row of the pool has a trace in every distribution of family {family!r}")
    write_parquet(grid.rows_file(family), frozen)
    summary = {"rows": len(frozen), "pool_rows": len(pool), "rows_hash": sha256_text("\n".join(frozen["id"]))}
    write_json(grid.rows_file(family).with_suffix(".json"), summary)


def prepare_rows(grid: Grid, family: str, distribution: str) -> None:
    """Tokenise the family's frozen rows with the traces of a distribution, once for all arms."""
    from reassess.training.loading import load_processor
    from reassess.training.prepared import prepare

    pool = {item.id: item for item in read_pool(grid.pool_file("train"))}
    traces = read_parquet(grid.traces_file(family, distribution)).set_index("id")["completion"]
    frozen = read_parquet(grid.rows_file(family))["id"].tolist()
    processor = load_processor(grid.base_dir(grid.teacher_model(family)))
    rows = prepare([pool[row] for row in frozen], [traces[row] for row in frozen], processor, prompt, decode_image)
    rows.save(grid.prepared_file(family, distribution))
