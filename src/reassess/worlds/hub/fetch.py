"""Fetching pinned repositories into the hub's cache, and finding them there without a network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from reassess.core.errors import ReassessError
from reassess.core.files import sha256_file
from reassess.worlds.hub.pins import Kind, Pin, Pins

if TYPE_CHECKING:
    from huggingface_hub.hf_api import DatasetInfo, ModelInfo

Info: TypeAlias = "ModelInfo | DatasetInfo"

# Weights only as safetensors, and never code.
MODEL_FILES = ("*.safetensors", "*.json", "*.txt", "*.jinja")


def info(kind: Kind, repo: str, revision: str | None) -> Info:
    """What the hub states about a repository: commit, files, sizes, hashes."""
    from huggingface_hub import HfApi

    api = HfApi()
    look_up = api.model_info if kind == "model" else api.dataset_info
    return look_up(repo, revision=revision, files_metadata=True)


def repository_folder(kind: Kind, repo: str, cache: Path | None) -> Path:
    """The folder of a repository in the hub's cache."""
    from huggingface_hub import constants

    return (cache or Path(constants.HF_HUB_CACHE)) / f"{kind}s--{repo.replace('/', '--')}"


def download(kind: Kind, repo: str, pin: Pin, patterns: Sequence[str], cache: Path | None) -> Path:
    """Download a repository's files at its commit and return the snapshot's folder.

    An interrupted download is resumed.

    Raises:
        ReassessError: the hub cannot be reached, access is refused, or a file differs from its pin.
    """
    from huggingface_hub import snapshot_download

    with explained(kind, repo, pin.revision):
        folder = snapshot_download(
            repo,
            repo_type=kind,
            revision=pin.revision,
            cache_dir=cache,
            allow_patterns=list(patterns),
        )
    check(Path(folder), repo, pin, patterns)
    return Path(folder)


def check(folder: Path, repo: str, pin: Pin, patterns: Sequence[str]) -> None:
    """Compare a snapshot with its pin: every file is there, has its size and, if stated, its hash.

    Raises:
        ReassessError: names the first file that differs.
    """
    for name, (size, digest) in sorted(pin.files.items()):
        if not any(fnmatch(name, pattern) for pattern in patterns):
            continue
        path = folder / name
        if not path.is_file():
            raise ReassessError(f"{repo}: {name} is missing from {folder}; fetch it again")
        if path.stat().st_size != size or (digest and sha256_file(path) != digest):
            raise ReassessError(
                f"{repo}: {name} is not the file of commit {pin.revision}; delete it and fetch it "
                "again"
            )


def snapshot(kind: Kind, repo: str, revision: str, cache: Path | None) -> Path:
    """The folder of a fetched repository; uses no network.

    Raises:
        ReassessError: it is not there; explains how to get it or copy it from another machine.
    """
    root = repository_folder(kind, repo, cache)
    folder = root / "snapshots" / revision
    if not folder.is_dir():
        raise ReassessError(
            f"{kind} {repo} at commit {revision} is not in the hub cache {root.parent}: run "
            "`reassess fetch` on a machine that can reach the hub, or copy the folder "
            f"{root.name} from such a machine"
        )
    return folder


@contextmanager
def explained(kind: Kind, repo: str, revision: str | None) -> Iterator[None]:
    """Turn the errors of the hub's client into messages for a person.

    Raises:
        ReassessError: states what is wrong and what to do.
    """
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise ReassessError(
            f"{kind} {repo} is gated: request access on its page while logged in, then set "
            "HF_TOKEN to a token of that account"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ReassessError(
            f"{kind} {repo} has no commit {revision}; correct its pin or run `reassess pin`"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ReassessError(
            f"the hub has no {kind} {repo}, or it is private: check the name, or set HF_TOKEN"
        ) from error
    except (
        errors.HfHubHTTPError,
        errors.LocalEntryNotFoundError,
        errors.OfflineModeIsEnabled,
        OSError,
    ) as error:
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") == "1" else ""
        reason = str(error).partition("\n")[0] or repr(error)
        raise ReassessError(
            f"{kind} {repo} could not be fetched: the hub cannot be reached{offline}: {reason}. "
            "Fetch it on a machine with access (`reassess fetch`) and copy the cache folder from "
            "there"
        ) from error


def resolve(wanted: Iterable[tuple[Kind, str]], pins: Pins, moves: dict[str, str]) -> Iterable[str]:
    """Look up the commit of each repository on the hub and pin it; yield a line on each.

    Args:
        wanted: repositories.
        pins: where commits are kept; a repository that is pinned already keeps its commit and gets
            its file list.
        moves: by the name of a repository, the branch, tag or commit to move it to.

    Raises:
        ReassessError: the hub cannot be reached, or a repository or revision does not exist.
    """
    for kind, repo in wanted:
        pin = pins.pinned.get((kind, repo))
        revision = moves.get(repo) or (pin.revision if pin else None)
        with explained(kind, repo, revision):
            stated = info(kind, repo, revision)
        files: dict[str, list[int | str | None]] = {
            file.rfilename: [file.size, file.lfs.sha256 if file.lfs else None]
            for file in stated.siblings or ()
            if file.size is not None
        }
        pins.pinned[kind, repo] = Pin(str(stated.sha), files)
        pins.save()
        yield f"{kind:8} {repo} {stated.sha}"
