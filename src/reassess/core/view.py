"""What a process sees of the grid's files: all that its job declares, and nothing else of them.

Where the system allows it, the rest is not there (`mounts`, see `reassess.core.mounts`). Everywhere
the files that are opened are recorded, and what is hidden is refused (`audit`, see
`reassess.core.audit`), so that an attempt has a name even where it would find nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from reassess.core import audit as auditing
from reassess.core.audit import Audit
from reassess.core.errors import ReassessError
from reassess.core.mounts import can_hide, hide

Kind = Literal["mounts", "audit"]
FORCED = "REASSESS_VIEW"  # `audit`: no mounts, even where they are possible
REQUEST = "REASSESS_ENTER"  # the view that a process is to enter before it does anything else
INSIDE = "REASSESS_INSIDE"  # the view in which a process, and what it starts, runs already


@dataclass(frozen=True)
class View:
    """What a process sees.

    Attributes:
        hidden: folders of which nothing is seen, but for
        visible: files and folders below them, which are seen, but for
        covered: files and folders below those, which are not.
    """

    hidden: tuple[str, ...]
    visible: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, hidden: Iterable[Path], visible: Iterable[Path] = (), covered: Iterable[Path] = ()
    ) -> View:
        """The view with these paths, as far as they exist; links are followed.

        What the links in a visible folder point to is visible as well.
        """
        roots = {Path(os.path.realpath(path)) for path in hidden if path.is_dir()}
        roots = {root for root in roots if roots.isdisjoint(root.parents)}
        seen = {Path(os.path.realpath(path)) for each in visible for path in _with_targets(each)}
        inside = {path for path in seen if any(path.is_relative_to(root) for root in roots)}
        empty = {Path(os.path.realpath(path)) for path in covered if path.exists()}
        return cls(_sorted(roots), _sorted(inside), _sorted(empty))

    def hides(self, path: str) -> bool:
        """Whether a file, whose real path this is, is not seen."""
        if _below(path, self.covered):
            return True
        return _below(path, self.hidden) and not _below(path, self.visible)

    def text(self) -> str:
        """The view as a text, which `read` takes."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> View:
        """The view that `text` gave."""
        return cls(**{name: tuple(paths) for name, paths in json.loads(text).items()})


@dataclass(frozen=True)
class Sight:
    """A view in force.

    Attributes:
        view: what is seen.
        kind: by what the rest is hidden.
        audit: what was opened.
    """

    view: View
    kind: Kind
    audit: Audit

    def require_kept(self, subject: str) -> None:
        """Check that nothing has opened what is hidden.

        Raises:
            ReassessError: something has; names the files.
        """
        if (problem := self.problem(subject)) is not None:
            raise ReassessError(problem)

    def problem(self, subject: str) -> str | None:
        """What is wrong if something has opened what is hidden; else None."""
        if not self.audit.refused:
            return None
        return (
            f"{subject} opened {', '.join(map(self._name, sorted(self.audit.refused)))}, which its "
            "job does not declare: a method sees its own rows, its start and the probe, and no "
            "benchmark, other cell or bundle"
        )

    def record(self) -> dict[str, object]:
        """What a manifest says of it."""
        if self.kind == "mounts":
            return {"view": self.kind}
        return {"view": self.kind, "opened": sorted(map(self._name, self.audit.opened))}

    def _name(self, path: str) -> str:
        """A path from the hidden folder's own name on: no path of this machine."""
        roots = [root for root in self.view.hidden if _below(path, (root,))]
        return str(Path(path).relative_to(Path(roots[0]).parent)) if roots else path


_in_force: list[Sight] = []


def current() -> Sight | None:
    """The view in force, if there is one."""
    return _in_force[-1] if _in_force else None


def enter(view: View) -> Sight:
    """Let this process, and all that it starts, have this view from now on, by mounts if possible.

    To be called early: what the process has read before, it has. Where this process was started by
    one that has the view already, the mounts are there.
    """
    known = os.environ.get(INSIDE)
    if known is not None:
        mounted = json.loads(known)["kind"] == "mounts"
    else:
        mounted = os.environ.get(FORCED) != "audit" and _mounted(view)
    kind: Kind = "mounts" if mounted else "audit"
    sight = _sight(view, kind)
    auditing.start(sight.audit)
    if kind == "audit":
        _native.enter_context(auditing.native_readers(sight.audit))
    _in_force.append(sight)
    os.environ[INSIDE] = json.dumps({"kind": kind, "view": view.text()})
    return sight


_native = ExitStack()  # never left: until the process ends


def enter_as_told() -> None:
    """Enter the view that the environment names, if it names one; else do nothing."""
    if (request := os.environ.pop(REQUEST, None)) is not None:
        enter(View.read(request))
    elif (known := os.environ.get(INSIDE)) is not None:
        enter(View.read(json.loads(known)["view"]))


def is_inside() -> bool:
    """Whether this process has a view, and what started it had the same one."""
    return INSIDE in os.environ


@contextmanager
def audited(view: View) -> Iterator[Sight]:
    """Audit this process inside the context; afterwards it is as before."""
    sight = _sight(view, "audit")
    before = os.environ.get(INSIDE)
    os.environ[INSIDE] = json.dumps({"kind": "audit", "view": view.text()})
    auditing.start(sight.audit)
    _in_force.append(sight)
    try:
        with auditing.native_readers(sight.audit):
            yield sight
    finally:
        _in_force.remove(sight)
        auditing.stop(sight.audit)
        os.environ.pop(INSIDE, None)
        if before is not None:
            os.environ[INSIDE] = before


def _sight(view: View, kind: Kind) -> Sight:
    return Sight(view, kind, Audit(view.hidden, view.hides))


def _mounted(view: View) -> bool:
    """Whether everything else could be hidden by mounts."""
    paths = [[Path(path) for path in part] for part in (view.hidden, view.visible, view.covered)]
    try:
        if not can_hide(*paths):
            return False
        hide(*paths)
    except OSError:  # threads, say: then nothing has changed
        return False
    return True


def _with_targets(path: Path) -> Iterator[Path]:
    """A path that exists, and what the links in a folder point to."""
    if path.exists():
        yield path
    if path.is_dir():
        yield from (entry for entry in path.iterdir() if entry.is_symlink() and entry.exists())


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def _sorted(paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(sorted(map(str, paths)))
