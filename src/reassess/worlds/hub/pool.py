"""The pool of the hub world: rows of public sets in one frozen order, none of a benchmark."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing.context import BaseContext
from multiprocessing.util import Finalize
from pathlib import Path

from reassess.core.errors import ReassessError
from reassess.core.files import Json, write_json
from reassess.core.seeds import derive_seed
from reassess.data.pool import write_pool
from reassess.grid.benchmarks import Benchmark
from reassess.grid.paths import Paths
from reassess.verifier import golds, math_worker
from reassess.worlds.hub.items import Dropped, HubItem, Row
from reassess.worlds.hub.overlap import all_ngrams, image_hash, near, ngrams
from reassess.worlds.hub.repositories import Repositories
from reassess.worlds.hub.source import Source, benchmark_source, find_source, read_rows

CHUNK = 256  # rows whose images and right answers are checked in parallel
HANDED = 32  # rows that a process is given at once
LISTED = 20  # items that a report names
LONGEST_LISTED = 100  # characters of a right answer that a report quotes

Lengths = Callable[[Sequence[HubItem]], list[int]]  # lengths of prompts in tokens


class PoolReport:
    """Counts what was kept and why the rest was dropped, source by source."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.kept: Counter[str] = Counter()
        self.dropped: dict[str, Counter[str]] = {}
        self.examples: dict[str, list[str]] = {}

    def keep(self, source: str) -> None:
        """Count a row that is kept."""
        self.kept[source] += 1

    def drop(self, source: str, reason: str, row: str) -> None:
        """Count a row that is left out, and name the first few of each reason."""
        self.dropped.setdefault(source, Counter())[reason] += 1
        named = self.examples.setdefault(f"{source}: {reason}", [])
        if len(named) < LISTED:
            named.append(row)

    def drop_kept(self, source: str, reason: str, row: str) -> None:
        """Leave out a row that was counted as kept."""
        self.kept[source] -= 1
        self.drop(source, reason, row)

    def content(self) -> Json:
        """The report as plain data."""
        return {
            "kept": dict(self.kept),
            "dropped": {name: dict(reasons) for name, reasons in self.dropped.items()},
            "examples": self.examples,
        }


class Screen:
    """What benchmarks hold, to keep it out of training."""

    def __init__(self, tests: Mapping[str, Sequence[HubItem]], size: int, distance: int) -> None:
        """Take in the items of all benchmarks.

        Args:
            tests: items of each benchmark.
            size: words of a run that no training row may share.
            distance: bits of an image's hash within which two images count as the same.
        """
        self.size, self.distance = size, distance
        items = [item for split in tests.values() for item in split]
        self.images = sorted({item.image_hash for item in items if item.image_hash})
        self.runs = all_ngrams((item.question for item in items), size)

    def problems(self, items: Sequence[HubItem]) -> list[str]:
        """For each item why it must be left out, or an empty string."""
        hashes = [item.image_hash or "0" * 64 for item in items]
        same = near(hashes, self.images, self.distance)
        return [self._problem(item, bool(hit)) for item, hit in zip(items, same, strict=True)]

    def _problem(self, item: HubItem, same_image: bool) -> str:
        if same_image:
            return "its picture is a benchmark's"
        return "its words are a benchmark's" if ngrams(item.question, self.size) & self.runs else ""

    def content(self) -> dict[str, int]:
        """What the report states about the screen."""
        return {
            "pictures": len(self.images),
            "runs": len(self.runs),
            "ngram": self.size,
            "image_distance": self.distance,
        }


def build(
    repositories: Repositories,
    benchmarks: Mapping[str, Benchmark],
    paths: Paths,
    lengths: Lengths,
) -> None:
    """Write every split and the report.

    The splits are the benchmarks, the training pool, the probe, and a pool for each distribution
    that brings its own questions.

    Raises:
        ReassessError: too few rows are left for the pool.
    """
    config, report = repositories.config, PoolReport()
    world = config.world
    with checkers(world.workers) as workers:

        def read(name: str, adapter: str, limit: int | None = None) -> Iterator[HubItem]:
            folder = repositories.data_snapshot(adapter)
            return read_items(name, find_source(adapter), folder, report, workers, limit)

        tests: dict[str, list[HubItem]] = {}
        for name, benchmark in benchmarks.items():
            tests[name] = list(read(name, benchmark_source(benchmark), world.benchmark_items))
            write_pool(paths.pool(name), tests[name])
        screen = Screen(tests, world.ngram, world.image_distance)

        def read_screened(name: str, adapter: str) -> Iterator[HubItem]:
            rows = read(name, adapter)
            return _screened(rows, name, screen, lengths, world.max_prompt_tokens, report)

        rows: list[HubItem] = []
        for name in world.sources:
            rows += read_screened(name, name)
        rows = _in_order(_without_repetitions(rows, report), world.seed)
        needed = world.pool_rows + world.probe_items
        if len(rows) < needed:
            raise ReassessError(
                f"the sources leave {len(rows)} rows, but pool and probe need {needed}: lower "
                "world.pool_rows or add sources"
            )
        write_pool(paths.pool("train"), _numbered(rows[: world.pool_rows]))
        write_pool(paths.pool("probe"), _numbered(rows[world.pool_rows : needed]))
        for name, distribution in config.distributions.items():
            if distribution.adapter is not None:
                own = _in_order(read_screened(name, distribution.adapter), world.seed)
                write_pool(paths.pool(name), _numbered(own))
    revisions = repositories.revisions(benchmarks)
    content = {**report.content(), "screen": screen.content(), "revisions": revisions}
    write_json(paths.disjointness, content)


