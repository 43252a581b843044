"""Whether the installed packages are those that the locks name, file by file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, product
from pathlib import Path
from typing import NamedTuple

from reassess.cluster.finding import Finding
from reassess.core.files import Json, read_json
from reassess.core.project import ROOT
from reassess.core.provenance import (
    Distribution,
    damaged,
    distributions,
    installed_digest,
    unlisted,
)

RECORDS = ROOT / "envs" / "records.json"
NIX = Path("/nix/store")  # `flake.nix` lets autoPatchelf change libraries after they are installed
SHOWN = 5  # of many files of one kind


class _Recorded(NamedTuple):
    """How an installed distribution stands to the recorded wheels of its version."""

    known: bool  # it is one of them
    other: str | None  # the recorded wheel of the same tags, from which it differs


def examine_installed(
    installed: list[Distribution] | None = None, records: Path = RECORDS
) -> Iterator[Finding]:
    """Compare every installed distribution with its RECORD, and that with the recorded digests.

    A flipped byte in any file that a wheel brought, code that no wheel brought, and a build of
    torch that was never recorded are findings. Every file is read: seconds for a CPU environment.

    Args:
        installed: what to look at; by default everything that this process can import.
        records: the file that `envs/records.py` writes.
    """
    installed = distributions() if installed is None else installed
    in_nix = [one for one in installed if one.folder.is_relative_to(NIX)]
    if in_nix:
        what = (
            f"{len(in_nix)} packages are in Nix's store, which pins and patches them: no comparison"
        )
        yield Finding(what, True)
        installed = [one for one in installed if one not in in_nix]
        if not installed:
            return
    recorded = read_json(records)
    problems = [
        *_builds(installed, recorded),
        *_files("`make setup` in a new environment installs it again", _damaged(installed)),
        *_files(
            "no package lists it: remove it, or install what it belongs to", _strangers(installed)
        ),
    ]
    yield from problems
    if not problems:
        known = sum(_recorded(one, recorded).known for one in installed)
        yield Finding(
            f"{len(installed)} packages have the files that were installed; {known} of them are "
            "wheels of the locks by their recorded digest",
            bool(installed),
            "`make setup` installs them",
        )


def _builds(installed: list[Distribution], recorded: Json) -> Iterator[Finding]:
    for one in installed:
        state = _recorded(one, recorded)
        if state.other:
            what = f"{one.name} {one.version} is not the locked {state.other}: its RECORD differs"
            yield Finding(what, False, "`make setup` in a new environment installs the locked one")
        elif one.name == "torch" and not state.known:
            digest = installed_digest(one)
            yield Finding(
                f"torch {one.version} is a build that envs/records.json does not know "
                f"(digest of its RECORD: {digest})",
                False,
                "`make setup` installs a known one; to use this build, add its wheel's hash to "
                "envs/torch.txt and run `python envs/records.py WHEEL`",
            )


def _recorded(one: Distribution, recorded: Json) -> _Recorded:
    wheels = recorded.get(one.name, {}).get(one.version, {})
    if installed_digest(one) in wheels:
        return _Recorded(True, None)
    same = [entry["wheel"] for entry in wheels.values() if _tags(entry["wheel"]) & one.tags()]
    return _Recorded(False, same[0] if same else None)


def _tags(wheel: str) -> set[str]:
    """The tags in a wheel's file name, which joins several of one kind by dots (PEP 425)."""
    parts = wheel.removesuffix(".whl").split("-")[-3:]
    return {"-".join(tag) for tag in product(*(part.split(".") for part in parts))}


def _damaged(installed: list[Distribution]) -> Iterator[str]:
    for one in installed:
        for problem in damaged(one):
            yield f"{one.name} {one.version}: {problem}"


def _strangers(installed: list[Distribution]) -> Iterator[str]:
    for path in unlisted(installed):
        yield f"{path} belongs to no installed package"
    for one in {one.folder.parent for one in installed}:
        shim, ours = one / "zz_reassess_shim.pth", ROOT / "envs" / "zz_reassess_shim.pth"
        if shim.exists() and ours.exists() and shim.read_bytes() != ours.read_bytes():
            yield f"{shim} is not {ours}"


def _files(fix: str, problems: Iterable[str]) -> Iterator[Finding]:
    """The first few problems, and how many more there are."""
    rest = iter(problems)
    for problem in islice(rest, SHOWN):
        yield Finding(problem, False, fix)
    more = sum(1 for _ in rest)
    if more:
        yield Finding(f"{more} more files of this kind", False, fix)
