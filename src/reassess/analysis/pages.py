"""Claims and tables as pages of HTML that stand alone, and tables as Markdown and CSV.

Names and errors in them may come from somebody else's bundle: whatever is not seen is escaped, and
nothing becomes markup or a formula.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

import jinja2
import pandas as pd

from reassess.core.files import Json
from reassess.core.text import cell_of_csv, printable

# What the page of claims shows of each, by its heading.
COLUMNS = {
    "claim": "statement",
    "rule": "rule",
    "verdict": "verdict",
    "ours": "estimate",
    "detail": "detail",
    "paper": "paper",
    "certainty of the claim": "certainty",
}
CLAIMS = """\
<!doctype html><meta charset='utf-8'><style>body{font-family:sans-serif}\
table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:4px 8px;text-align:left}</style>\
<table><tr>{% for name in columns %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in rows -%}
<tr>{% for cell in row %}<td>{{ cell | escape }}</td>{% endfor %}</tr>
{%- if not loop.last %}
{% endif %}{% endfor %}</table>
"""
TABLE = """\
<!doctype html><meta charset='utf-8'><style>body{font-family:sans-serif;font-size:14px}\
table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:3px 8px}</style>
<p>{{ caption }}</p>
{{ table }}
"""

_MARKUP = re.compile(r"([\\`*\[\]!|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")  # of Markdown


def _page(template: str, **content: object) -> str:
    # Bytes of published pages are compared: jinja2's own `escape` writes a quote as &#39;, the
    # standard library's, which they were written with, as &#x27;.
    environment = jinja2.Environment(autoescape=False, keep_trailing_newline=True)
    environment.filters["escape"] = _harmless
    return environment.from_string(template).render(**content)


def _harmless(value: object) -> str:
    return escape(printable(value))


def claims_page(claims: Sequence[Json]) -> str:
    """The claims, given as in `claims.json`, as one page."""
    rows = [
        [_points(claim[key]) if key == "estimate" else claim[key] for key in COLUMNS.values()]
        for claim in claims
    ]
    return _page(CLAIMS, columns=list(COLUMNS), rows=rows)


def _points(estimate: Mapping[str, float] | None) -> str:
    """Percentage points, their interval, and what it rests on."""
    if estimate is None:
        return ""
    value, low, high = (100 * float(estimate[key]) for key in ("value", "low", "high"))
    seeds = int(estimate["seeds"])
    basis = (
        f"{seeds} pairs of runs" if seeds > 1 else "1 pair of runs: the interval covers items alone"
    )
    return f"{value:+.1f} points [{low:+.1f}, {high:+.1f}]; {basis}"


def table_page(table: pd.DataFrame, caption: str) -> str:
    """A table with its caption as one page."""
    shown = _shown(table).to_html(index=False, na_rep="", border=0)
    return _page(TABLE, caption=caption, table=shown)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table with all its text printable."""
    return table.rename(columns=printable).map(
        lambda value: printable(value) if isinstance(value, str) else value
    )


def as_csv(table: pd.DataFrame) -> str:
    """A table as CSV in which a spreadsheet finds no formula; numbers stay as they are."""
    text: str = table.rename(columns=cell_of_csv).map(cell_of_csv).to_csv(index=False)
    return text


def as_markdown(table: pd.DataFrame) -> str:
    """A table in Markdown.

    `DataFrame.to_markdown` pads cells to the width of their column: a changed cell would change
    every line, and the bytes of published tables are compared.
    """
    head = f"| {' | '.join(map(_in_markdown, table.columns))} |\n|{'---|' * len(table.columns)}\n"
    rows = [list(map(_in_markdown, row)) for row in table.itertuples(index=False)]
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _in_markdown(value: object) -> str:
    """A value as text of a Markdown cell: no markup, no link, no second cell."""
    text = _MARKUP.sub(r"\\\1", printable(value).replace("&", "&amp;").replace("<", "&lt;"))
    return text.replace("\n", "<br>")
