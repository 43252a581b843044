"""Answers are written and read cell by cell, whatever the row groups of the file."""

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reassess.bundles import stored_answers
from reassess.bundles.stored_answers import (
    COLUMNS,
    KEYS,
    answers_by_cell,
    has_sampled,
    write_answers,
)
from reassess.core.errors import ReassessError


def answers(cell, count):
    rows = [
        {**dict.fromkeys(COLUMNS, "x"), "cell": cell, "benchmark": "b", "item": f"{number:03}"}
        for number in range(count)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


@settings(deadline=None, max_examples=25)
@given(counts=st.lists(st.integers(1, 9), min_size=1, max_size=5), group=st.integers(1, 12))
def test_cells_come_back_whole_whatever_the_row_groups(tmp_path_factory, counts, group):
    path = tmp_path_factory.mktemp("answers") / "answers.parquet"
    written = {
        f"cell{number}": answers(f"cell{number}", count) for number, count in enumerate(counts)
    }
    pd.concat(written.values()).to_parquet(path, row_group_size=group, index=False)
    read = dict(answers_by_cell(path))
    assert list(read) == list(written)
    assert all(read[cell][COLUMNS].equals(written[cell]) for cell in written)


def test_row_groups_hold_whole_cells_and_few_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_answers, "TOGETHER", 4)
    path = tmp_path / "answers.parquet"
    write_answers(path, (answers(name, 3) for name in "abcde"), sampled=False)
    metadata = pq.ParquetFile(path).metadata
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert groups == [6, 6, 3]
    assert [len(rows) for _, rows in answers_by_cell(path)] == [3] * 5


def test_what_is_written_is_in_order(tmp_path):
    path = tmp_path / "answers.parquet"
    cells = [answers("a", 3)[::-1], answers("b", 2)]
    write_answers(path, iter(cells), sampled=False)
    read = dict(answers_by_cell(path))
    assert read["a"]["item"].tolist() == ["000", "001", "002"]
    assert not has_sampled(path)
    write_answers(path, [cells[0].assign(sampled="more"), cells[1]], sampled=True)
    assert has_sampled(path)
    assert dict(answers_by_cell(path))["b"]["sampled"].isna().all()


def test_files_that_are_no_answers_are_named(tmp_path):
    path = tmp_path / "answers.parquet"
    with pytest.raises(ReassessError, match=r"missing file .*answers.parquet"):
        list(answers_by_cell(path))
    path.write_text("no parquet")
    with pytest.raises(ReassessError, match=r"answers.parquet is not a readable parquet file"):
        list(answers_by_cell(path))
    answers("a", 1)[KEYS].to_parquet(path)
    with pytest.raises(ReassessError, match="lacks the columns prompt_hash"):
        list(answers_by_cell(path))
