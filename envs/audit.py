"""Hold every lock against databases of known vulnerabilities; name the age and reach of each.

    .venv-audit/bin/python envs/audit.py [--osv FOLDER]

Three sources, each first asked about a package that is known to be vulnerable: one that does not
know it proves nothing of ours.

- `pip-audit` asks the database that is online.
- `--osv` takes an export of OSV (the `all.zip` of its PyPI ecosystem, or a folder of its JSON
  files) that lies on a disk.
- `safety-db`, a package of `audit.txt`, brings a list that nobody renewed since 2021. It knows only
  packages of its time: what it says nothing about is not thereby free of vulnerabilities.

Exit code: 0 nothing known to the sources that answered, which are named; 1 something is known, or a
lock cannot be read.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

HERE = Path(__file__).parent
KNOWN, KNOWN_VERSION, KNOWN_AS = (
    "requests",
    "2.19.0",
    {"CVE-2018-18074", "GHSA-x84v-xcm2-53pg", "PYSEC-2018-28"},
)
STALE = timedelta(days=30)
Event = dict[str, str]  # of a range of OSV: its kind, a version


class Span(NamedTuple):
    """Versions from `start` (included) to `end`, by their order.

    Unlike PEP 440's `<1.5`, one that ends before 1.5 contains 1.5rc1.
    """

    start: Version
    end: Version | None
    included: bool  # `end` itself

    def contains(self, version: str, prereleases: bool = True) -> bool:
        """Whether a version lies in it."""
        one = Version(version)
        return one >= self.start and (
            self.end is None or one < self.end or (self.included and one == self.end)
        )


class Advisory(NamedTuple):
    """One entry of an offline database."""

    names: frozenset[str]  # its identifiers
    versions: frozenset[str]  # affected ones, listed
    ranges: tuple[SpecifierSet | Span, ...]  # and as ranges, any of them
    unread: tuple[str, ...] = ()  # ranges that are none of PEP 440

    def affects(self, version: str) -> bool:
        """Whether it is about this version. A local part (`+cpu`) does not count."""
        public = Version(version).public
        return public in self.versions or any(
            one.contains(public, prereleases=True) for one in self.ranges
        )


class Database(NamedTuple):
    """An offline copy of a database."""

    title: str
    date: datetime  # of its newest entry
    advisories: dict[str, list[Advisory]]  # by canonical name


def read_safety() -> Database:
    """The list that the package safety-db brought."""
    path = distribution("safety-db").locate_file("safety_db/insecure_full.json")
    content = json.loads(Path(str(path)).read_text(encoding="utf-8"))
    date = datetime.fromtimestamp(content.pop("$meta")["timestamp"], UTC)
    advisories = {
        canonicalize_name(name): [
            _advisory(
                {entry["id"], *re.findall(r"CVE-\d+-\d+", entry["cve"] or "")}, (), entry["specs"]
            )
            for entry in entries
        ]
        for name, entries in content.items()
    }
    return Database("safety-db", date, advisories)


def _advisory(
    names: Iterable[str], versions: Iterable[str], ranges: Iterable[str | list[Event]]
) -> Advisory:
    """An entry; ranges that name no versions of PEP 440 are kept apart, to be named."""
    read: list[SpecifierSet | Span] = []
    unread: list[str] = []
    for given in ranges:
        try:
            read.extend([SpecifierSet(given)] if isinstance(given, str) else _spans(given))
        except (InvalidSpecifier, InvalidVersion):
            unread.append(str(given))
    return Advisory(frozenset(names), frozenset(versions), tuple(read), tuple(unread))


def read_osv(place: Path) -> Database:
    """An export of OSV: an archive, or a folder, of JSON files. Withdrawn entries do not count."""
    advisories: dict[str, list[Advisory]] = {}
    newest = datetime.fromtimestamp(0, UTC)
    for text in _documents(place):
        entry = json.loads(text)
        newest = max(newest, datetime.fromisoformat(entry["modified"]).astimezone(UTC))
        if "withdrawn" in entry:
            continue
        names = {entry["id"], *entry.get("aliases", ())}
        for affected in entry.get("affected", ()):
            package = affected.get("package", {})
            if package.get("ecosystem") == "PyPI":
                ranges = [
                    given["events"]
                    for given in affected.get("ranges", ())
                    if given["type"] == "ECOSYSTEM"
                ]
                one = _advisory(names, affected.get("versions", ()), ranges)
                advisories.setdefault(canonicalize_name(package["name"]), []).append(one)
    return Database(f"OSV export {place.name}", newest, advisories)


def _documents(place: Path) -> Iterator[bytes]:
    if place.is_dir():
        yield from (path.read_bytes() for path in sorted(place.rglob("*.json")))
        return
    with zipfile.ZipFile(place) as archive:
        yield from (archive.read(name) for name in archive.namelist() if name.endswith(".json"))


def _spans(events: list[Event]) -> Iterator[Span]:
    """OSV's events as spans: each `introduced` opens one, unless one is open; an end closes it."""
    start: Version | None = None
    ordered = sorted(
        (Version(version), kind != "introduced", kind)
        for event in events
        for kind, version in event.items()
    )
    for version, ends, kind in ordered:
        if not ends:
            start = version if start is None else start
        elif start is not None and kind in ("fixed", "last_affected"):
            yield Span(start, version, kind == "last_affected")
            start = None
    if start is not None:
        yield Span(start, None, False)


