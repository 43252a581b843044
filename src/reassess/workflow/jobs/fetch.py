"""Downloading a pinned public repository, or making its stand-in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reassess.grid.costs import Estimate
from reassess.workflow.jobs.job import Job, option
from reassess.workflow.resources import Resources
from reassess.worlds.base import RepositoryKind, world_of


@dataclass(frozen=True)
class RepositoryKey:
    """A public repository."""

    kind: RepositoryKind = option("model or dataset")
    org: str = option("its organisation")
    name: str = option("its name")

    @property
    def repo(self) -> str:
        """Organisation and name, as the hub writes them."""
        return f"{self.org}/{self.name}"


class Fetch(Job[RepositoryKey]):
    """The only job that needs a network, so the profiles run it on the submitting machine."""

    name = "fetch"
    key = RepositoryKey

    def needed(self) -> Iterator[RepositoryKey]:
        """Every public repository of the grid."""
        for kind, repo in world_of(self.grid).repositories(self.grid):
            yield RepositoryKey(kind, *repo.split("/"))

    def inputs(self, key: RepositoryKey) -> Sequence[Path]:
        """Nothing: the hub is no file."""
        return ()

    def outputs(self, key: RepositoryKey) -> Sequence[Path]:
        """The note that it is in the cache."""
        return (self.grid.paths.receipt(key.kind, key.org, key.name),)

    def spec_hash(self, key: RepositoryKey) -> str:
        """The pinned commit."""
        return world_of(self.grid).revision(key.kind, key.repo)

    def resources(self, key: RepositoryKey) -> Resources:
        """Time for a slow line."""
        return Resources(memory=2000, minutes=240)

    def cost(self, key: RepositoryKey) -> Estimate:
        """The size of the download."""
        return world_of(self.grid).download_cost(self.grid, key.kind, key.repo)

    def run(self, key: RepositoryKey) -> None:
        """Fetch it."""
        world_of(self.grid).fetch(self.grid, key.kind, key.repo)