def _in_order(items: Iterable[HubItem], seed: int) -> list[HubItem]:
    return sorted(items, key=lambda item: derive_seed("pool", seed, item.id))


def _numbered(items: Sequence[HubItem]) -> list[HubItem]:
    return [replace(item, index=index) for index, item in enumerate(items)]


def read_items(
    name: str,
    source: Source,
    snapshot: Path,
    report: PoolReport,
    workers: ProcessPoolExecutor,
    limit: int | None = None,
) -> Iterator[HubItem]:
    """Yield the items of a source with hashes of their images; count rows that cannot be used.

    A row is of no use if its image does not decode, or if its right answer does not verify or a
    wrong one does (`reassess.verifier.golds`).

    Args:
        name: what the items' ids begin with, and the name in the report.
        source: the adapter.
        snapshot: the folder of its repository.
        report: where rows are counted.
        workers: the processes of `checkers`.
        limit: the largest number of items; None: all.
    """
    count = 0
    for chunk in _chunks(converted(name, source, read_rows(snapshot, source), report.drop)):
        checks = workers.map(_checked, [row for _, row in chunk], chunksize=HANDED)
        for (row_id, row), (digest, reason) in zip(chunk, checks, strict=True):
            if digest is None:
                report.drop(name, "the picture does not decode", row_id)
                continue
            if reason is not None:
                report.drop(name, reason, f"{row_id}: {row.reference_answer[:LONGEST_LISTED]}")
                continue
            report.keep(name)
            yield item_of(row, row_id, source, index=count, image_hash=digest)
            count += 1
            if count == limit:
                return


def item_of(
    row: Row, row_id: str, source: Source, *, index: int = 0, image_hash: str = ""
) -> HubItem:
    """The item that a split holds of a row."""
    return HubItem(
        id=row_id,
        index=index,
        source=source.repo,
        family=row.family,
        question=row.question,
        options=json.dumps(row.options),
        answer=row.reference_answer,
        answer_kind=row.answer_kind,
        image=row.image,
        image_hash=image_hash,
        trace=row.trace,
        licence=source.licence,
    )


def converted(
    name: str,
    source: Source,
    raw_rows: Iterable[Json],
    drop: Callable[[str, str, str], None],
) -> Iterator[tuple[str, Row]]:
    """Yield id and row for every row of a source that its adapter uses.

    Args:
        name: what the ids begin with.
        source: the adapter.
        raw_rows: rows as the source stores them.
        drop: called with name, reason and id of each row that is left out.
    """
    for number, raw in enumerate(raw_rows):
        row_id = f"{name}-{number:06d}"
        try:
            for place, row in enumerate(source.convert(raw)):
                yield row_id if place == 0 else f"{row_id}.{place}", row
        except Dropped as reason:
            drop(name, str(reason), row_id)


def _chunks(rows: Iterable[tuple[str, Row]]) -> Iterator[list[tuple[str, Row]]]:
    chunk: list[tuple[str, Row]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def checkers(count: int, context: BaseContext | None = None) -> ProcessPoolExecutor:
    """Processes that decode images and check right answers, for `read_items`.

    Args:
        count: how many.
        context: how they are started; None: as the system's default is.
    """
    return ProcessPoolExecutor(count, context, initializer=_end_with_symbolic_worker)


def _end_with_symbolic_worker() -> None:
    """Let a process end its worker of symbolic comparisons.

    A process of a pool runs no other exit handlers, and would wait for that worker without end.
    """
    Finalize(None, math_worker.stop, exitpriority=1)


def _checked(row: Row) -> tuple[str | None, str | None]:
    """The hash of a row's image, and why its right answer cannot be used."""
    digest = _hash(row.image)
    return digest, None if digest is None else golds.problem(row.reference_answer, row.answer_kind)


def _hash(encoded: bytes | None) -> str | None:
    """An image's hash, an empty string where there is no image, None where it does not decode."""
    if encoded is None:
        return ""
    try:
        return image_hash(encoded)
    except (OSError, SyntaxError, ValueError):
        return None


def _screened(
    rows: Iterable[HubItem],
    name: str,
    screen: Screen,
    lengths: Lengths,
    longest: int,
    report: PoolReport,
) -> Iterator[HubItem]:
    """Yield the items that share nothing with a benchmark and whose prompt is not too long."""
    items = list(rows)
    for item, problem, length in zip(items, screen.problems(items), lengths(items), strict=True):
        reason = problem or ("its prompt is too long" if length > longest else "")
        if reason:
            report.drop_kept(name, reason, item.id)
        else:
            yield item


def _without_repetitions(items: Iterable[HubItem], report: PoolReport) -> list[HubItem]:
    """The items without those that repeat question and image of an earlier one."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for item in items:
        key = (item.question.casefold(), item.image_hash)
        if key in seen:
            report.drop_kept(item.id.rpartition("-")[0], "it repeats an earlier row", item.id)
        else:
            seen.add(key)
            kept.append(item)
    return kept
