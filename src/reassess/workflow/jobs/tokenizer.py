"""Training the micro world's tokenizer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reassess.workflow.jobs.job import Job, NoKey
from reassess.workflow.resources import Resources
from reassess.worlds.base import world_of
from reassess.worlds.micro.world import MicroWorld


class BuildTokenizer(Job[NoKey]):
    """Only the micro world trains one."""

    name = "build_tokenizer"
    key = NoKey

    def needed(self) -> Iterator[NoKey]:
        """One, in the micro world."""
        if isinstance(world_of(self.grid), MicroWorld):
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
        from reassess.worlds.micro.models import build_tokenizer

        build_tokenizer(self.grid.paths.tokenizer)
