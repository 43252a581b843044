"""The first level: figures, tables and claims, redrawn from the bundle, compared byte by byte."""

from __future__ import annotations

import tempfile
from pathlib import Path

from reassess.bundles.archive import opened
from reassess.bundles.checksums import is_packed, tampered
from reassess.bundles.drawings import (
    CLAIMS,
    DRAWN,
    DRAWN_WITH,
    EARLIER,
    NEWER,
    digest_of,
    draw_all,
    drawn_with,
)  # fmt: skip
from reassess.core.errors import ReassessError
from reassess.core.files import read_json
from reassess.verify.differences import EXCERPT, explain
from reassess.verify.report import VerifyReport

READ = ("scores.parquet", "history.parquet", "manifests.parquet", "study.json")  # by drawing
MOST = 30  # notes on versions: more than a run records


def verify_figures(path: Path) -> VerifyReport:
    """Redraw figures, tables and claims of a bundle and compare them with the stored ones.

    What an earlier version drew with other statistics, and was published (`EARLIER`), is not drawn
    again: it and the tables that it is drawn from have to be the published bytes.
    A figure or table that versions after the first draw (`NEWER`) may be missing: that is a note.

    Raises:
        ReassessError: the bundle is damaged or of a newer version, or no drawn file is stored
            beside it.
    """
    report = VerifyReport(
        agreement="the same bytes, drawn again from this bundle's tables",
        leaves_open="the tables themselves; `verify contents` and `verify scores` compare those",
    )
    with opened(path) as root, tempfile.TemporaryDirectory(prefix="reassess-verify-") as temporary:
        report.add(tampered(root))
        if is_packed(root) and not (root / DRAWN_WITH).is_file():
            report.add([f"{DRAWN_WITH}: missing"])
        report.notes += changed_versions(root)
        stored = drawn_files(root)
        if not stored:
            raise ReassessError(f"{path}: nothing drawn is stored beside the bundle")
        if as_published(root):
            report.checked = f"{len(stored)} drawn files, and the tables that they are drawn from"
            report.agreement = (
                "the published bytes; an earlier version drew them with other statistics, so that "
                "this one cannot draw them again"
            )
            return report
        fresh = Path(temporary)
        draw_all(root / "bundle", fresh)
        drawn = drawn_files(fresh)
        newer = NEWER - {_stem(name) for name in stored}
        report.notes += [
            f"{name} is newer than this archive, which lacks it" for name in sorted(newer)
        ]
        for name in sorted({*stored, *drawn}):
            if _stem(name) not in newer:
                report.add(_difference(name, root / name, fresh / name))
    report.checked = f"{len(stored)} drawn files"
    return report


def as_published(root: Path) -> bool:
    """Whether drawn files and tables are those of a run that an earlier version drew."""
    read = [f"bundle/{name}" for name in READ]
    return all((root / name).is_file() for name in read) and (
        digest_of(root, [*drawn_files(root), *read]) in EARLIER
    )


def drawn_files(root: Path) -> list[str]:
    """The paths of the files drawn from a bundle, relative to the folder that holds both."""
    inside = (path for folder in DRAWN for path in (root / folder).rglob("*") if path.is_file())
    beside = (root / name for name in CLAIMS if (root / name).is_file())
    return [path.relative_to(root).as_posix() for path in (*inside, *beside)]


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def changed_versions(root: Path) -> list[str]:
    """How the present versions, font and machine differ from those a bundle was drawn with."""
    if not (root / DRAWN_WITH).is_file():
        return ["what these files were drawn with is not recorded"]
    then, now = read_json(root / DRAWN_WITH), drawn_with()
    if not isinstance(then, dict):
        raise ReassessError(f"{root / DRAWN_WITH} is no JSON object")
    notes = [
        f"{name[:EXCERPT]} was {str(then.get(name, 'not recorded'))[:EXCERPT]} when these files "
        f"were drawn, and is {now.get(name, 'absent')} here"
        for name in sorted({*then, *now})
        if (name in then) != (name in now) or then[name] != now[name]
    ]
    more = [f"and {len(notes) - MOST} more"] if len(notes) > MOST else []
    return notes[:MOST] + more


def _difference(name: str, stored: Path, fresh: Path) -> list[str]:
    if not fresh.is_file():
        return [f"{name}: stored, but not drawn from this bundle"]
    if not stored.is_file():
        return [f"{name}: drawn from this bundle, but not stored"]
    old, new = stored.read_bytes(), fresh.read_bytes()
    return [] if old == new else [f"{name}: {explain(stored.suffix, old, new)}"]
