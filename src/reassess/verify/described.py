"""Whether the files around a bundle's tables describe those tables, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

from reassess.bundles.checksums import files_of
from reassess.bundles.description import (
    CONFIG,
    CRATE,
    EARLIER_PAGES,
    PACKAGE,
    PAGE,
    config_of,
    crate_of,
    package_of,
    page_of,
)  # fmt: skip
from reassess.bundles.dictionary import EARLIER, TABLES
from reassess.bundles.drawings import CLAIMS, DRAWN, DRAWN_WITH
from reassess.core.errors import ReassessError
from reassess.core.files import Json, read_json, sha256_text
from reassess.verify.differences import lines
from reassess.verify.stored import differing

DESCRIBED = (CONFIG, PAGE, PACKAGE, CRATE)
FILES = {*DESCRIBED, *CLAIMS, DRAWN_WITH}
FOLDERS = ("bundle", *DRAWN)


def check_descriptions(root: Path) -> Iterator[str]:
    """Yield what the files around the tables of an archive state wrongly, and foreign files.

    They must be what this version writes, to the letter, or what an earlier one wrote.
    """
    names = files_of(root)
    for name in names:
        if name not in FILES and name.partition("/")[0] not in FOLDERS:
            yield f"{name}: no file of a bundle"
    lacking = sorted({*DESCRIBED} - {*names})
    yield from (f"{name}: missing" for name in lacking)
    if lacking:
        return
    study = read_json(root / "bundle/study.json")
    yield from as_written(root / "bundle/study.json")
    if DRAWN_WITH in names:
        yield from as_written(root / DRAWN_WITH)
    yield from _config(root, config_of(study))
    page = _text(root / PAGE)
    if page != page_of(study) and not _is_earlier(page, study):
        yield f"{PAGE}: not the page that this or an earlier version writes"
    for name, due in ((PACKAGE, package_of(root, study)), (CRATE, crate_of(root, study))):
        yield from as_written(root / name)
        held = read_json(root / name)
        yield from differing(_in_present_words(held), due, name)


def as_written(path: Path) -> Iterator[str]:
    """Yield whether a JSON file is spelled otherwise than a run writes it."""
    content = read_json(path)
    if _text(path) != json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n":
        yield f"{path.name}: not spelled as a run writes it: a key may stand in it twice"


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogatepass")
    except (OSError, UnicodeDecodeError) as error:
        raise ReassessError(f"{path} is not readable text ({error})") from error


def _config(root: Path, due: str) -> Iterator[str]:
    """Yield where the config's text is another one; it is not parsed, since anybody wrote it."""
    held = _text(root / CONFIG)
    if held != due:
        yield f"{CONFIG}: {lines(held, due, made='derived')}"


def _is_earlier(page: str, study: Json) -> bool:
    """Whether an earlier version writes this page of this grid."""
    before, name, after = page.partition(f"`{study['grid']}`")
    return bool(name) and sha256_text(f"{before}`GRID`{after}") in EARLIER_PAGES


def _in_present_words(package: Json) -> Json:
    """A data dictionary in which this version's meanings replace those of earlier versions."""
    changed = copy.deepcopy(package)
    for table in changed.get("resources", []):
        for column in table["schema"]["fields"]:
            if column["description"] in EARLIER.get((table["name"], column["name"]), ()):
                column["description"] = TABLES[table["name"]][column["name"]]
    return changed
