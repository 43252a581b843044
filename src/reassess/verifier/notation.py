r"""One spelling for the many ways to write the same answer.

`clean` turns full-width characters, Unicode signs, Markdown, dollar signs, text commands and spacing
commands into one plain form of LaTeX. It changes how an answer is written, never its value.
"""

from __future__ import annotations

import re
import unicodedata

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₍₎", "0123456789+-()")
_SIGNS = {
    "−": "-", "﹣": "-", "‐": "-", "‑": "-", "‒": "-",  # noqa: RUF001
    "×": r"\times ", "✕": r"\times ", "⨯": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ", "•": r"\cdot ",  # noqa: RUF001
    "÷": "/", "∕": "/", "⁄": "/", "∗": "*",  # noqa: RUF001
    "π": r"\pi ", "𝜋": r"\pi ", "∞": r"\infty ", "±": r"\pm ", "∓": r"\mp ",
    "≤": r"\le ", "⩽": r"\le ", "≥": r"\ge ", "⩾": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "≅": r"\cong ", "≡": r"\equiv ",
    "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∉": r"\notin ", "∅": r"\emptyset ", "→": r"\to ", "∠": r"\angle ", "△": r"\triangle ", "Δ": r"\Delta ",
    "⊥": r"\perp ", "∥": r"\parallel ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}",
    "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ", "ε": r"\epsilon ", "θ": r"\theta ", "λ": r"\lambda ",  # noqa: RUF001
    "μ": "μ", "ρ": r"\rho ", "σ": r"\sigma ", "τ": r"\tau ", "φ": r"\phi ", "ϕ": r"\phi ", "ω": r"\omega ",  # noqa: RUF001
    "。": ".", "、": ",", "“": '"', "”": '"', "‘": "'", "’": "'", "′": "'", "〈": r"\langle ", "〉": r"\rangle ",  # noqa: RUF001
    "º": "°", "˚": "°", "\u200b": "", "\u200e": "", "\u200f": "", "\ufeff": "",
}  # fmt: skip
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)))
_VULGAR = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5", "⅙": "1/6", "⅚": "5/6",
    "⅐": "1/7", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8", "⅑": "1/9", "⅒": "1/10",
}  # fmt: skip

