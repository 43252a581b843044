"""The pool of the hub world: rows of several public sets in one frozen order, nothing of it in a benchmark."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from reassess.core.errors import ReassessError
from reassess.core.files import write_json
from reassess.core.seeds import derive_seed
from reassess.data.pool import write_pool
from reassess.grid.study import Grid
from reassess.worlds.hub.items import Dropped, HubItem, Row
from reassess.worlds.hub.overlap import all_ngrams, image_hash, near, ngrams
from reassess.worlds.hub.source import Source, find_source, read_rows
from reassess.worlds.hub.world import benchmark_source, hub_of

CHUNK = 256  # rows that are decoded side by side
HANDED = 32  # rows that a process is handed at once
LISTED = 20  # items that a report names


class Report:
    """Counts what was kept and why the rest was not, source by source."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.kept: Counter[str] = Counter()
        self.dropped: dict[str, Counter[str]] = {}
        self.examples: dict[str, list[str]] = {}

    def drop(self, source: str, reason: str, row: str) -> None:
        """Count a row that is left out, and name the first few of each reason."""
        self.dropped.setdefault(source, Counter())[reason] += 1
        named = self.examples.setdefault(f"{source}: {reason}", [])
        if len(named) < LISTED:
            named.append(row)

    def content(self) -> dict[str, Any]:
        """Return the report."""
        return {
            "kept": dict(self.kept),
            "dropped": {name: dict(why) for name, why in self.dropped.items()},
            "examples": self.examples,
        }


def build(grid: Grid) -> None:
    """Write the splits: benchmarks, training pool, probe, and a pool for each distribution that brings its own questions.

    Raises:
        ReassessError: too few rows are left for the pool.
    """
    world, report = hub_of(grid), Report()
    config, folder = world.config.world, grid.paths.pool("train").parent
    tests: dict[str, list[HubItem]] = {}
    with ProcessPoolExecutor(config.workers) as workers:
        for name, benchmark in grid.benchmarks.items():
            source = benchmark_source(benchmark)
            tests[name] = list(
                read_items(
                    name,
                    find_source(source),
                    world.snapshot_of(source),
                    report,
                    workers,
                    config.benchmark_items,
                )
            )
            write_pool(folder / f"{name}.parquet", tests[name])
        screen = Screen(tests, config.ngram, config.image_distance)
        lengths = world.prompt_lengths(grid)
        found: list[HubItem] = []
        for name in config.sources:
            rows = read_items(name, find_source(name), world.snapshot_of(name), report, workers)
            found += _screened(rows, name, screen, lengths, config.max_prompt_tokens, report)
        found = _once(found, report)
        needed = config.pool_rows + config.probe_items
        if len(found) < needed:
            raise ReassessError(
                f"the sources leave {len(found)} rows, the pool and the probe want {needed}: lower world.pool_rows or add sources"
            )
        found.sort(key=lambda item: derive_seed("pool", config.seed, item.id))
        write_pool(folder / "train.parquet", _numbered(found[: config.pool_rows]))
        write_pool(folder / "probe.parquet", _numbered(found[config.pool_rows : needed]))
        for name, distribution in world.config.distributions.items():
            if distribution.adapter is not None:
                rows = read_items(
                    name,
                    find_source(distribution.adapter),
                    world.snapshot_of(distribution.adapter),
                    report,
                    workers,
                )
                own = list(_screened(rows, name, screen, lengths, config.max_prompt_tokens, report))
                own.sort(key=lambda item: derive_seed("pool", config.seed, item.id))
                write_pool(folder / f"{name}.parquet", _numbered(own))
    write_json(
        folder / "disjointness.json",
        {**report.content(), "screen": screen.content(), "revisions": world.revisions(grid)},
    )


def _numbered(items: Sequence[HubItem]) -> list[HubItem]:
    return [replace(item, index=index) for index, item in enumerate(items)]


