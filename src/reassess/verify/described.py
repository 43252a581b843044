"""Whether the files around a bundle's tables describe those tables."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from reassess.bundles.checksums import files_of
from reassess.bundles.description import describe
from reassess.core.errors import ReassessError
from reassess.core.files import Json, read_json
from reassess.verify.stored import differing

CONFIG = "config.yaml"
DESCRIBED = ("datapackage.json", "ro-crate-metadata.json")
PAGE = "ABOUT.md"
VARYING = ('"sha256"', '"contentSize"')


def check_descriptions(root: Path, notes: list[str]) -> Iterator[str]:
    """Yield what the config, the data dictionary and the description of an archive state wrongly.

    What they state in other words than this version is a note.
    """
    with tempfile.TemporaryDirectory(prefix="reassess-describe-") as temporary:
        again = Path(temporary)
        for name in files_of(root):
            if name not in (CONFIG, PAGE, *DESCRIBED):
                (again / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, again / name)
        describe(again)
        yield from differing(_yaml(root / CONFIG), _yaml(again / CONFIG), CONFIG)
        held, due = (_facts(read_json(place / DESCRIBED[0])) for place in (root, again))
        yield from differing(held, due, DESCRIBED[0])
        held, due = (_crate(read_json(place / DESCRIBED[1])) for place in (root, again))
        yield from differing(held, due, DESCRIBED[1])
        notes += [
            f"{name} reads otherwise than this version would write it; only its facts were compared"
            for name in (PAGE, *DESCRIBED)
            if _lines(root / name) != _lines(again / name)
        ]


def _lines(path: Path) -> list[str]:
    """The lines of a description, without hashes and sizes of what describes."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return sorted(line for line in text.splitlines() if not any(one in line for one in VARYING))


def _yaml(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ReassessError(f"{path} is not readable YAML ({error})") from error


def _facts(package: Json) -> Json:
    """By table, what the data dictionary states of its file and its columns."""
    return {
        table["name"]: {
            "path": table["path"],
            "bytes": table["bytes"],
            "hash": table["hash"],
            "columns": [[one["name"], one["type"]] for one in table["schema"]["fields"]],
        }
        for table in package["resources"]
    } | {"version": package["version"]}


def _crate(crate: Json) -> Json:
    """By file, its hash and size; and the versions of the software that ran."""
    graph = crate["@graph"]
    files = {
        one["@id"]: [one["sha256"], one["contentSize"]]
        for one in graph
        if one["@type"] == "File" and one["@id"] not in (CONFIG, PAGE, *DESCRIBED)
    }
    software = [one["softwareVersion"] for one in graph if one["@type"] == "SoftwareApplication"]
    times = [[one.get("startTime"), one.get("endTime")] for one in graph if one["@id"] == "#run"]
    return {"files": files, "software": sorted(software), "times": times}
