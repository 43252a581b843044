"""Text as it is shown: tables, and text of unknown origin made harmless.

What a model wrote, and what stands in somebody else's bundle or log, may hold sequences that a
terminal obeys, characters that show a line in another order than it is stored, or a formula that a
spreadsheet runs. It is stored as it is, and made harmless where it is shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 400  # wide enough that nothing is cut: a terminal or a pager wraps

# Controls; formats, among them bidirectional ones; surrogates; private use; unassigned; and the
# separators of lines and paragraphs. Ordinary text has none of them but the joiners.
UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
JOINERS = "\u200c\u200d"  # Persian, Indic scripts and composed emoji are written with these
# What a spreadsheet takes for the beginning of a formula, where no number follows.
_FORMULA = re.compile(r"\s*[=+\-@\t\r|]")
_NUMBER = re.compile(r"\s*[+-]?[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?(?: ± [0-9.]+)?(?: ?%)?\s*")


def printable(text: object, *, lines: bool = True) -> str:
    """Text without any character that is not seen: each is shown as an escape, such as `\\x1b`.

    Args:
        text: anything; its `str` is taken.
        lines: whether line ends and tabs may stay.
    """
    kept = JOINERS + ("\n\t" if lines else "")
    return "".join(
        one if one in kept or unicodedata.category(one) not in UNSEEN else _escape(one)
        for one in str(text)
    )


def _escape(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def cell_of_csv(value: object) -> object:
    """A value as a CSV file may hold it: text that a spreadsheet would run begins with `'`."""
    if not isinstance(value, str):
        return value
    shown = printable(value)
    runs = _FORMULA.match(shown) and not _NUMBER.fullmatch(shown)
    return f"'{shown}" if runs else shown


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in columns, the first aligned left and all others right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(header))
    for number, name in enumerate(header):
        table.add_column(
            printable(name, lines=False), justify="left" if number == 0 else "right", no_wrap=True
        )
    for row in rows:
        table.add_row(*(Text(printable(value, lines=False)) for value in row))
    out = StringIO()
    Console(file=out, width=WIDTH, color_system=None, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())
