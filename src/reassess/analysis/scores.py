"""The scores of a bundle, of which only what is used is in memory.

A large study has tens of millions of them. A column is read when it is first used, a row group at a
time, and is kept in Arrow's dictionaries and the narrowest integers that hold it; cells become
tables of pandas when they are picked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reassess.core.files import parquet_columns, reading_parquet

if TYPE_CHECKING:
    import pyarrow as pa

WIDTHS = (8, 16, 32)  # bits of an integer, the narrowest first

Chunks = Callable[[Sequence[str]], Iterable["pa.Table"]]  # parts of a table, by columns
Run = tuple[int, int]  # rows of one cell that stand together: the first, and the one after the last


class Scores:
    """A row for each item and cell; see `reassess.analysis.bundle.SCORES` for the columns."""

    def __init__(self, schema: pa.Schema, chunks: Chunks, texts: Iterable[str]) -> None:
        """Start with nothing read.

        Args:
            schema: of the table.
            chunks: reads some columns, a part of the rows at a time.
            texts: the columns of names, which are given as objects.
        """
        self._schema, self._chunks = schema, chunks
        self._texts = frozenset(texts)
        self._held: dict[str, pa.ChunkedArray] = {}

    @classmethod
    def load(cls, path: Path, texts: Iterable[str]) -> Scores:
        """Open the scores of a bundle.

        Args:
            path: a parquet file.
            texts: the columns of names.

        Raises:
            ReassessError: the file is missing or no parquet file; names it.
        """
        import pyarrow.parquet as pq

        texts = frozenset(texts)
        with reading_parquet(path):
            held = [name for name in parquet_columns(path) if name in texts]
            file = pq.ParquetFile(path, read_dictionary=held)

        def chunks(columns: Sequence[str]) -> Iterator[pa.Table]:
            with reading_parquet(path):
                for number in range(file.num_row_groups):
                    yield file.read_row_group(number, columns=list(columns), use_threads=False)

        return cls(file.schema_arrow, chunks, texts)

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, texts: Iterable[str]) -> Scores:
        """The scores of a table in memory."""
        import pyarrow as pa

        table = pa.Table.from_pandas(frame, preserve_index=False)
        return cls(table.schema, lambda columns: [table.select(list(columns))], texts)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self._schema.names)

    @property
    def cells(self) -> list[str]:
        """The cells that have scores, sorted."""
        return sorted(self._runs)

    def __len__(self) -> int:
        """The number of scores."""
        return len(self._column("cell"))

    def of(self, cells: Iterable[str], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The scores of some cells, in the order in which they are stored.

        Args:
            cells: their ids; one without scores adds none.
            columns: those to give; None gives all.
        """
        return self._with_objects(self.coded(cells, columns))

    def coded(self, cells: Iterable[str], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The same, with names as categories, which is faster; their order means nothing."""
        return self._frame(
            sorted(run for cell in cells for run in self._runs.get(cell, ())), columns
        )

    def frame(self) -> pd.DataFrame:
        """All of them: for small studies."""
        return self._with_objects(self._frame([(0, len(self))], None))

    def distinct(self, columns: Sequence[str]) -> pd.DataFrame:
        """The combinations of values that some columns have, in the order of their first rows."""
        import pyarrow as pa

        schema = pa.schema([(name, self._plain(name)) for name in columns])
        found = [
            part.group_by(list(columns), use_threads=False).aggregate([]).cast(schema)
            for part in self._chunks(columns)
            if part.num_rows
        ]
        table = pa.concat_tables(found) if found else schema.empty_table()
        table = table.group_by(list(columns), use_threads=False).aggregate([])
        frame: pd.DataFrame = table.replace_schema_metadata(self._schema.metadata).to_pandas()
        return self._with_objects(frame)

    # --- columns in memory -----------------------------------------------------------------------

    def _plain(self, name: str) -> pa.DataType:
        """The type of a column's values."""
        import pyarrow as pa

        kind = self._schema.field(name).type
        return kind.value_type if pa.types.is_dictionary(kind) else kind

    def _column(self, name: str) -> pa.ChunkedArray:
        import pyarrow as pa

        if name not in self._held:
            parts = [
                _narrow(piece)
                for table in self._chunks([name])
                for piece in table.column(name).chunks
            ]
            kinds = {part.type for part in parts}
            if not parts:
                column = pa.chunked_array([], type=self._schema.field(name).type)
            elif len(kinds) == 1:
                column = pa.chunked_array(parts)
            else:  # the widest that a part needs
                widest = max(kinds, key=lambda kind: _of_dictionary(kind).bit_width)
                column = pa.chunked_array([part.cast(widest) for part in parts])
            self._held[name] = _narrow_dictionaries(column)
        return self._held[name]

    @cached_property
    def _runs(self) -> Mapping[str, list[Run]]:
        """By cell, where its rows stand."""
        runs: dict[str, list[Run]] = {}
        first = 0
        for piece in self._column("cell").chunks:
            names, codes = _encoded(piece)
            ends = [*(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
            start = 0
            for end in ends if len(codes) else []:
                if codes[start] >= 0 and (name := names[codes[start]]) is not None:
                    held = runs.setdefault(str(name), [])
                    if held and held[-1][1] == first + start:
                        held[-1] = held[-1][0], first + end
                    else:
                        held.append((first + start, first + end))
                start = end
            first += len(codes)
        return runs

    def _frame(self, runs: Sequence[Run], columns: Sequence[str] | None) -> pd.DataFrame:
        import pyarrow as pa

        names = self.columns if columns is None else list(columns)
        schema = pa.schema([self._schema.field(name) for name in names])
        taken = {}
        for name, field in zip(names, schema, strict=True):
            column = self._column(name)
            pieces = [
                piece for start, end in runs for piece in column.slice(start, end - start).chunks
            ]
            array = pa.chunked_array(pieces, type=column.type)
            taken[name] = array if name in self._texts else array.cast(field.type)
        table = pa.table(taken).replace_schema_metadata(self._schema.metadata)
        frame: pd.DataFrame = table.to_pandas()
        rows = [np.arange(start, end) for start, end in runs]
        frame.index = pd.Index(np.concatenate(rows) if rows else np.arange(0))
        return frame

    def _with_objects(self, frame: pd.DataFrame) -> pd.DataFrame:
        for name in self._texts & {*map(str, frame)}:
            column = frame[name].astype(object)
            frame[name] = column.where(column.notna(), None)
        return frame


def _of_dictionary(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return kind.index_type if pa.types.is_dictionary(kind) else kind


def _narrow(array: pa.Array) -> pa.Array:
    """Whole numbers in the narrowest type that holds them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_signed_integer(array.type):
        return array
    ends = pc.min_max(array).as_py()
    most = max(abs(value) for value in ends.values()) if ends["min"] is not None else 0
    width = next((bits for bits in WIDTHS if most < 2 ** (bits - 1)), None)
    narrower = width is not None and width < array.type.bit_width
    return array.cast(getattr(pa, f"int{width}")()) if narrower else array


def _narrow_dictionaries(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The parts of a column with one dictionary, and numbers as narrow as it allows."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type) or not column.num_chunks:
        return column
    column = column.unify_dictionaries()
    size = max(len(piece.dictionary) for piece in column.chunks)
    width = next(bits for bits in WIDTHS if size < 2 ** (bits - 1))
    kind = getattr(pa, f"int{width}")()
    return pa.chunked_array(
        [pa.DictionaryArray.from_arrays(p.indices.cast(kind), p.dictionary) for p in column.chunks]
    )


def _encoded(array: pa.Array) -> tuple[list[object], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The different values of an array, and the number of each row's; -1 where it is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    codes = pc.fill_null(array.indices, -1).to_numpy(zero_copy_only=False)
    return array.dictionary.to_pylist(), codes.astype(np.int64)
