"""What an archive tells about itself.

The config, a page on its use (`ABOUT.md`), a data dictionary (Frictionless Data Package) and a
description of the whole for repositories of research data (RO-Crate).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import yaml

from reassess.analysis.bundle import Bundle
from reassess.bundles.checksums import files_of
from reassess.bundles.dictionary import TABLES
from reassess.core.files import Json, read_json, sha256_file, write_json, write_text

LICENCE = "https://spdx.org/licenses/Apache-2.0"
CONFIG, PAGE = "config.yaml", "ABOUT.md"
PACKAGE, CRATE = "datapackage.json", "ro-crate-metadata.json"
# SHA-256 of what `page_of` gave in earlier versions, of a grid called GRID.
EARLIER_PAGES = frozenset({"f673ffeac3ad2930a43e2ea236979095d4c679ef4d96c22b4196deccd062a41e"})


def describe(root: Path) -> None:
    """Write config, page, data dictionary and description beside everything else in `root`."""
    study = read_json(root / "bundle/study.json")
    write_text(root / CONFIG, config_of(study))
    write_text(root / PAGE, page_of(study))
    write_json(root / PACKAGE, package_of(root, study))
    write_json(root / CRATE, crate_of(root, study))


def config_of(study: Json) -> str:
    """The text of the config."""
    return str(yaml.safe_dump(study["config"], sort_keys=True))


def page_of(study: Json) -> str:
    """The page on the use of a bundle."""
    return f"""\
# Bundle of the grid `{study["grid"]}`

Scores, answers, histories and manifests of every cell (`bundle/`), what is drawn from them \
(`figures/`, `tables/`,
`claims.json`), and the config. `datapackage.json` explains the columns; \
`sha256sum -c SHA256SUMS` checks the files.

    reassess bundle draw --bundle THIS           # redraw: no GPU, no weights, no network
    reassess bundle verify --bundle THIS         # every check that is cheap
    reassess bundle verify train --bundle THIS   # the same weights, trained again?

If there is a `SHA256SUMS.sig`, `reassess bundle verify --bundle THIS --signer FILE` says whether \
one of the allowed
signers in FILE has signed the checksums. A signature says who packed the files, not that they are \
right.
"""


def package_of(root: Path, study: Json) -> Json:
    """The tables, as a Frictionless Data Package 2."""
    resources = [
        _table(root, name, meanings)
        for name, meanings in TABLES.items()
        if (root / f"bundle/{name}.parquet").is_file()
    ]
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": f"reassess-{study['grid']}",
        "title": f"reassess: grid {study['grid']}",
        "version": study["config_hash"][:12],
        "licenses": [{"name": "Apache-2.0", "path": LICENCE}],
        "resources": resources,
    }


def _table(root: Path, name: str, meanings: dict[str, str]) -> Json:
    path = root / f"bundle/{name}.parquet"
    return {
        "name": name,
        "path": f"bundle/{name}.parquet",
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "bytes": path.stat().st_size,
        "hash": f"sha256:{sha256_file(path)}",
        "schema": {
            "fields": [
                {"name": column, "type": kind, "description": meanings[column]}
                for column, kind in _columns(path)
            ]
        },
    }


def _columns(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the columns of a parquet file with Frictionless types."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for field in pq.read_schema(path):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        is_a = pa.types
        if is_a.is_boolean(kind):
            yield field.name, "boolean"
        elif is_a.is_integer(kind):
            yield field.name, "integer"
        elif is_a.is_floating(kind):
            yield field.name, "number"
        else:
            yield field.name, "string"


def crate_of(root: Path, study: Json) -> Json:
    """The whole, as an RO-Crate 1.1: files, licence, and the software runs that made them."""
    manifests = Bundle.load(root / "bundle").manifests["manifest"].dropna().map(json.loads)
    evaluated = [manifest["evaluate"] for manifest in manifests]
    started = sorted(str(run["started"]) for run in evaluated if "started" in run)
    commits = sorted({str(run["code_commit"]) for run in evaluated if "code_commit" in run})
    names = [name for name in files_of(root) if name != CRATE]
    files = [
        {
            "@id": name,
            "@type": "File",
            "contentSize": str((root / name).stat().st_size),
            "sha256": sha256_file(root / name),
        }
        for name in names
    ]
    software = [
        {
            "@id": f"#reassess-{commit}",
            "@type": "SoftwareApplication",
            "name": "reassess",
            "softwareVersion": commit,
        }
        for commit in commits
    ]
    action = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"training and evaluation of the grid {study['grid']}",
        "instrument": [{"@id": program["@id"]} for program in software],
        "object": {"@id": CONFIG},
        "result": [{"@id": name} for name in names if name.startswith("bundle/")],
        **({"startTime": started[0], "endTime": started[-1]} if started else {}),
    }
    metadata = {
        "@id": CRATE,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }
    return {
        "@context": "https://w3id.org/ro/crate/1.1/context",
        "@graph": [metadata, _dataset(study, names, started), *files, action, *software],
    }


def _dataset(study: Json, names: list[str], started: list[str]) -> Json:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"reassess: grid {study['grid']}",
        "description": "Scores, answers, training histories and manifests of a controlled "
        "comparison of post-training methods, with figures, tables and claims drawn from them.",
        "license": {"@id": LICENCE},
        "keywords": "supervised fine-tuning, reinforcement learning, vision-language models, "
        "reproducibility",
        "hasPart": [{"@id": name} for name in names],
        "mentions": {"@id": "#run"},
        **({"datePublished": started[-1][:10]} if started else {}),
    }