def pins(lock: Path) -> dict[str, str]:
    """Name and version of each pin of a lock."""
    return {
        canonicalize_name(name): version
        for name, version in re.findall(
            r"^([A-Za-z0-9_.-]+)==([^\s\\;]+)", lock.read_text(), re.MULTILINE
        )
    }


def ask_offline(database: Database, locks: list[Path]) -> int:
    """Report what an offline database knows; return the number of findings."""
    control = database.advisories.get(KNOWN, [])
    if not any(one.names & KNOWN_AS and one.affects(KNOWN_VERSION) for one in control):
        print(
            f"SKIPPED: {database.title} knows nothing of {KNOWN} {KNOWN_VERSION}; "
            "the locks were NOT compared with it"
        )
        return 0
    found = 0
    for lock in locks:
        pinned = pins(lock)
        for name, version in pinned.items():
            for one in database.advisories.get(name, ()):
                names = ", ".join(sorted(one.names))
                about = f"{lock.name}: {name} {version}: {names} ({database.title})"
                if one.affects(version):
                    found += 1
                    print(f"VULNERABLE {about}")
                elif one.unread:
                    print(f"UNDECIDED {about}: its ranges {', '.join(one.unread)} cannot be read")
        covered = sum(name in database.advisories for name in pinned)
        age = datetime.now(UTC) - database.date
        old = f"; {age.days} days OLD: later vulnerabilities are not in it" if age > STALE else ""
        print(
            f"{lock.name}: {database.title} of {database.date:%Y-%m-%d}{old}; "
            f"it has entries for {covered} of {len(pinned)} packages"
        )
    return found


def ask_online(auditor: str, locks: list[Path]) -> int | None:
    """Report what pip-audit's database knows.

    Returns:
        The number of locks with findings, None if it does not answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder) / "known.txt"
        known.write_text(f"{KNOWN}=={KNOWN_VERSION}\n")
        asked = _pip_audit(auditor, known, "--no-deps")
    if not any(name in asked.stdout for name in KNOWN_AS):
        return None
    bad = 0
    for lock in locks:
        done = _pip_audit(auditor, lock, "--require-hashes")
        print(f"{lock.name}: {done.stdout.strip() or done.stderr.strip()}")
        bad += done.returncode != 0
    return bad


def _pip_audit(auditor: str, lock: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Ask about one lock; a package that was not looked up counts as a failure."""
    words = [
        auditor,
        "--strict",
        "--disable-pip",
        "--progress-spinner",
        "off",
        *options,
        "-r",
        str(lock),
    ]
    return subprocess.run(words, capture_output=True, text=True)


def main() -> int:
    """Audit each lock with every source; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--osv", type=Path, help="an export of OSV's PyPI ecosystem: all.zip, or a folder"
    )
    parser.add_argument("--locks", type=Path, default=HERE, help="the folder of locks")
    given = parser.parse_args()
    locks = sorted(path for path in given.locks.glob("*.txt") if path.stem != "overrides")
    online = ask_online(str(Path(sys.executable).with_name("pip-audit")), locks)
    if online is None:
        print(
            "SKIPPED: no database can be asked from here "
            f"(of {KNOWN} {KNOWN_VERSION} it knows nothing)"
        )
    offline = [read_safety(), *([read_osv(given.osv)] if given.osv else [])]
    findings = (online or 0) + sum(ask_offline(one, locks) for one in offline)
    current = online is not None or any(datetime.now(UTC) - one.date <= STALE for one in offline)
    if not current:
        print(
            "NOT AUDITED against a current database: nothing here says that the locks are free of "
            "known vulnerabilities"
        )
    return int(findings > 0)


if __name__ == "__main__":
    sys.exit(main())