def read_items(
    name: str,
    source: Source,
    snapshot: Path,
    report: Report,
    workers: ProcessPoolExecutor,
    limit: int | None = None,
) -> Iterator[HubItem]:
    """Yield the items of a source, its pictures decoded and hashed; rows that cannot be used are counted."""
    count = 0
    for chunk in _chunks(_rows(name, source, snapshot, report)):
        hashes = workers.map(_hash, [row.image for _, row in chunk], chunksize=HANDED)
        for (row_id, row), digest in zip(chunk, hashes, strict=True):
            if digest is None:
                report.drop(name, "the picture does not decode", row_id)
                continue
            report.kept[name] += 1
            yield HubItem(
                id=row_id,
                index=count,
                source=source.repo,
                family=row.family,
                question=row.question,
                options=json.dumps(row.options),
                answer=_gold(row),
                answer_kind=row.answer_kind,
                image=row.image,
                image_hash=digest,
                trace=row.trace,
                licence=source.licence,
            )
            count += 1
            if count == limit:
                return


def _gold(row: Row) -> str:
    """Return the answer as its kind is verified: for a choice, letter and text of the right option."""
    if row.answer_kind != "choice":
        return row.answer
    return json.dumps([row.answer, row.options[ord(row.answer) - ord("A")]])


def _rows(name: str, source: Source, snapshot: Path, report: Report) -> Iterator[tuple[str, Row]]:
    for number, raw in enumerate(read_rows(snapshot, source)):
        row_id = f"{name}-{number:06d}"
        try:
            for place, row in enumerate(source.convert(raw)):
                yield row_id if place == 0 else f"{row_id}.{place}", row
        except Dropped as why:
            report.drop(name, str(why), row_id)


def _chunks(rows: Iterable[tuple[str, Row]]) -> Iterator[list[tuple[str, Row]]]:
    chunk: list[tuple[str, Row]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _hash(encoded: bytes | None) -> str | None:
    """Return a picture's hash, an empty text where there is no picture, None where it does not decode."""
    if encoded is None:
        return ""
    try:
        return image_hash(encoded)
    except (OSError, SyntaxError, ValueError):
        return None


class Screen:
    """What benchmarks hold, to keep it out of training."""

    def __init__(self, tests: dict[str, list[HubItem]], size: int, distance: int) -> None:
        """Take in the items of all benchmarks."""
        self.size, self.distance = size, distance
        self.pictures = sorted(
            {item.image_hash for items in tests.values() for item in items if item.image_hash}
        )
        self.runs = all_ngrams((item.question for items in tests.values() for item in items), size)

    def clean(self, items: Sequence[HubItem]) -> list[str]:
        """Return for each item why it must go, or an empty text."""
        pictured = [item.image_hash or "0" * 64 for item in items]
        same = near(pictured, self.pictures, self.distance)
        return [self._why(item, bool(hit)) for item, hit in zip(items, same, strict=True)]

    def _why(self, item: HubItem, same_picture: bool) -> str:
        if same_picture:
            return "its picture is a benchmark's"
        return "its words are a benchmark's" if ngrams(item.question, self.size) & self.runs else ""

    def content(self) -> dict[str, int]:
        """Return what the report says of the screen."""
        return {
            "pictures": len(self.pictures),
            "runs": len(self.runs),
            "ngram": self.size,
            "image_distance": self.distance,
        }


def _screened(
    rows: Iterable[HubItem], name: str, screen: Screen, lengths: Any, longest: int, report: Report
) -> Iterator[HubItem]:
    """Yield the items that are in no benchmark and whose prompt is not too long."""
    items = list(rows)
    for item, why, length in zip(items, screen.clean(items), lengths(items), strict=True):
        reason = why or ("its prompt is too long" if length > longest else "")
        if reason:
            report.kept[name] -= 1
            report.drop(name, reason, item.id)
        else:
            yield item


def _once(items: Sequence[HubItem], report: Report) -> list[HubItem]:
    """Return the items without those that repeat question and picture of an earlier one."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for item in items:
        key = (item.question.casefold(), item.image_hash)
        name = item.id.rpartition("-")[0]
        if key in seen:
            report.kept[name] -= 1
            report.drop(name, "it repeats an earlier row", item.id)
        else:
            seen.add(key)
            kept.append(item)
    return kept
