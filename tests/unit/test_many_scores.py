"""Scores that are read and written in parts are those of a table that is read and written whole."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reference import Part

from reassess.analysis.bundle import AXES, CATEGORIES, OPTIONAL_SCORES, SCORES
from reassess.analysis.scores import Scores
from reassess.bundles import stored_scores
from reassess.bundles.stored_answers import KEYS
from reassess.bundles.stored_scores import cells_of, rewrite_scores, typed, write_scores
from reassess.core.files import write_parquet
from reassess.verify.rows import Keys

LIMITED = """
import resource, sys
from pathlib import Path
from reassess.analysis.bundle import CATEGORIES, SCORES
from reassess.analysis.scores import Scores
from reassess.verify.schema import check_tables
import numpy, pandas, pyarrow.parquet, pyarrow.compute, pyarrow.dataset
pyarrow.set_cpu_count(1); pyarrow.set_io_thread_count(1)
pyarrow.set_memory_pool(pyarrow.system_memory_pool())
folder = Path(sys.argv[1])
used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (used + int(sys.argv[2]),) * 2)
scores = Scores.load(folder / "scores.parquet", CATEGORIES)
right = sum(int(scores.of([cell])["correct"].sum()) for cell in scores.cells)
assert check_tables(folder) == []
print(right, len(scores))
"""


def whole(path, frame):
    """Write scores as a whole table of pandas."""
    frame = frame[[name for name in (*SCORES, *OPTIONAL_SCORES) if name in frame]]
    frame = typed(frame).sort_values(KEYS, kind="stable").reset_index(drop=True)
    for name in frame.columns:
        if name in CATEGORIES:
            values = sorted(frame[name].dropna().unique())
            frame[name] = pd.Categorical(frame[name], categories=values)
        elif name in OPTIONAL_SCORES and frame[name].isna().all():
            frame[name] = pd.Series([None] * len(frame), dtype=object)
        elif frame[name].dtype == object:
            frame[name] = pa.array(frame[name], from_pandas=True).to_pandas()
    write_parquet(path, frame)


def many(cells, items):
    """Scores of many cells, some columns of which lack values."""
    names = [f"m/d/{100 + number}/sft/seed0" for number in range(cells)]
    rows = cells * items
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "cell": pd.Categorical.from_codes(np.repeat(np.arange(cells), items), names),
            **dict.fromkeys(("model", "tier", "family"), "m"),
            "distribution": pd.Categorical(np.repeat(["d"], rows)),
            "size": np.repeat(np.arange(cells) + 100, items),
            "method": "sft",
            "kind": "sft",
            "seed": 0,
            "benchmark": pd.Categorical(np.repeat(["b"], rows)),
            "item": pd.Categorical.from_codes(
                np.tile(np.arange(items), cells), [f"b-{number:06d}" for number in range(items)]
            ),
            "correct": generator.random(rows) < 0.5,
            "format_ok": True,
            "length": 5,
            "truncated": False,
            "item_family": "color",
            "hops": 1,
            "filled": 6,
        }
    )


FILLED = {
    "none": {},
    "missing in part": {"judged": [True, None, False], "samples": [4, None, 4]},
    "missing": {"judged": [None] * 3, "samples": [None] * 3},
    "throughout": {"judged": [True, False, True], "samples": [4, 4, 4]},
}


@pytest.mark.parametrize("optional", FILLED.values(), ids=FILLED)
def test_scores_written_by_cells_have_the_bytes_of_a_whole_table(tmp_path, monkeypatch, optional):
    frame = many(3, 7).iloc[::-1].reset_index(drop=True)
    for name, values in optional.items():
        by_cell = dict(zip(sorted(frame["cell"].unique()), values, strict=True))
        frame[name] = [by_cell[cell] for cell in frame["cell"]]
    whole(tmp_path / "whole.parquet", frame)
    write_scores(tmp_path / "parts.parquet", cells_of(frame), [*frame])
    held = (tmp_path / "whole.parquet").read_bytes()
    assert (tmp_path / "parts.parquet").read_bytes() == held
    rewrite_scores(tmp_path / "whole.parquet", tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == held
    # Row groups are cut where Arrow cuts them, wherever cells end.
    table = pq.read_table(tmp_path / "whole.parquet")
    pq.write_table(table, tmp_path / "small.parquet", compression="zstd", row_group_size=5)
    monkeypatch.setattr(stored_scores, "ROWS", 5)
    rewrite_scores(tmp_path / "whole.parquet", tmp_path / "again.parquet")
    written = (tmp_path / "again.parquet", tmp_path / "small.parquet")
    groups = [pq.ParquetFile(path).metadata for path in written]
    sizes = [
        [one.row_group(number).num_rows for number in range(one.num_row_groups)] for one in groups
    ]
    assert sizes == [[5, 5, 5, 5, 1]] * 2


def test_no_scores_are_written_as_a_table_without_rows(tmp_path):
    frame = Part().scores.iloc[:0]
    write_scores(tmp_path / "none.parquet", cells_of(frame), [*frame])
    assert len(Scores.load(tmp_path / "none.parquet", CATEGORIES)) == 0
    assert len(pd.read_parquet(tmp_path / "none.parquet")) == 0


def test_cells_are_picked_wherever_their_rows_stand(tmp_path):
    frame = many(4, 5).sample(frac=1, random_state=0).reset_index(drop=True)
    frame["judged"] = np.where(np.arange(len(frame)) % 3 == 0, None, True)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, tmp_path / "scores.parquet", row_group_size=6)
    held = pd.read_parquet(tmp_path / "scores.parquet")
    scores = Scores.load(tmp_path / "scores.parquet", CATEGORIES)
    chosen = scores.cells[1:3]
    expected = held[held["cell"].isin(chosen)]
    for name in set(CATEGORIES) & {*held}:
        expected = expected.assign(**{name: expected[name].astype(object)})
    pd.testing.assert_frame_equal(scores.of(chosen), expected, check_index_type=False)
    assert scores.of([]).empty and scores.of(["other"]).empty
    coded = scores.coded(chosen)
    assert isinstance(coded["item"].dtype, pd.CategoricalDtype)
    names = dict.fromkeys(set(CATEGORIES) & {*held}, object)
    pd.testing.assert_frame_equal(coded.astype(names), expected, check_index_type=False)
    distinct = scores.distinct(AXES)
    assert distinct["cell"].tolist() == held["cell"].astype(str).drop_duplicates().tolist()


@pytest.mark.parametrize("size", [1, 3, 100], ids=str)
def test_keys_are_those_of_a_whole_table(size):
    """In order or not, with rows twice, with values that are missing, in parts of any size."""
    generator = np.random.default_rng(0)
    for _ in range(30):
        frame = pd.DataFrame(
            {name: generator.choice(["a", "b", "c", None], 8).astype(object) for name in "xyz"}
        )
        frame = frame if generator.random() < 0.5 else frame.sort_values([*"xyz"])
        frame = frame.drop_duplicates() if generator.random() < 0.5 else frame
        frame = frame.reset_index(drop=True)
        keys = Keys([*"xyz"])
        for start in range(0, len(frame), size):
            part = frame.iloc[start : start + size].astype("category")
            keys.add(pa.Table.from_pandas(part, preserve_index=False))
        twice = frame.loc[frame.duplicated()].drop_duplicates().itertuples(index=False)
        expected = [f"{' '.join('None' if v is None else v for v in map(_plain, row))}: more "
                    "than one row" for row in twice]  # fmt: skip
        ordered = frame.sort_values([*"xyz"], kind="stable").index.equals(frame.index)
        expected += [] if ordered else ["its rows are not in the order of x, y, z"]
        assert [*keys.problems()] == expected


def _plain(value):
    return None if pd.isna(value) else value


@pytest.mark.skipif(sys.platform != "linux", reason="limits of data are those of Linux")
def test_two_million_scores_are_checked_and_read_in_little_memory(tmp_path):
    """Read whole they take over 700 MB, for their check alone."""
    frame = many(100, 20_000)
    write_parquet(tmp_path / "scores.parquet", frame.astype({"size": "Int64"}))
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), str(400 * 2**20)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [str(int(frame["correct"].sum())), "2000000"], done.stderr
