"""The pool of the hub world: rows of public sets in one frozen order, none of a benchmark."""

from __future__ import annotations

import hashlib
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
from reassess.worlds.hub.copies import Comparison, compared
from reassess.worlds.hub.items import Dropped, HubItem, Row
from reassess.worlds.hub.likeness import Likeness
from reassess.worlds.hub.pictures import EVEN_PICTURE, Marks, marks_of
from reassess.worlds.hub.repositories import Repositories
from reassess.worlds.hub.screen import Screen
from reassess.worlds.hub.source import Source, benchmark_source, find_source, read_rows

CHUNK = 256  # rows whose images and right answers are checked in parallel
HANDED = 32  # rows that a process is given at once
LISTED = 20  # items that a report names
LONGEST_LISTED = 100  # characters of a right answer that a report quotes

Lengths = Callable[[Sequence[HubItem]], list[int]]  # lengths of prompts in tokens
Read = Iterator[tuple[HubItem, Marks]]  # items as they are read, with marks of their pictures


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
    if world.image_distance is not None:
        raise ReassessError(
            "world.image_distance is of pools before version 3, whose pictures were compared by "
            "one hash: remove it from the config (docs/contamination.md has what replaces it)"
        )
    with checkers(world.workers) as workers:

        def read(name: str, adapter: str, limit: int | None = None) -> Read:
            folder = repositories.data_snapshot(adapter)
            return read_items(name, find_source(adapter), folder, report, workers, limit)

        tests: dict[str, list[HubItem]] = {}
        gallery: dict[str, Marks] = {}
        for name, benchmark in benchmarks.items():
            split = list(read(name, benchmark_source(benchmark), world.benchmark_items))
            tests[name] = [item for item, _ in split]
            gallery |= {item.id: marks for item, marks in split}
            write_pool(paths.pool(name), tests[name])
        screen = Screen(tests, gallery, world.ngram)

        def read_screened(name: str, adapter: str) -> Iterator[HubItem]:
            rows = read(name, adapter)
            screened = _unleaked(rows, name, screen, report, workers)
            return _short(screened, name, lengths, world.max_prompt_tokens, report)

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
) -> Read:
    """Yield the items of a source and the marks of their pictures; count rows of no use.

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
        for (row_id, row), (marks, reason) in zip(chunk, checks, strict=True):
            if marks is None:
                report.drop(name, "the picture does not decode", row_id)
                continue
            if reason is not None:
                report.drop(name, reason, f"{row_id}: {row.reference_answer[:LONGEST_LISTED]}")
                continue
            report.keep(name)
            digest = "" if row.image is None else marks.digest
            yield item_of(row, row_id, source, index=count, image_hash=digest), marks
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


def _checked(row: Row) -> tuple[Marks | None, str | None]:
    """The marks of a row's picture, and why its right answer cannot be used."""
    marks = _marks(row.image)
    return marks, None if marks is None else golds.problem(row.reference_answer, row.answer_kind)


def _marks(encoded: bytes | None) -> Marks | None:
    """A picture's marks, those of an even one where there is none, None if it does not decode."""
    if encoded is None:
        return EVEN_PICTURE
    try:
        return marks_of(encoded)
    except (OSError, SyntaxError, ValueError):
        return None


def _unleaked(
    rows: Read, name: str, screen: Screen, report: PoolReport, workers: ProcessPoolExecutor
) -> list[HubItem]:
    """The items that share nothing with a benchmark; the others are named with what they share."""

    def compare(pairs: Iterable[Comparison]) -> Iterable[Likeness]:
        return workers.map(compared, pairs, chunksize=HANDED)

    marked = list(rows)
    items, gallery = [item for item, _ in marked], {item.id: marks for item, marks in marked}
    kept = []
    for item, leak in zip(items, screen.leaks(items, gallery, compare), strict=True):
        if leak is None:
            kept.append(item)
        else:
            report.drop_kept(name, leak.reason, f"{item.id} ({leak.item})")
    return kept


def _short(
    items: Sequence[HubItem], name: str, lengths: Lengths, longest: int, report: PoolReport
) -> Iterator[HubItem]:
    """Yield the items whose prompt is not too long."""
    for item, length in zip(items, lengths(items), strict=True):
        if length > longest:
            report.drop_kept(name, "its prompt is too long", item.id)
        else:
            yield item


def _without_repetitions(items: Iterable[HubItem], report: PoolReport) -> list[HubItem]:
    """The items without those that repeat an earlier one: what is shown, or the answer to its like.

    Small figures that differ in a label only may have one hash: then the answers tell them apart.
    """
    seen: set[tuple[str, ...]] = set()
    kept = []
    for item in items:
        question = item.question.casefold()
        shown = "" if item.image is None else hashlib.sha256(item.image).hexdigest()
        keys = {
            ("shown", question, shown),
            ("alike", question, item.image_hash, item.answer_text().casefold()),
        }
        if keys & seen:
            report.drop_kept(item.id.rpartition("-")[0], "it repeats an earlier row", item.id)
        else:
            kept.append(item)
        seen |= keys
    return kept
