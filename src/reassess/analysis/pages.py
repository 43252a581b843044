"""Claims and tables as pages of HTML that stand alone, and tables as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import jinja2
import pandas as pd

from reassess.core.files import Json

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


def _page(template: str, **content: object) -> str:
    # Bytes of published pages are compared: jinja2's own `escape` writes a quote as &#39;, the
    # standard library's, which they were written with, as &#x27;.
    environment = jinja2.Environment(autoescape=False, keep_trailing_newline=True)
    environment.filters["escape"] = escape
    return environment.from_string(template).render(**content)


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
    return _page(TABLE, caption=caption, table=table.to_html(index=False, na_rep="", border=0))


def as_markdown(table: pd.DataFrame) -> str:
    """A table in Markdown.

    `DataFrame.to_markdown` pads cells to the width of their column: a changed cell would change
    every line, and the bytes of published tables are compared.
    """
    head = f"| {' | '.join(map(str, table.columns))} |\n|{'---|' * len(table.columns)}\n"
    rows = [
        [str(value).replace("\n", "<br>").replace("|", "\\|") for value in row]
        for row in table.itertuples(index=False)
    ]
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)
