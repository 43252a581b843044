"""Checkpoints are what their manifests state: every file is hashed when a job reads it.

A manifest holds the hash of each file of its checkpoint: of weights, and of whatever else decides
an answer (configs, tokenizer, processor, chat template, index of shards). A job that is about to
read a checkpoint hashes it once and compares. A file that the manifest does not state is refused
too, for a loader might take it for weights, adapters or code.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypedDict

from reassess.core.checkpoint_hashes import WEIGHTS, hash_of_files, hash_of_weights
from reassess.core.errors import ReassessError
from reassess.core.files import Json, read_json, sha256_file
from reassess.training.loading import check_checkpoint

# Of files in a checkpoint whose manifest states no names (it is of an earlier version).
READABLE = (WEIGHTS, ".json", ".txt", ".jinja", ".model", ".md")

# Files of a trainer checkpoint that are larger and no weights (states of an optimizer, in whole or
# in shards) are not hashed: it would take longer than to write them.
SMALL = 64 * 2**20

Stamp = tuple[int, int, int, int, int]  # device, inode, size, times of content and of inode


class CheckpointHashes(TypedDict):
    """What a manifest states about its checkpoint.

    Fields:
        weights_hash: of the contents of the weight files alone, in the order of their names.
        checkpoint_hash: of the names and contents of all files.
        checkpoint_files: SHA-256 by file name.
    """

    weights_hash: str
    checkpoint_hash: str
    checkpoint_files: dict[str, str]


@dataclass(frozen=True)
class CheckedCheckpoint:
    """A checkpoint that was compared with its manifest.

    Attributes:
        folder: where it is.
        hashes: what was found.
        stamps: by file name, what tells cheaply whether it was written since.
    """

    folder: Path
    hashes: CheckpointHashes
    stamps: Mapping[str, Stamp] = field(repr=False)

    def require_unchanged(self) -> None:
        """Check that no file was replaced or written since it was hashed.

        Raises:
            ReassessError: a file has other content; names it.
        """
        for name, digest in self.hashes["checkpoint_files"].items():
            path = self.folder / name
            if not path.is_file() or (
                _stamp(path) != self.stamps[name] and sha256_file(path) != digest
            ):
                raise ReassessError(
                    f"{path} changed while a job was reading it; its result is not kept: run the "
                    "job again when nothing writes to the folder"
                )


def describe(folder: Path) -> CheckpointHashes:
    """Hash a checkpoint, for the manifest of the job that has made it.

    Raises:
        ReassessError: something in the folder is no regular file.
    """
    return _hashes({name: sha256_file(folder / name) for name in _names(folder)})


def weights_hash(folder: Path) -> str:
    """One hash of all weight files of a checkpoint, whatever their names."""
    return hash_of_weights({path.name: sha256_file(path) for path in folder.glob(f"*{WEIGHTS}")})


def check(folder: Path, manifest: Path, what: str) -> CheckedCheckpoint:
    """Compare every file of a checkpoint with its manifest.

    A manifest of an earlier version states the hash of the weights at most: then the rest is not
    compared, which is noted on standard error.

    Args:
        folder: the checkpoint.
        manifest: what the job that made it wrote last.
        what: the checkpoint in words, such as `cell X`.

    Raises:
        ReassessError: the manifest is missing, or a file is missing, differs or is not stated;
            names it, and what to do.
    """
    check_checkpoint(folder)
    stated, names = read_json(manifest), _names(folder)
    stamps = {name: _stamp(folder / name) for name in names}
    _require_stated_names(folder, manifest, what, stated, names)
    hashes = describe(folder)
    if (files := _files(stated)) is not None:
        _require_equal(folder, manifest, what, files, hashes["checkpoint_files"])
    else:
        _require_equal_weights(folder, manifest, what, stated, hashes)
    return CheckedCheckpoint(folder, hashes, stamps)


def check_processor(folder: Path, manifest: Path, what: str) -> None:
    """Compare a checkpoint's small files with its manifest: all but the weights.

    Raises:
        ReassessError: as for `check`.
    """
    stated = read_json(manifest)
    if (files := _files(stated)) is not None:
        found = {
            name: sha256_file(folder / name)
            for name in _names(folder)
            if not name.endswith(WEIGHTS)
        }
        small = {name: digest for name, digest in files.items() if not name.endswith(WEIGHTS)}
        _require_equal(folder, manifest, what, small, found)


def describe_resumable(folder: Path) -> dict[str, str]:
    """Hash the files of a trainer checkpoint: weights, and all that are small."""
    return {
        name: sha256_file(folder / name)
        for name in _names(folder)
        if name.endswith(WEIGHTS) or (folder / name).stat().st_size <= SMALL
    }


def check_resumable(folder: Path, stated: Mapping[str, str]) -> None:
    """Compare a trainer checkpoint with what was recorded when it was written.

    Raises:
        ReassessError: a file is missing or differs; names it, and what to do.
    """
    for name, digest in stated.items():
        path = folder / name
        if not path.is_file() or sha256_file(path) != digest:
            raise ReassessError(
                f"{path} is not the file that was saved: it was damaged, replaced or removed "
                f"since; delete {folder}, and the same command resumes from the trainer "
                "checkpoint before it, or starts again"
            )


def _files(stated: Json) -> dict[str, str] | None:
    """The hashes of files that a manifest states; None in one of an earlier version."""
    return stated.get("checkpoint_files")


def _names(folder: Path) -> list[str]:
    """The names of a checkpoint's files, sorted.

    Hidden files are left out: marks of Snakemake, of network file systems and of desktops; no
    loader reads them.

    Raises:
        ReassessError: the folder is missing, or something in it is neither file nor folder.
    """
    if not folder.is_dir():
        raise ReassessError(f"no checkpoint in {folder}; rerun the job that makes it")
    names = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts) or (
            path.is_dir() and not path.is_symlink()
        ):
            continue
        if not path.is_file():
            raise ReassessError(
                f"{path} is no regular file; delete the folder and rerun to make it again"
            )
        names.append(name.as_posix())
    return sorted(names)


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _hashes(files: dict[str, str]) -> CheckpointHashes:
    return {
        "weights_hash": hash_of_weights(files),
        "checkpoint_hash": hash_of_files(files),
        "checkpoint_files": files,
    }


def _require_stated_names(
    folder: Path, manifest: Path, what: str, stated: Json, names: list[str]
) -> None:
    """Refuse, before anything is hashed, files that the manifest does not state."""
    files = _files(stated)
    for name in names:
        unreadable = PurePosixPath(name).suffix not in READABLE
        if unreadable if files is None else name not in files:
            raise ReassessError(
                f"{folder / name} is no file of this checkpoint ({what}): {manifest} does not "
                "state it; remove it"
            )


def _require_equal(
    folder: Path,
    manifest: Path,
    what: str,
    stated: Mapping[str, str],
    found: Mapping[str, str],
) -> None:
    for name in sorted({*stated, *found}):
        if name not in stated:
            raise ReassessError(
                f"{folder / name} is no file of this checkpoint ({what}): {manifest} does not "
                "state it; remove it"
            )
        if name not in found:
            raise _differs(folder / name, folder, manifest, what, "is not the file (it is missing)")
        if found[name] != stated[name]:
            raise _differs(folder / name, folder, manifest, what, "is not the file")


def _require_equal_weights(
    folder: Path, manifest: Path, what: str, stated: Json, hashes: CheckpointHashes
) -> None:
    """What a manifest of an earlier version allows to compare."""
    weights = stated.get("weights_hash")
    if weights is not None and weights != hashes["weights_hash"]:
        names = [name for name in hashes["checkpoint_files"] if name.endswith(WEIGHTS)]
        path = folder / (names[0] if len(names) == 1 else f"*{WEIGHTS}")
        raise _differs(path, folder, manifest, what, "is not the file")
    print(
        f"note: {manifest} is of an earlier version and states "
        f"{'nothing' if weights is None else 'only the weights'} of {folder}; the other files are "
        "taken as they are",
        file=sys.stderr,
    )


def _differs(path: Path, folder: Path, manifest: Path, what: str, how: str) -> ReassessError:
    """The error about a file, with what is to be deleted."""
    if path.is_symlink():
        remedy = (
            f"delete {path.readlink()}, to which it links, and fetch it again (`reassess fetch`)"
        )
    else:
        remedy = f"delete {folder} and {manifest}, and run the grid again to make them again"
    return ReassessError(
        f"{path} {how} that {manifest} states ({what}): it was damaged, replaced or removed since; "
        f"{remedy}"
    )
