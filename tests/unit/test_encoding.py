"""A table whose values are right as Arrow reads them, and that tells other programs others."""

import pandas as pd
import pyarrow.parquet as pq
import pytest
from reference import Part

from reassess.analysis.bundle import MANIFESTS
from reassess.bundles.collect import rewrite
from reassess.bundles.stored_answers import ANSWERS
from reassess.core.files import write_parquet
from reassess.verify.encoding import check_encoding
from reassess.verify.schema import REQUIRED, check_tables

SCORES = "bundle/scores.parquet"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return Part().write(tmp_path_factory.mktemp("part"))


@pytest.fixture
def root(written, tmp_path):
    for name in REQUIRED:
        target = tmp_path / f"bundle/{name}.parquet"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((written / f"bundle/{name}.parquet").read_bytes())
    return tmp_path


def found(root):
    """The tables that are found, and the notes; their columns, types and values are right."""
    assert check_tables(root / "bundle") == []
    notes = []
    differences = [one.partition(":")[0] for one in check_encoding(root / "bundle", notes)]
    return differences, notes


def patch(path, before, after, last=False):
    """Replace bytes in the footer of a table, where statistics and names of its columns stand."""
    content = path.read_bytes()
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    assert len(before) == len(after) and before in content[start:]
    start = content.rindex(before) if last else start
    path.write_bytes(content[:start] + content[start:].replace(before, after))


def test_tables_that_were_collected_are_right(root):
    assert found(root) == ([], [])


def test_writing_again_changes_nothing(root, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    rewrite(root / "bundle", again)
    for name in REQUIRED:
        held = (root / f"bundle/{name}.parquet").read_bytes()
        assert (again / f"{name}.parquet").read_bytes() == held


@pytest.mark.parametrize(
    "change",
    [
        {"error": ["out of memory", None]},
        {"error": [None, None]},
        {"samples": [20, None]},
        {"samples": [None, None]},
        {"samples": [20, 40]},
        {"resumed": [True, None]},
        {"resumed": [True, False]},
        {"size": [None, None]},
        {"distribution": [None, None]},
        {"distribution": ["far", None]},
    ],
    ids=str,
)
def test_values_of_any_type_are_written_twice_alike(tmp_path, change):
    """As columns of objects, which a merge gives, and as pandas infers their type."""
    ((column, values),) = change.items()
    part = Part()
    rows = part.manifests.iloc[:2].drop(columns=column)
    written = []
    for kind in (object, None):
        part.manifests = rows.assign(**{column: pd.Series(values, dtype=kind)})[MANIFESTS]
        folder = part.write(tmp_path / str(kind)) / "bundle"
        again = tmp_path / f"again-{kind}"
        again.mkdir()
        rewrite(folder, again)
        written += [(place / "manifests.parquet").read_bytes() for place in (folder, again)]
    assert len({*written}) == 1


def test_statistics_that_hide_rows_are_found(root):
    path = root / SCORES
    last = int(pd.read_parquet(path)["seed"].max())
    of_last = [("seed", "==", last)]
    assert len(pd.read_parquet(path, filters=of_last))
    stated, false = (b"\x08" + seed.to_bytes(8, "little") for seed in (last, last - 1))
    patch(path, stated, false)
    assert not len(pd.read_parquet(path, filters=of_last))
    assert found(root) == ([SCORES], [])


def test_a_name_for_other_readers_is_found(root):
    path = root / SCORES
    values = pd.read_parquet(path)
    patch(path, b"\x09truncated", b"\x09format_oh", last=True)
    pd.testing.assert_frame_equal(pd.read_parquet(path), values)
    assert found(root) == ([SCORES], [])


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [("history", "value", "float32"), ("history", "step", "int16"), ("scores", "seed", "uint8")],
)
def test_numbers_of_another_type_are_found(root, table, column, kind):
    path = root / f"bundle/{table}.parquet"
    frame = pd.read_parquet(path)
    write_parquet(path, frame.astype({column: kind}))
    assert found(root) == ([f"bundle/{table}.parquet"], [])


def test_another_order_of_columns_is_found(root):
    path = root / SCORES
    frame = pd.read_parquet(path)
    write_parquet(path, frame[[*frame.columns[::-1]]])
    assert found(root) == ([SCORES], [])


def test_other_row_groups_are_found(root):
    for name in ("scores", "predictions"):
        path = root / f"bundle/{name}.parquet"
        pq.write_table(pq.read_table(path), path, compression="zstd", row_group_size=1000)
    assert found(root) == ([SCORES, f"bundle/{ANSWERS}"], [])


def test_bytes_that_nothing_refers_to_are_found(root):
    path = root / SCORES
    content = path.read_bytes()
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    path.write_bytes(content[:start] + b"a message" + content[start:])
    assert found(root) == ([SCORES], [])


def test_a_table_of_another_version_of_arrow_is_noted(root):
    path = root / SCORES
    version = pq.ParquetFile(path).metadata.created_by.rpartition(" ")[2].encode()
    patch(path, b"version " + version, b"version " + b"1" + version[1:].replace(b"0", b"9"))
    differences, notes = found(root)
    assert differences == []
    assert [one.partition(" ")[0] for one in notes] == [SCORES]


def test_a_writer_that_is_no_version_of_arrow_is_found(root):
    path = root / SCORES
    created = pq.ParquetFile(path).metadata.created_by.encode()
    patch(path, created, b"approved by reviewer two".ljust(len(created)))
    assert found(root) == ([SCORES], [])
