"""The public repositories of a grid: which they are, at which commit, and where their files are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from reassess.core.errors import ReassessError, unknown
from reassess.grid.benchmarks import Benchmark
from reassess.worlds.hub.config import HubConfig
from reassess.worlds.hub.fetch import MODEL_FILES, snapshot
from reassess.worlds.hub.pins import Kind, Pin, Pins, stand_in_revision
from reassess.worlds.hub.source import benchmark_source, find_source


class Repositories:
    """The models and data sets that a config names; benchmarks add theirs."""

    def __init__(self, config: HubConfig) -> None:
        """Read nothing yet."""
        self.config = config

    @cached_property
    def pins(self) -> Pins:
        """The commits of all repositories."""
        return Pins.load(self.config.world.pins)

    def pin(self, kind: Kind, repo: str) -> Pin:
        """The pin of a repository; a stand-in has a made-up commit.

        Raises:
            ReassessError: it is not pinned.
        """
        if self.config.world.stand_in:
            return Pin(stand_in_revision(kind, repo))
        return self.pins.of(kind, repo)

    def revision(self, kind: Kind, repo: str) -> str:
        """The commit of a repository for a spec.

        `unpinned` for one without a pin: a grid can be planned before everything is pinned, but it
        cannot run.
        """
        pinned = self.config.world.stand_in or (kind, repo) in self.pins.pinned
        return self.pin(kind, repo).revision if pinned else "unpinned"

    def revisions(self, benchmarks: Mapping[str, Benchmark]) -> dict[str, str]:
        """The commit of every repository."""
        return {repo: self.pin(kind, repo).revision for kind, repo in self.every(benchmarks)}

    def sources(self, benchmarks: Mapping[str, Benchmark]) -> list[str]:
        """The adapters that a grid reads: those of the pool, of distributions and of benchmarks."""
        adapters = [
            distribution.adapter
            for distribution in self.config.distributions.values()
            if distribution.adapter is not None
        ]
        tests = [benchmark_source(benchmark) for benchmark in benchmarks.values()]
        return list(dict.fromkeys([*self.config.world.sources, *adapters, *tests]))

    def every(self, benchmarks: Mapping[str, Benchmark]) -> Iterator[tuple[Kind, str]]:
        """Yield every repository of a grid, each once."""
        models = {model.hub for model in self.config.models.values()}
        yield from (("model", repo) for repo in sorted(models))
        data = {find_source(name).repo for name in self.sources(benchmarks)}
        yield from (("dataset", repo) for repo in sorted(data))

    def wanted(
        self, benchmarks: Mapping[str, Benchmark], name: str | None
    ) -> list[tuple[Kind, str]]:
        """The repositories to fetch: all, or the one given as kind/org/name.

        Raises:
            ReassessError: the grid has no such repository.
        """
        names = {f"{kind}/{repo}": (kind, repo) for kind, repo in self.every(benchmarks)}
        if name is None:
            return list(names.values())
        if name not in names:
            raise ReassessError(unknown("repository", name, names))
        return [names[name]]

    def patterns(
        self, benchmarks: Mapping[str, Benchmark], kind: Kind, repo: str
    ) -> tuple[str, ...]:
        """The patterns of the files of a repository that are fetched."""
        if kind == "model":
            return MODEL_FILES
        sources = (find_source(name) for name in self.sources(benchmarks))
        return tuple(
            pattern
            for source in sources
            if source.repo == repo
            for pattern in (*source.files, *([source.archive] if source.archive else []))
        )

    def data_snapshot(self, source: str) -> Path:
        """The folder of an adapter's files in the cache."""
        return self._snapshot("dataset", find_source(source).repo)

    def model_snapshot(self, repo: str) -> Path:
        """The folder of a model's files in the cache."""
        return self._snapshot("model", repo)

    def _snapshot(self, kind: Kind, repo: str) -> Path:
        return snapshot(kind, repo, self.pin(kind, repo).revision, self.config.world.cache)
