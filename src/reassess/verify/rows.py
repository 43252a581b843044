"""What the rows of a table say together, gathered a part of them at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

LARGEST = 2**62  # of the numbers that keys are packed into


@dataclass
class Used:
    """Values that a column's dictionary holds and no row has: pandas shows them as categories."""

    held: dict[str, set[object]] = field(default_factory=dict)
    used: dict[str, set[object]] = field(default_factory=dict)

    def add(self, table: pa.Table) -> None:
        """Take in some rows."""
        import pyarrow as pa
        import pyarrow.compute as pc

        for column in table.column_names:
            if not pa.types.is_dictionary(table[column].type):
                continue
            held = self.held.setdefault(column, set())
            for chunk in table[column].chunks:
                held.update(chunk.dictionary.to_pylist())
            values = pc.unique(table[column]).dictionary_decode().drop_null()
            self.used.setdefault(column, set()).update(values.to_pylist())

    def problems(self) -> Iterator[str]:
        """Yield the columns with such values."""
        for column, held in self.held.items():
            if unused := held - self.used[column]:
                yield f"column {column} has values that no row has ({sorted(map(repr, unused))[0]})"


@dataclass
class Keys:
    """The keys of all rows, as numbers: rows of one key, and rows out of order.

    Attributes:
        names: the columns of the key.
        numbers: by column, the number of each value, in the order in which values are first seen.
        codes: by column, for each part of the rows, the numbers of their values.
    """

    names: Sequence[str]
    numbers: dict[str, dict[object, int]] = field(default_factory=dict)
    codes: dict[str, list[NDArray[np.int32]]] = field(default_factory=dict)

    def add(self, table: pa.Table) -> None:
        """Take in some rows."""
        import pyarrow as pa

        for name in self.names:
            numbers = self.numbers.setdefault(name, {})
            parts = self.codes.setdefault(name, [])
            for chunk in table[name].chunks:
                coded = chunk
                if not pa.types.is_dictionary(chunk.type):
                    coded = chunk.dictionary_encode(null_encoding="encode")
                values = [*coded.dictionary.to_pylist(), None]
                own = [numbers.setdefault(value, len(numbers)) for value in values[:-1]]
                indices = coded.indices
                if indices.null_count:
                    own.append(numbers.setdefault(None, len(numbers)))
                    indices = indices.fill_null(len(own) - 1)
                places = indices.to_numpy(zero_copy_only=False)
                parts.append(np.asarray(own, dtype=np.int32)[places])

    def problems(self) -> Iterator[str]:
        """Yield the keys that more than one row has, and whether rows are out of order."""
        if not self.codes or not sum(map(len, self.codes[self.names[0]])):
            return
        order = {name: _in_order(self.numbers[name]) for name in self.names}
        packed = self._packed(order)
        steps = np.diff(packed)
        if (steps > 0).all():
            return
        yield from (f"{' '.join(map(str, key))}: more than one row" for key in self._twice(packed))
        if (steps < 0).any():
            yield f"its rows are not in the order of {', '.join(self.names)}"

    def _packed(self, order: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        """For each row a number; they are in the order of the keys, and equal where those are."""
        packed = np.zeros(sum(map(len, self.codes[self.names[0]])), dtype=np.int64)
        bound = 1
        for name in self.names:
            size = len(order[name])
            if bound * size > LARGEST:  # the keys so far, without gaps
                values, packed = np.unique(packed, return_inverse=True)
                bound = len(values)
            bound *= size
            packed *= size
            start = 0
            for part in self.codes[name]:
                packed[start : start + len(part)] += order[name][part]
                start += len(part)
        return packed

    def _twice(self, packed: NDArray[np.int64]) -> Iterator[tuple[object, ...]]:
        """Yield the keys that more than one row has, in the order of their second rows."""
        again = np.flatnonzero(pd.Series(packed).duplicated().to_numpy())
        values = {name: list(self.numbers[name]) for name in self.names}
        codes = {name: np.concatenate(self.codes[name])[again] for name in self.names}
        yield from dict.fromkeys(
            tuple(values[name][codes[name][place]] for name in self.names)
            for place in range(len(again))
        )


def _in_order(numbers: Mapping[object, int]) -> NDArray[np.int64]:
    """By the number of a value, its place among all values; a missing one is the last."""
    order = np.empty(len(numbers), dtype=np.int64)
    some = sorted(value for value in numbers if value is not None)  # type: ignore[type-var]
    for place, value in enumerate([*some, *([None] if None in numbers else [])]):
        order[numbers[value]] = place
    return order


@dataclass
class Values:
    """Numbers out of range, and rows that contradict themselves.

    Attributes:
        numbers: the columns of numbers.
        negative: those that may be below zero.
        states: what a cell's status may be.
    """

    numbers: Collection[str]
    negative: Collection[str]
    states: Sequence[str]
    _wrong: dict[str, tuple[str, int]] = field(default_factory=dict)
    _lacking: str | None = None
    _rows: dict[str, list[str]] = field(default_factory=dict)

    def add(self, frame: pd.DataFrame) -> None:
        """Take in some rows."""
        for column in self.numbers:
            if column in frame:
                self._range(frame, column)
        if "value" in frame and self._lacking is None and frame["value"].isna().any():
            cell = frame["cell"][frame["value"].isna()].iloc[0]
            self._lacking = f"{cell}: value is no number"
        for kind, found in (
            ("samples", _too_many_right(frame)),
            ("undecided", _undecided_and_right(frame)),
            ("status", self._unknown_states(frame)),
        ):
            self._rows.setdefault(kind, []).extend(found)

    def problems(self) -> Iterator[str]:
        """Yield what was found."""
        for column in self.numbers:
            if column in self._wrong:
                first, count = self._wrong[column]
                yield f"{first} ({count} such values)"
        if self._lacking is not None:
            yield self._lacking
        for found in self._rows.values():
            yield from dict.fromkeys(found)

    def _range(self, frame: pd.DataFrame, column: str) -> None:
        numbers = frame[column].dropna().astype(float)
        lowest = -np.inf if column in self.negative else 0
        wrong = numbers[~np.isfinite(numbers) | (numbers < lowest)]
        if not wrong.empty:
            cell = frame.loc[wrong.index[0], "cell"]
            first, count = self._wrong.get(column, (f"{cell}: {column} is {wrong.iloc[0]}", 0))
            self._wrong[column] = first, count + len(wrong)

    def _unknown_states(self, frame: pd.DataFrame) -> Iterator[str]:
        if "status" in frame:
            for row in frame[~frame["status"].isin(self.states)].itertuples():
                yield f"{row.cell}: status is {row.status!r}, not {' or '.join(self.states)}"


def _too_many_right(frame: pd.DataFrame) -> Iterator[str]:
    if {"samples", "sampled_correct"} <= set(frame):
        cells = frame.loc[frame["sampled_correct"] > frame["samples"], "cell"].unique()
        yield from (f"{cell}: more samples are right than drawn" for cell in cells)


def _undecided_and_right(frame: pd.DataFrame) -> Iterator[str]:
    if "undecided" in frame:
        for row in frame[frame["undecided"].eq(True) & frame["correct"]].itertuples():
            yield f"{row.cell} {row.benchmark} {row.item}: undecided, and yet right"
