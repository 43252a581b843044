"""Training a tokenizer, in a world that has one of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reassess.workflow.jobs.job import Job, NoKey
from reassess.workflow.resources import Resources
from reassess.worlds.base import world_of


class BuildTokenizer(Job[NoKey]):
    """Only a world that builds its own models trains one."""

    name = "build_tokenizer"
    key = NoKey

    def needed(self) -> Iterator[NoKey]:
        """One, if the world trains one."""
        if world_of(self.grid).trains_tokenizer:
            yield NoKey()

    def inputs(self, key: NoKey) -> Sequence[Path]:
        """Nothing: its vocabulary is in the code."""
        return ()

    def outputs(self, key: NoKey) -> Sequence[Path]:
        """No single file."""
        return ()

    def folders(self, key: NoKey) -> Sequence[Path]:
        """The tokenizer."""
        return (self.grid.paths.tokenizer,)

    def spec_hash(self, key: NoKey) -> str:
        """Raised by hand when the vocabulary changes."""
        return "1"

    def resources(self, key: NoKey) -> Resources:
        """Seconds."""
        return Resources(memory=1000, minutes=5)

    def run(self, key: NoKey) -> None:
        """Train it."""
        world_of(self.grid).build_tokenizer(self.grid)
