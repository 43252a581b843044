"""The jobs between the pool and the cells, the same in every world: traces, frozen rows, prepared rows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from reassess.data.pool import decode_image, read_pool
from reassess.errors import ReassessError
from reassess.files import read_json, read_parquet, sha256_text, write_json, write_parquet
from reassess.grid import Grid
from reassess.seeds import derive_seed


def _items(grid: Grid, distribution: str) -> list[Any]:
    """Return the items that a distribution trains on."""
    return read_pool(grid.pool_file(grid.world.train_split(distribution)), grid.world.item_type)


def make_shard(grid: Grid, family: str, distribution: str, shard: int) -> None:
    """Sample a shard of a family's traces from the teacher: every so many-th item of the pool."""
    from reassess.data.traces import sample_traces

    started, config = time.monotonic(), grid.config.distributions[distribution]
    items = _items(grid, distribution)[shard :: config.shards]
    seed = derive_seed("traces", grid.config.world.seed, family, distribution) + shard
    teacher = grid.teacher_dir(family, distribution)
    layout = grid.world.engine_layout(grid.world.teacher_model(family, distribution))
    kept, report = sample_traces(teacher, items, grid.world, config, layout, seed)
    path = grid.shard_file(family, distribution, shard)
    report |= {"prompts": len(items), "seconds": round(time.monotonic() - started, 3)}
    write_json(path.with_suffix(".json"), report)
    _write_traces(path, kept)


def make_traces(grid: Grid, family: str, distribution: str) -> None:
    """Write the traces of a distribution for a family: those of its shards, or those that the world gives."""
    config, items = grid.config.distributions[distribution], _items(grid, distribution)
    kept: dict[str, str] = {}
    report: dict[str, Any] = {"samples_per_prompt": 1, "temperature": None, "tokens": None, "seconds": 0.0}
    if config.source == "teacher":
        report |= {"samples_per_prompt": config.samples, "temperature": config.temperature, "tokens": 0}
        for shard in range(config.shards):
            path = grid.shard_file(family, distribution, shard)
            found, part = read_parquet(path), read_json(path.with_suffix(".json"))
            kept |= dict(zip(found["id"], found["completion"], strict=True))
            report["tokens"] += part["tokens"]
            report["seconds"] = round(report["seconds"] + part["seconds"], 3)
    else:
        kept = grid.world.given_traces(grid, items, distribution)
    report |= {"source": config.source, "prompts": len(items), "kept": len(kept), "yield": len(kept) / len(items)}
    report |= {"spec_hash": grid.traces_hash(family, distribution)}
    path = grid.traces_file(family, distribution)
    write_json(path.with_suffix(".json"), report)
    _write_traces(path, {item.id: kept[item.id] for item in items if item.id in kept})


def _write_traces(path: Path, kept: dict[str, str]) -> None:
    import pandas as pd

    write_parquet(path, pd.DataFrame({"id": list(kept), "completion": list(kept.values())}))


def freeze_rows(grid: Grid, family: str, distribution: str) -> None:
    """Write the rows that a family trains on in a distribution: those of its split, in order, that have a trace in every
    distribution of the same split.

    So every method, and every distribution that can, trains on the same questions.

    Raises:
        ReassessError: no row is left.
    """
    sharing = grid.sharing_rows(distribution)
    kept = [set(read_parquet(grid.traces_file(family, name), ["id"])["id"]) for name in sharing]
    pool = read_parquet(grid.pool_file(grid.world.train_split(distribution)), ["id"])
    frozen = pool[pool["id"].isin(set.intersection(*kept))].reset_index(drop=True)
    if frozen.empty:
        raise ReassessError(f"no row of the pool has a trace in every distribution of family {family!r} ({', '.join(sharing)})")
    path = grid.rows_file(family, distribution)
    write_parquet(path, frozen)
    summary = {"rows": len(frozen), "pool_rows": len(pool), "rows_hash": sha256_text("\n".join(frozen["id"]))}
    write_json(path.with_suffix(".json"), summary)


def prepare_rows(grid: Grid, family: str, distribution: str) -> None:
    """Tokenise the family's frozen rows with the traces of a distribution, once for all arms."""
    from reassess.training.loading import load_processor
    from reassess.training.prepared import prepare

    pool = {item.id: item for item in _items(grid, distribution)}
    traces = read_parquet(grid.traces_file(family, distribution)).set_index("id")["completion"]
    frozen = read_parquet(grid.rows_file(family, distribution))["id"].tolist()
    processor = load_processor(grid.base_dir(grid.teacher_model(family)))
    texts = [traces[row] for row in frozen]
    rows = prepare(
        [pool[row] for row in frozen], texts, processor, grid.world.prompt, decode_image, keep_pixels=grid.world.keep_pixels
    )
    rows.save(grid.prepared_file(family, distribution))
