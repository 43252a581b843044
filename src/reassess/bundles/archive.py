"""`reassess bundle`: a study in one file that can be sent, archived, checked, redrawn and merged.

Beside the bundle's tables it holds figures, tables and claims drawn from them, the config, what they were drawn with, checksums
(`SHA256SUMS`), a data dictionary (Frictionless Data Package) and a description of the whole for archives (RO-Crate). The same
bundle gives the same bytes. Taken apart, it is a folder of the same layout, which is read just as well.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from reassess.analysis.bundle import Bundle
from reassess.bundles.dictionary import TABLES
from reassess.core.errors import ReassessError
from reassess.core.files import read_json, replacing, sha256_file, write_json, write_text

SUMS = "SHA256SUMS"
DRAWN_WITH = "drawn-with.json"
DATE = (
    1980,
    1,
    1,
    0,
    0,
    0,
)  # of every file in an archive: a real one would make every archive differ
LARGEST = 8 * 2**30  # bytes of an archive taken apart; more is taken for an attack
DRAWN = ("figures", "tables")  # folders of what is drawn from the bundle
LICENCE = "https://spdx.org/licenses/Apache-2.0"


def pack(bundle: Path, out: Path) -> None:
    """Draw everything from a bundle and write the archive: a zip file if `out` ends so, else a folder.

    Args:
        bundle: the folder of the bundle's tables.
        out: the archive; an existing one is replaced, in a folder file by file.

    Raises:
        ReassessError: the bundle is damaged, or `out` cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="reassess-bundle-") as made:
        root = Path(made)
        shutil.copytree(bundle, root / "bundle")
        draw_all(root / "bundle", root)
        _describe(root)
        if out.suffix == ".zip":
            _zip(root, out)
        else:
            _replace(root, out)


def draw_all(bundle: Path, root: Path) -> None:
    """Draw figures, tables and claims of a bundle into `root`, and note what they were drawn with."""
    from reassess.analysis.claims import test_claims
    from reassess.analysis.tables import tabulate
    from reassess.figures import draw_figures

    draw_figures(bundle, root / "figures")
    tabulate(bundle, root / "tables")
    test_claims(Bundle.load(bundle), root / "claims.json")
    write_json(root / DRAWN_WITH, drawn_with())


def drawn_with() -> dict[str, str]:
    """Return all that can change a drawn byte: versions, font, kind of machine."""
    import matplotlib
    from matplotlib import font_manager, ft2font

    from reassess.figures._draw import font_file

    names = ("matplotlib", "seaborn", "numpy", "pandas", "pillow")
    return {
        **{name: version(name) for name in names},
        "python": ".".join(platform.python_version_tuple()[:2]),
        "freetype": ft2font.__freetype_version__,
        "font": font_manager.FontProperties(fname=font_file()).get_name(),
        "font_sha256": sha256_file(Path(font_file())),
        "machine": platform.machine(),
        "backend": matplotlib.get_backend().lower(),
    }


def _describe(root: Path) -> None:
    """Write config, data dictionary, description and, last, the checksums."""
    study = read_json(root / "bundle/study.json")
    write_text(root / "config.yaml", yaml.safe_dump(study["config"], sort_keys=True))
    write_text(root / "ABOUT.md", _about(study))
    write_json(root / "datapackage.json", _data_package(root, study))
    write_json(root / "ro-crate-metadata.json", _ro_crate(root, study))
    write_text(
        root / SUMS, "".join(f"{sha256_file(root / name)}  {name}\n" for name in _files(root))
    )


def _files(root: Path) -> list[str]:
    found = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(name for name in found if name != SUMS)


def _about(study: dict[str, Any]) -> str:
    return (
        f"# Bundle of the grid `{study['grid']}`\n\n"
        "Scores, answers, histories and manifests of every cell (`bundle/`), what is drawn from them (`figures/`, `tables/`,\n"
        "`claims.json`), and the config. `datapackage.json` explains the columns; `sha256sum -c SHA256SUMS` checks the files.\n\n"
        "    reassess figures --bundle THIS          # redraw: no GPU, no weights, no network\n"
        "    reassess verify figures --bundle THIS   # the same bytes?\n"
        "    reassess verify scores --bundle THIS    # the same scores from the stored answers?\n"
        "    reassess verify train --bundle THIS     # the same weights, trained again?\n"
    )


def _data_package(root: Path, study: dict[str, Any]) -> dict[str, Any]:
    """Return the description of the tables by Frictionless Data Package 2."""
    resources = []
    for name, meanings in TABLES.items():
        path = root / f"bundle/{name}.parquet"
        if path.is_file():
            fields = [
                {"name": column, "type": kind, "description": meanings[column]}
                for column, kind in _columns(path)
            ]
            resources.append(
                {
                    "name": name,
                    "path": f"bundle/{name}.parquet",
                    "format": "parquet",
                    "mediatype": "application/vnd.apache.parquet",
                    "bytes": path.stat().st_size,
                    "hash": f"sha256:{sha256_file(path)}",
                    "schema": {"fields": fields},
                }
            )
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": f"reassess-{study['grid']}",
        "title": f"reassess: grid {study['grid']}",
        "version": study["config_hash"][:12],
        "licenses": [{"name": "Apache-2.0", "path": LICENCE}],
        "resources": resources,
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


