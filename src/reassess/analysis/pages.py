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

COLUMNS = ("claim", "verdict", "ours", "by model", "it can see", "published", "rule")
CLAIMS = """\
<!doctype html><meta charset='utf-8'><title>Claims</title><style>
body{font-family:sans-serif;font-size:14px;max-width:1500px}table{border-collapse:collapse}
td,th{border:1px solid #ccc;padding:5px 8px;text-align:left;vertical-align:top}
.small{color:#444;font-size:12px}.verdict{font-weight:bold}td div{margin-bottom:4px}
</style>
<p>{{ about | escape }}</p>
<table><tr>{% for name in columns %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in rows -%}
<tr>{% for cell in row %}<td>{% for kind, line in cell -%}
<div class='{{ kind }}'>{{ line | escape }}</div>{% endfor %}</td>{% endfor %}</tr>
{% endfor %}</table>
"""
ABOUT = (
    "Each claim stands in a file with its rule. The verdict is adjusted for all claims of a family "
    "(Holm); the one without adjustment stands beside it. Intervals are at 95 %. An estimate is of "
    "these models, with equal weight; shares of runs weigh each run alike. A run is one (model, "
    "seed)."
)
TABLE = """\
<!doctype html><meta charset='utf-8'><style>body{font-family:sans-serif;font-size:14px}\
table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:3px 8px}</style>
<p>{{ caption }}</p>
{{ table }}
"""

LISTED = 6  # names in a line
_MARKUP = re.compile(r"([\\`*\[\]!|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")  # of Markdown


def _page(template: str, **content: object) -> str:
    # Bytes of published pages are compared: jinja2's own `escape` writes a quote as &#39;, the
    # standard library's, which they were written with, as &#x27;.
    environment = jinja2.Environment(autoescape=False, keep_trailing_newline=True)
    environment.filters["escape"] = _harmless
    return environment.from_string(template).render(**content)


def _harmless(value: object) -> str:
    return escape(printable(value))


Lines = list[tuple[str, str]]  # of a cell of the table: how each line is shown, and the line


def claims_page(claims: Sequence[Json]) -> str:
    """The claims, given as in `claims.json`, as one page."""
    return _page(CLAIMS, columns=COLUMNS, about=ABOUT, rows=[_row(claim) for claim in claims])


def _row(claim: Json) -> list[Lines]:
    if "statement" not in claim:  # withdrawn: nothing else is known of it
        said: Lines = [("verdict", claim["verdict"]), ("small", claim["reason"])]
        return [[("", claim["id"]), ("small", claim["registered"])], said, [], [], [], [], []]
    return [
        [
            ("", claim["statement"]),
            ("small", f"{claim['id']}, version {claim['version']} of {claim['date']}"),
            ("small", _registered(claim["registered"])),
        ],
        _verdict(claim),
        _ours(claim),
        [_model(one, claim["unit"]) for one in claim["models"]] + _heterogeneity(claim),
        _sight(claim),
        [("", claim["published"]["text"]), ("small", f"{claim['source']} ({claim['certainty']})")],
        [("small", claim["rule"])],
    ]


def _registered(state: str | None) -> str:
    return state or "no run tests it"


def _verdict(claim: Json) -> Lines:
    lines: Lines = [("verdict", claim["verdict"])]
    if claim["p"] is not None:
        lines += [
            ("small", f"alone: {claim['alone']}"),
            (
                "small",
                f"p = {claim['p']:.2g}, adjusted for {claim['family']['claims']} claims "
                f"{claim['adjusted_p']:.2g}",
            ),
        ]
    return lines + ([("small", claim["reason"])] if claim["reason"] else [])


def _ours(claim: Json) -> Lines:
    lines: Lines = []
    if claim["estimate"] is not None:
        lines.append(("", shown_interval(claim["estimate"], claim["unit"])))
        basis = "items only, one run" if claim["items_only"] else ", ".join(claim["covers"])
        beyond = f"; not {', '.join(claim['not_covered'])}" if claim["not_covered"] else ""
        lines.append(("small", f"the interval covers {basis}{beyond}"))
    if claim["runs"]:
        runs = f"{claim['runs']} run{'s' if claim['runs'] > 1 else ''}"
        lines.append(("small", f"{runs}, {claim['items']} items"))
    if claim["detail"]:
        lines.append(("small", claim["detail"]))
    for side, spent in claim["budgets"].items():
        if spent["updates"] is not None:
            lines.append(
                ("small", f"{side}: {spent['updates']:g} updates, {spent['flops'] or 0:.2g} FLOPs")
            )
    if missing := claim["missing"]:
        lines.append(("small", f"{len(missing)} planned cells are missing: {_some(missing)}"))
    return lines


def _model(one: Json, unit: str) -> tuple[str, str]:
    """A model, its runs, and its own estimate or counts."""
    runs = f"{one['runs']} run{'' if one['runs'] == 1 else 's'}"
    if one["runs"] != one["planned"]:
        runs += f" of {one['planned']}"
    own = "" if one["estimate"] is None else f": {shown_interval(one['estimate'], unit)}"
    return "small", f"{one['model']} ({runs}){own}{': ' if one['detail'] else ''}{one['detail']}"


def _heterogeneity(claim: Json) -> Lines:
    found = claim["heterogeneity"]
    if found is None or found["statistic"] is None:
        return []
    test = f"F({found['between']:g}, {found['within']:.2g}) = {found['statistic']:.2g}"
    return [("small", f"do models differ? {test}, p = {found['p']:.2g}")]


def _sight(claim: Json) -> Lines:
    return [("", sight)] if (sight := shown_sight(claim)) else []


def shown_sight(claim: Json) -> str:
    """The smallest effect that a claim's test would have found; empty where there is none."""
    if claim["detectable"] is None or claim["items_only"]:
        return ""
    if claim["unit"] == "ratio":
        return f"a factor of {claim['detectable']:.2f}"
    return f"{100 * claim['detectable']:.1f} points"


def shown_interval(estimate: Mapping[str, float], unit: str) -> str:
    """An estimate with its interval, in percentage points or as a ratio."""
    if unit == "ratio":
        value, low, high = (float(estimate[key]) for key in ("value", "low", "high"))
        return f"{value:.2f} [{low:.2f}, {high:.2f}]"
    value, low, high = (100 * float(estimate[key]) for key in ("value", "low", "high"))
    if unit == "percent":
        return f"{value:.1f} % [{low:.1f}, {high:.1f}]"
    return f"{value:+.1f} points [{low:+.1f}, {high:+.1f}]"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:LISTED]) + (" ..." if len(names) > LISTED else "")


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
