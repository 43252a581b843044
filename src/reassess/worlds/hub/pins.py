"""Pins: every public repository at one commit, with the sizes and hashes of its files once they are known."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from reassess.core.errors import ReassessError
from reassess.core.files import write_text

Kind = Literal["model", "dataset"]
COMMIT = re.compile(r"[0-9a-f]{40}")
HEADER = """\
# Commits of the public models and data sets, by `reassess pin`. A run refuses a name that is not here.
# `files`: bytes and, for large files, SHA-256, as the hub states them; a download is checked against these.
"""


@dataclass(frozen=True)
class Pin:
    """One repository at one commit; `files` maps names to [bytes, sha256 or null]."""

    revision: str
    files: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def size(self) -> int | None:
        """Bytes of all its files; None where they were never asked for."""
        return sum(int(size) for size, _ in self.files.values()) if self.files else None


@dataclass
class Pins:
    """The pins of a file."""

    path: Path
    found: dict[tuple[Kind, str], Pin]

    @classmethod
    def load(cls, path: Path) -> Pins:
        """Read a file of pins; a missing file holds none.

        Raises:
            ReassessError: the file is no mapping of names to commits of 40 hexadecimal digits.
        """
        found: dict[tuple[Kind, str], Pin] = {}
        content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
        kinds: tuple[tuple[Kind, str], ...] = (("model", "models"), ("dataset", "datasets"))
        for kind, key in kinds:
            for repo, pin in ((content or {}).get(key) or {}).items():
                revision = str(pin.get("revision") if isinstance(pin, dict) else pin)
                if COMMIT.fullmatch(revision) is None:
                    raise ReassessError(
                        f"{path}: {key}.{repo}: {revision!r} is no commit: 40 hexadecimal digits are wanted"
                    )
                found[kind, repo] = Pin(
                    revision, dict(pin.get("files") or {}) if isinstance(pin, dict) else {}
                )
        return cls(path, found)

    def of(self, kind: Kind, repo: str) -> Pin:
        """Return the pin of a repository.

        Raises:
            ReassessError: it has none.
        """
        if (kind, repo) not in self.found:
            raise ReassessError(
                f"{kind} {repo} is not pinned in {self.path}; run `reassess pin` where the hub can be reached"
            )
        return self.found[kind, repo]

    def save(self) -> None:
        """Write the file, sorted."""
        content: dict[str, Any] = {"models": {}, "datasets": {}}
        for (kind, repo), pin in sorted(self.found.items()):
            content[f"{kind}s"][repo] = {
                "revision": pin.revision,
                **({"files": pin.files} if pin.files else {}),
            }
        write_text(self.path, HEADER + yaml.safe_dump(content, width=120))


def stand_in_revision(kind: Kind, repo: str) -> str:
    """Return the made-up commit of a repository that stands in for a public one."""
    return hashlib.sha1(f"stand-in {kind} {repo}".encode()).hexdigest()
