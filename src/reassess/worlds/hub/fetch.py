"""Fetching pinned repositories into the hub's cache, and finding them there without a network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from reassess.core.errors import ReassessError
from reassess.core.files import sha256_file
from reassess.worlds.hub.pins import Kind, Pin, Pins

MODEL_FILES = (
    "*.safetensors",
    "*.json",
    "*.txt",
    "*.jinja",
)  # weights only as safetensors; never code


def info(kind: Kind, repo: str, revision: str | None) -> Any:
    """Return what the hub says of a repository: commit, files, sizes, hashes."""
    from huggingface_hub import HfApi

    api = HfApi()
    ask = api.model_info if kind == "model" else api.dataset_info
    return ask(repo, revision=revision, files_metadata=True)


def download(kind: Kind, repo: str, pin: Pin, patterns: Sequence[str], cache: Path | None) -> Path:
    """Download a repository's files at its commit and return the snapshot's folder. Goes on where it stopped.

    Raises:
        ReassessError: the hub cannot be reached, access is refused, or a file is not what the pins say.
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
    """Hold a snapshot against its pin: every file there, of its size and, where stated, its hash.

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
                f"{repo}: {name} is not the file of commit {pin.revision}; delete it and fetch it again"
            )


def snapshot(kind: Kind, repo: str, revision: str, cache: Path | None) -> Path:
    """Return the folder of a repository that was fetched, without asking the network.

    Raises:
        ReassessError: it is not there; says how to get it and how to carry it over.
    """
    from huggingface_hub import constants

    root = cache or Path(constants.HF_HUB_CACHE)
    folder = root / f"{kind}s--{repo.replace('/', '--')}" / "snapshots" / revision
    if not folder.is_dir():
        raise ReassessError(
            f"{kind} {repo} at commit {revision} is not in the hub cache {root}: run `reassess fetch` where the hub can be "
            f"reached, or carry the folder {folder.parent.parent.name} over from such a machine"
        )
    return folder


@contextmanager
def explained(kind: Kind, repo: str, revision: str | None) -> Iterator[None]:
    """Turn what the hub's client raises into a sentence for a person.

    Raises:
        ReassessError: says what is wrong and what to do.
    """
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise ReassessError(
            f"{kind} {repo} is gated: ask for access on its page while logged in, then set HF_TOKEN to a token of that account"
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
        said = str(error).partition("\n")[0] or repr(error)
        raise ReassessError(
            f"{kind} {repo} could not be fetched: the hub cannot be reached{offline}: {said}. Fetch it on a machine with access "
            "(`reassess fetch`) and carry the cache folder over"
        ) from error


def resolve(
    wanted: Iterable[tuple[Kind, str]], pins: Pins, revisions: dict[str, str]
) -> Iterable[str]:
    """Ask the hub for the commit of each repository and keep it; yield a line on each.

    Args:
        wanted: repositories.
        pins: where commits are kept; one that is pinned already keeps its commit and gets its file list.
        revisions: repositories to move, by name, to a branch, tag or commit.

    Raises:
        ReassessError: the hub cannot be reached, or a repository or revision is not there.
    """
    for kind, repo in wanted:
        known = pins.found.get((kind, repo))
        revision = revisions.get(repo) or (known.revision if known else None)
        with explained(kind, repo, revision):
            found = info(kind, repo, revision)
        files = {
            one.rfilename: [one.size, one.lfs.sha256 if one.lfs else None]
            for one in found.siblings or ()
            if one.size is not None
        }
        pins.found[kind, repo] = Pin(str(found.sha), files)
        pins.save()
        yield f"{kind:8} {repo} {found.sha}"
