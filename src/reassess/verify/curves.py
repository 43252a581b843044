"""Histories as the level `contents` compares them."""

from __future__ import annotations

from typing import TypeAlias

import pandas as pd

from reassess.grid.cells import Cell
from reassess.grid.study import Grid

Curves: TypeAlias = dict[str, "pd.Series[float]"]  # by metric, values by step
Trained: TypeAlias = tuple[Grid, Cell, Curves]
NOTHING = pd.Series(dtype=float)