_TEXT = re.compile(
    r"\\(?:text|textbf|textrm|textit|textsf|texttt|textnormal|mathrm|mathbf|mathit|mathsf|mathtt|mbox|hbox|bf|rm|it|boldsymbol|bm|emph)"
    r"\s*\{((?:[^{}]|\{[^{}]*\})*)\}"
)
_SPACE = re.compile(
    r"(?<!\\)\\[,;:> ]|\\(?:quad|qquad|thinspace|enspace|nobreakspace)(?![A-Za-z])|~|&nbsp;|\\hspace\*?\{[^{}]*\}"
)
_NOTHING = re.compile(
    r"\\!|\\(?:left|right|big|Big|bigg|Bigg|bigl|bigr|Bigl|Bigr|biggl|biggr|displaystyle|textstyle|limits|nolimits|phantom\{\})(?![A-Za-z])\.?"
)
_RENAMED = (
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\tbinom|\\dbinom"), r"\\binom"),
    (re.compile(r"\\leq(?:slant)?(?![A-Za-z])"), r"\\le"),
    (re.compile(r"\\geq(?:slant)?(?![A-Za-z])"), r"\\ge"),
    (re.compile(r"\\neq(?![A-Za-z])"), r"\\ne"),
    (re.compile(r"\\(?:varnothing)(?![A-Za-z])"), r"\\emptyset"),
    (re.compile(r"\\lbrace(?![A-Za-z])"), r"\\{"),
    (re.compile(r"\\rbrace(?![A-Za-z])"), r"\\}"),
    (re.compile(r"\\(?:lvert|rvert|vert)(?![A-Za-z])"), "|"),
    (re.compile(r"\\lparen(?![A-Za-z])"), "("),
    (re.compile(r"\\rparen(?![A-Za-z])"), ")"),
    (re.compile(r"\\lbrack(?![A-Za-z])"), "["),
    (re.compile(r"\\rbrack(?![A-Za-z])"), "]"),
    (re.compile(r"\\ast(?![A-Za-z])"), "*"),
    (re.compile(r"\\div(?![A-Za-z])"), "/"),
    (re.compile(r"\\(?:colon)(?![A-Za-z])"), ":"),
    (re.compile(r"\\(?:triangle|bigtriangleup)(?![A-Za-z])"), r"\\triangle"),
    (re.compile(r"\\measuredangle|\\measangle|\\sphericalangle"), r"\\angle"),
    (re.compile(r"\\(?:dots|ldots|cdots|dotsc|dotsb)(?![A-Za-z])"), "..."),
    (re.compile(r"\s*(?:\^\s*\{\s*\\circ\s*\}|\^\s*\\circ(?![A-Za-z])|\\degrees?(?![A-Za-z])|\^\s*\{?\s*°\s*\}?)"), "°"),
    (re.compile(r"(?:√|(?<![\\A-Za-z])sqrt)\s*(?:\(([^()]*)\)|\{([^{}]*)\})"), lambda match: rf"\sqrt{{{match[1] or match[2]}}}"),
    (re.compile(r"[∛]\s*(?:\(([^()]*)\)|\{([^{}]*)\}|([0-9]+|[A-Za-z]))"), lambda match: rf"\sqrt[3]{{{match[1] or match[2] or match[3]}}}"),
    (re.compile(r"√\s*([0-9]+(?:\.[0-9]+)?|[A-Za-z])"), r"\\sqrt{\1}"),
    (re.compile(r"\\sqrt\s*([0-9A-Za-z])(?![0-9A-Za-z{]*\])"), r"\\sqrt{\1}"),
    (re.compile(r"\\frac\s*([0-9])\s*([0-9A-Za-z])"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*([0-9])\s*\{"), r"\\frac{\1}{"),
    (re.compile(r"\\frac\s*(\{[^{}]*\})\s*([0-9A-Za-z])"), r"\\frac\1{\2}"),
    (re.compile(r"\*\*(?=\s*[-+({0-9A-Za-z])"), "^"),
    (re.compile(r"\^\s*([-+]?[0-9]{2,}|[-+][0-9])"), r"^{\1}"),
    (re.compile(r"\{\s*\{([^{}]*)\}\s*\}"), r"{\1}"),
    (re.compile(r"\^\s*(\\frac\{[^{}]*\}\{[^{}]*\})"), r"^{\1}"),
    (re.compile(r"\{([,:])\}"), r"\1"),
    (re.compile(r"\{\s*([^{}\\]+?)\s*\\choose\s*([^{}\\]+?)\s*\}"), r"\\binom{\1}{\2}"),
    (re.compile(r"\\binom\s*([0-9A-Za-z])\s*([0-9A-Za-z])"), r"\\binom{\1}{\2}"),
    (re.compile(r"\\log\s*_\s*\{?\s*e\s*\}?(?![A-Za-z])"), r"\\ln "),
    (re.compile(r"\(?\s*(?:\\[pb]?mod|(?<![A-Za-z\\])mod(?:ulo)?)(?![A-Za-z])\s*\{?\s*([0-9A-Za-z]+)\s*\}?\s*\)?"), r" mod \1"),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"(?<=[0-9.\s])[\\]?(?:per\s?cent|percentage points?|pct\.?)(?![A-Za-z])", re.IGNORECASE), "%"),
)  # fmt: skip
_WRAPS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("__", "__"), ("*", "*"), ("`", "`"), ('"', '"'), ("'", "'"))  # fmt: skip
_END = re.compile(
    r"(?:\s|(?<!\\)[.,;:](?<!\.\.\.)|(?<![\\])\\\Z|\\\\|(?<=[A-Za-z])!)+\Z|\A\*\*\s*|\s*\*\*\Z"
)


def clean(text: str) -> str:
    r"""The text in one spelling, without what only decorates it.

    Dollar signs that set mathematics are removed; one that stands for money is kept as `\$`.
    """
    while (plain := _TEXT.sub(_text_content, text)) != text:
        text = plain
    text = _without_dollars(_undecorated(_without_unicode(text)))
    text = re.sub(r",\s*\\!\s*(?=\d{3})", ",", text)
    text = _SPACE.sub(" ", _NOTHING.sub("", text))
    for pattern, replacement in _RENAMED:
        text = pattern.sub(replacement, text)
    return _undecorated(re.sub(r"\s+", " ", text))


def _undecorated(text: str) -> str:
    """The text without wrappers around the whole and punctuation behind it."""
    before = None
    while text != before:
        before = text
        text = _END.sub("", _unwrapped(text.strip()))
    return text


def _without_unicode(text: str) -> str:
    text = re.sub(
        "[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ]+", lambda match: f"^{{{match[0].translate(_SUPERSCRIPTS)}}}", text
    )
    text = re.sub(
        "[₀₁₂₃₄₅₆₇₈₉₊₋₍₎]+", lambda match: f"_{{{match[0].translate(_SUBSCRIPTS)}}}", text
    )
    text = re.sub(
        r"(\d?)\s*([½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒])",
        lambda match: f"{match[1]} {_VULGAR[match[2]]}" if match[1] else _VULGAR[match[2]],
        text,
    )
    text = _SIGN.sub(lambda match: _SIGNS[match[0]], unicodedata.normalize("NFKC", _SIGN.sub(lambda match: _SIGNS[match[0]], text)))  # fmt: skip
    return re.sub(r"(^|[(\[{,=\s])[–—](?=\s?[\d.\\])", r"\1-", text)  # noqa: RUF001 - a dash as minus


def _unwrapped(text: str) -> str:
    """Remove one pair of wrappers around the whole text."""
    for start, end in _WRAPS:
        if (
            len(text) > len(start) + len(end)
            and text.startswith(start)
            and text.endswith(end)
            and not (start == "$" and text.startswith("$$"))
        ):
            inner = text[len(start) : -len(end)]
            if start not in inner and end not in inner and not inner.endswith("\\"):
                return inner
    return text


def _without_dollars(text: str) -> str:
    """Remove dollar signs in pairs; a single one before a digit stands for money."""
    dollars = len(re.findall(r"(?<!\\)\$", text))
    if dollars == 0:
        return text
    if dollars == 1:
        return (
            re.sub(r"(?<!\\)\$\s*(?=[\d.])", r"\\$", text)
            if re.search(r"(?<!\\)\$\s*[\d.]", text)
            else re.sub(r"(?<!\\)\$", "", text)
        )
    if dollars % 2:
        return text
    return re.sub(r"(?<!\\)\$", " ", text)


def _text_content(match: re.Match[str]) -> str:
    """The content of a text command, apart from its neighbours unless an index follows."""
    follows = match.string[match.end() : match.end() + 1]
    return f" {match[1]}" + ("" if follows in "^_" else " ")


def compact(text: str) -> str:
    """A cleaned text without the spaces that separate nothing, for comparison as text."""
    return re.sub(r"(?<![0-9A-Za-z]) | (?![0-9A-Za-z])", "", text)