def _ro_crate(root: Path, study: dict[str, Any]) -> dict[str, Any]:
    """Return the description of the whole by RO-Crate 1.1: files, licence, and the software runs that made them."""
    manifests = Bundle.load(root / "bundle").manifests["manifest"].dropna().map(json.loads)
    evaluated = [one["evaluate"] for one in manifests]
    started = sorted(str(one["started"]) for one in evaluated if "started" in one)
    commits = sorted({str(one["code_commit"]) for one in evaluated if "code_commit" in one})
    names = [*_files(root)]
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
        "instrument": [{"@id": one["@id"]} for one in software],
        "object": {"@id": "config.yaml"},
        "result": [{"@id": name} for name in names if name.startswith("bundle/")],
        **({"startTime": started[0], "endTime": started[-1]} if started else {}),
    }
    dataset = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"reassess: grid {study['grid']}",
        "description": "Scores, answers, training histories and manifests of a controlled comparison of post-training methods, "
        "with figures, tables and claims drawn from them.",
        "license": {"@id": LICENCE},
        "keywords": "supervised fine-tuning, reinforcement learning, vision-language models, reproducibility",
        "hasPart": [{"@id": name} for name in names],
        "mentions": {"@id": "#run"},
        **({"datePublished": started[-1][:10]} if started else {}),
    }
    metadata = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }
    return {
        "@context": "https://w3id.org/ro/crate/1.1/context",
        "@graph": [metadata, dataset, *files, action, *software],
    }


def _zip(root: Path, out: Path) -> None:
    with (
        replacing(out) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name in [SUMS, *_files(root)]:
            about = zipfile.ZipInfo(name, DATE)
            about.external_attr = 0o644 << 16
            about.create_system = 3
            archive.writestr(about, (root / name).read_bytes())


def _replace(root: Path, out: Path) -> None:
    for folder in ("bundle", *DRAWN):
        shutil.rmtree(out / folder, ignore_errors=True)
    for name in [SUMS, *_files(root)]:
        with replacing(out / name) as temporary:
            shutil.copyfile(root / name, temporary)


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Yield the folder of an archive: taken apart if it is a file, else the folder itself (or the one around a bundle's tables).

    Raises:
        ReassessError: there is no such archive, it is damaged, or it holds what an archive of ours never holds.
    """
    if path.is_dir():
        if (path / "bundle/study.json").is_file():
            yield path
        elif (path / "study.json").is_file():
            yield path.resolve().parent
        else:
            raise ReassessError(
                f"{path} is no bundle: neither it nor its folder bundle/ has a study.json"
            )
        return
    if not path.is_file():
        raise ReassessError(f"no bundle {path}")
    with tempfile.TemporaryDirectory(prefix="reassess-bundle-") as made:
        _take_apart(path, Path(made))
        yield Path(made)


def _take_apart(path: Path, into: Path) -> None:
    """Unpack an archive: plain files below `into` only, each once, within a limit of size.

    Raises:
        ReassessError: it is no zip file, is damaged, or breaks one of these rules; names the entry.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > LARGEST:
                raise ReassessError(
                    f"{path} would unpack to more than {LARGEST // 2**30} GiB; refused"
                )
            names: set[str] = set()
            for entry in entries:
                name = entry.filename
                parts = name.split("/")
                kind = stat.S_IFMT(entry.external_attr >> 16)
                if (
                    name in names
                    or "\\" in name
                    or not all(parts)
                    or {".", ".."} & set(parts)
                    or kind not in (0, stat.S_IFREG)
                ):
                    raise ReassessError(
                        f"{path}: its entry {name!r} is no plain file inside the archive; refused"
                    )
                names.add(name)
                target = into / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
        raise ReassessError(f"{path} is no readable archive ({error})") from error


def tampered(root: Path) -> list[str]:
    """Return what is wrong with the files of an archive by its checksums; a grid's own folder has none, and nothing is wrong."""
    sums = root / SUMS
    if not sums.is_file():
        return []
    wrong = []
    for line in sums.read_text().splitlines():
        expected, _, name = line.partition("  ")
        path = root / name
        if not path.is_file():
            wrong.append(f"{name}: missing, though {SUMS} lists it")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            wrong.append(f"{name}: not the file that {SUMS} lists; it was changed or damaged")
    return wrong


def require_whole(root: Path, named: Path) -> None:
    """Refuse an archive whose files are not those of its checksums.

    Raises:
        ReassessError: names the files.
    """
    wrong = tampered(root)
    if wrong:
        raise ReassessError(f"{named} is not as it was packed: " + "; ".join(wrong))


def redraw(path: Path, out: Path) -> None:
    """Draw figures, tables and claims of an archive into `out`.

    Raises:
        ReassessError: the archive is damaged, changed, or of a newer version.
    """
    with opened(path) as root:
        require_whole(root, path)
        draw_all(root / "bundle", out)
