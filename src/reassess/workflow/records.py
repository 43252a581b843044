"""What a job was made from and what it made: the record that decides whether it runs again.

A record names the spec, every input and every output by content. Times of files decide nothing: a
run that was copied, restored or touched is as finished as before, with Snakemake's own notes or
without them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from reassess.core.errors import ReassessError
from reassess.core.files import Json, sha256_file, write_json

Content = Json  # of a file: `sha256`; of a folder: `files`, and `weights` where a manifest has them
HASHED = 2**20  # a larger file in a folder counts by name and size: its manifest hashes the weights
IDENTITY = ("weights", "sha256", "files")  # what says that two contents are the same, best first


@dataclass(frozen=True)
class Record:
    """What a job has left on record.

    Attributes:
        spec_hash: what decided it.
        complete: whether it came to its end.
        inputs: what it read, by label.
        outputs: what it wrote, by label, and how a file looked then (`size`, `modified`).
        started: when it began for the last time, in seconds since 1970; earlier versions and
            adopted records lack it. Times decide nothing: `reassess status --timeline` shows them.
        ended: when it came to its end.
    """

    spec_hash: str
    complete: bool = False
    inputs: Mapping[str, Content] = field(default_factory=dict)
    outputs: Mapping[str, Content] = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """Return a record; None if there is none that can be read."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            record = cls(**content)
        except (OSError, ValueError, TypeError):
            return None
        tables = (record.inputs, record.outputs)
        readable = all(
            isinstance(table, dict) and all(isinstance(one, dict) for one in table.values())
            for table in tables
        ) and all(
            time is None or (isinstance(time, float | int) and isfinite(time))
            for time in (record.started, record.ended)
        )
        return record if readable else None

    def write(self, path: Path) -> None:
        """Write it, atomically."""
        times = {"started": self.started, "ended": self.ended}
        write_json(
            path,
            {
                "spec_hash": self.spec_hash,
                "complete": self.complete,
                "inputs": dict(self.inputs),
                "outputs": dict(self.outputs),
                **{name: time for name, time in times.items() if time is not None},
            },
        )


def same(one: Content, other: Content) -> bool:
    """Whether two contents are the same, by the best of what both have."""
    for name in IDENTITY:
        if one.get(name) and other.get(name):
            return bool(one[name] == other[name])
    return False


class Contents:
    """The contents of files and folders, each determined once.

    Args:
        manifests: by folder, the manifest of the checkpoint in it. The weights that it names stand
            for large files, which are hashed where they are read.
    """

    def __init__(self, manifests: Mapping[Path, Path]) -> None:
        """Nothing is read yet."""
        self._manifests = manifests
        self._checkpoint_manifests = set(manifests.values())
        self._known: dict[Path, Content | None] = {}

    def of(self, path: Path, before: Content | None = None) -> Content | None:
        """Return what a path holds; None if nothing is there.

        Args:
            path: a file or a folder.
            before: its content on record. A file of the same size and time is not read again.
        """
        if path not in self._known:
            self._known[path] = self._determine(path, before or {})
        return self._known[path]

    def _determine(self, path: Path, before: Content) -> Content | None:
        try:
            if path.is_dir():
                return self._of_folder(path)
            return self._of_file(path, before)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ReassessError(f"{path} cannot be read: {error.strerror or error}") from error

    def _of_folder(self, path: Path) -> Content:
        content: Content = {"files": _hash_of_files(path)}
        manifest = self._manifests.get(path)
        if manifest is not None and (weights := _weights(manifest)):
            content["weights"] = weights
        return content

    def _of_file(self, path: Path, before: Content) -> Content:
        status = path.stat()
        seen = {"size": status.st_size, "modified": status.st_mtime_ns}
        unchanged = bool(before.get("sha256")) and all(
            before.get(name) == value for name, value in seen.items()
        )
        content: Content = {"sha256": before["sha256"] if unchanged else sha256_file(path), **seen}
        # Times and the machine, in the manifest of a checkpoint, are nothing that jobs read.
        if path in self._checkpoint_manifests and (weights := _weights(path)):
            content["weights"] = weights
        return content


def _hash_of_files(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(_files(folder)):
        size = path.stat().st_size
        content = sha256_file(path) if size <= HASHED else ""
        total.update(f"{path.relative_to(folder).as_posix()}\0{size}\0{content}\n".encode())
    return total.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """Every file below a folder; hidden ones are notes of programs and file systems."""
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent) / name for name in names if not name.startswith("."))


def _weights(manifest: Path) -> str | None:
    found = stated(manifest, "weights_hash")
    return found if isinstance(found, str) else None


def stated(path: Path, *names: str) -> object:
    """Return what a JSON object says under the first of some names; None if it says nothing."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    places = [content, content.get("manifest")] if isinstance(content, dict) else []
    found = [
        place[name]
        for place in places
        if isinstance(place, dict)
        for name in names
        if name in place
    ]
    return next((one for one in found if one is not None), None)
