"""Pins: every public repository at one commit, with the sizes and hashes of its files if known."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from reassess.config.names import REPOSITORY_RULE, is_repository
from reassess.core.errors import ReassessError
from reassess.core.files import Json, write_text
from reassess.core.text import printable
from reassess.worlds.base import RepositoryKind

Kind = RepositoryKind
KINDS: tuple[Kind, ...] = ("model", "dataset")
COMMIT = re.compile(r"[0-9a-f]{40}")
HEADER = """\
# Commits of the public models and data sets, written by `reassess pin`. A run refuses a name that
# is not listed here. `files`: bytes and, for large files, SHA-256, as the hub states them; a
# download is checked against these.
"""


@dataclass(frozen=True)
class Pin:
    """One repository at one commit; `files` maps names to [bytes, sha256 or null]."""

    revision: str
    files: dict[str, list[int | str | None]] = field(default_factory=dict)

    @property
    def size(self) -> int | None:
        """Bytes of all its files; None where they have not been looked up."""
        return sum(int(size or 0) for size, _ in self.files.values()) if self.files else None


@dataclass
class Pins:
    """The pins of a file.

    Attributes:
        path: the file.
        pinned: a pin for each kind and name of a repository.
    """

    path: Path
    pinned: dict[tuple[Kind, str], Pin]

    @classmethod
    def load(cls, path: Path) -> Pins:
        """Read a file of pins; a missing file holds none.

        Raises:
            ReassessError: the file does not map names to commits of 40 hexadecimal digits, or
                names a file outside a repository.
        """
        pinned: dict[tuple[Kind, str], Pin] = {}
        content = _read(path) if path.is_file() else {}
        for kind in KINDS:
            repositories = content.get(f"{kind}s") or {}
            if not isinstance(repositories, dict):
                raise ReassessError(f"{path}: {kind}s: expected names of repositories and pins")
            for repo, pin in repositories.items():
                place = f"{path}: {kind}s.{printable(repo, lines=False)}"
                pinned[kind, repo] = _pin(place, repo, pin)
        return cls(path, pinned)

    def of(self, kind: Kind, repo: str) -> Pin:
        """The pin of a repository.

        Raises:
            ReassessError: it has none.
        """
        if (kind, repo) not in self.pinned:
            raise ReassessError(
                f"{kind} {repo} is not pinned in {self.path}; run `reassess pin` on a machine that "
                "can reach the hub"
            )
        return self.pinned[kind, repo]

    def save(self) -> None:
        """Write the file, sorted."""
        content: Json = {f"{kind}s": {} for kind in KINDS}
        for (kind, repo), pin in sorted(self.pinned.items()):
            content[f"{kind}s"][repo] = {
                "revision": pin.revision,
                **({"files": pin.files} if pin.files else {}),
            }
        write_text(self.path, HEADER + yaml.safe_dump(content, width=120))


def _read(path: Path) -> Json:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, ValueError) as error:
        raise ReassessError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ReassessError(f"{path}: expected the keys {' and '.join(f'{k}s' for k in KINDS)}")
    return content


def _pin(key: str, repo: object, pin: object) -> Pin:
    """The pin at a key of a file."""
    stated: Json = pin if isinstance(pin, dict) else {"revision": pin}
    revision = str(stated.get("revision"))
    if not is_repository(repo):
        raise ReassessError(f"{key}: not the name of a repository; {REPOSITORY_RULE}")
    if COMMIT.fullmatch(revision) is None:
        raise ReassessError(f"{key}: {revision!r} is no commit: expected 40 hexadecimal digits")
    files = stated.get("files") or {}
    if not isinstance(files, dict):
        raise ReassessError(f"{key}: files: expected names with sizes and hashes")
    for name in map(str, files):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ReassessError(f"{key}: files: {name!r} is not within the repository")
    return Pin(revision, files)


def stand_in_revision(kind: Kind, repo: str) -> str:
    """The made-up commit of a repository's stand-in."""
    return hashlib.sha1(f"stand-in {kind} {repo}".encode()).hexdigest()
