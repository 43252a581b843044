r"""One spelling for the many ways to write the same answer.

`clean` turns full-width characters, Unicode signs, Markdown, dollar signs, text commands and
spacing commands into one plain form of LaTeX. It changes how an answer is written, never its value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₍₎", "0123456789+-()")
_SIGNS = {
    **dict.fromkeys("−﹣‐‑‒", "-"),
    **dict.fromkeys("×✕⨯", r"\times "),
    **dict.fromkeys("·⋅∙•", r"\cdot "),
    **dict.fromkeys("÷∕⁄", "/"),
    **dict.fromkeys("º˚", "°"),
    **dict.fromkeys("“”", '"'),
    **dict.fromkeys("‘’′", "'"),
    **dict.fromkeys("φϕ", r"\phi "),
    **dict.fromkeys("\u200b\u200e\u200f\ufeff", ""),
    "∗": "*",
    "。": ".",
    "、": ",",
    "π": r"\pi ",
    "∞": r"\infty ",
    "±": r"\pm ",
    "∓": r"\mp ",
    "≤": r"\le ",
    "⩽": r"\le ",
    "≥": r"\ge ",
    "⩾": r"\ge ",
    "≠": r"\ne ",
    "≈": r"\approx ",
    "≅": r"\cong ",
    "≡": r"\equiv ",
    "∪": r"\cup ",
    "∩": r"\cap ",
    "∈": r"\in ",
    "∉": r"\notin ",
    "∅": r"\emptyset ",
    "→": r"\to ",
    "⊂": r"\subset ",
    "⊆": r"\subseteq ",
    "∧": r"\land ",
    "∠": r"\angle ",
    "△": r"\triangle ",
    "Δ": r"\Delta ",
    "⊥": r"\perp ",
    "∥": r"\parallel ",
    "ℝ": r"\mathbb{R}",
    "ℤ": r"\mathbb{Z}",
    "ℕ": r"\mathbb{N}",
    "ℚ": r"\mathbb{Q}",
    "α": r"\alpha ",
    "β": r"\beta ",
    "γ": r"\gamma ",
    "δ": r"\delta ",
    "ε": r"\epsilon ",
    "θ": r"\theta ",
    "λ": r"\lambda ",
    "ρ": r"\rho ",
    "σ": r"\sigma ",
    "τ": r"\tau ",
    "ω": r"\omega ",
    "〈": r"\langle ",
    "〉": r"\rangle ",
}
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)))
_VULGAR = {
    fraction: unicodedata.normalize("NFKC", fraction).replace("⁄", "/")
    for fraction in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
}

_OF_ANGLE = r"(\\(?:sin|cos|tan|cot|sec|csc)\s*)"  # three points behind it name an angle
_TEXT_COMMANDS = (
    "text|textbf|textrm|textit|textsf|texttt|textnormal|mathrm|mathbf|mathit|mathsf|mathtt|mbox"
    "|hbox|bf|rm|it|boldsymbol|bm|emph|underline"
)
_TEXT = re.compile(rf"\\(?:{_TEXT_COMMANDS})\s*\{{((?:[^{{}}]|\{{[^{{}}]*\}})*)\}}")
_SPACE = re.compile(
    r"(?<!\\)\\[,;:> ]|\\(?:quad|qquad|thinspace|enspace|nobreakspace)(?![A-Za-z])"
    r"|~|&nbsp;|\\hspace\*?\{[^{}]*\}"
)
_NOTHING = re.compile(
    r"\\!|\\(?:left|right|(?:big|Big|bigg|Bigg)[lr]?|displaystyle|textstyle|limits|nolimits)"
    r"(?![A-Za-z])\.?"
)
_STYLE = re.compile(
    r"\\(?:text)?color\s*\{[^{}]*\}|\\colorbox\s*\{[^{}]*\}"
    r"|\\(?:rm|bf|it|sf|tt|sl|tiny|scriptsize|footnotesize|small|normalsize|[lL]arge|LARGE|[hH]uge)"
    r"(?![A-Za-z])"
)
_ALIGNED = re.compile(
    r"\\begin\{(aligned|align\*?|gathered)\}((?:(?!\\\\).)*)\\end\{\1\}", re.DOTALL
)
_GROUP_SPACE = re.compile(r",\s*\\!\s*(?=\d{3})")


def _command(names: str) -> re.Pattern[str]:
    return re.compile(rf"\\(?:{names})(?![A-Za-z])")


def _root(degree: str) -> Callable[[re.Match[str]], str]:
    """The root of whichever group of a match holds what the root is of."""
    return lambda match: rf"\sqrt{degree}{{{next(filter(None, match.groups()), '')}}}"


_RENAMED: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (_command("[dtc]frac"), r"\\frac"),
    (_command("[td]binom"), r"\\binom"),
    (_command("leq(?:slant)?"), r"\\le"),
    (_command("geq(?:slant)?"), r"\\ge"),
    (_command("neq"), r"\\ne"),
    (_command("varnothing"), r"\\emptyset"),
    (_command("lbrace"), r"\\{"),
    (_command("rbrace"), r"\\}"),
    (_command("[lr]?vert"), "|"),
    (_command("lparen"), "("),
    (_command("rparen"), ")"),
    (_command("lbrack"), "["),
    (_command("rbrack"), "]"),
    (_command("ast"), "*"),
    (re.compile(r"(?<![A-Za-z])m\s*(?=\\angle)"), ""),
    (re.compile(rf"{_OF_ANGLE}\(\s*([A-Z]{{3}})\s*\)"), r"\1\\angle \2"),
    (re.compile(rf"{_OF_ANGLE}([A-Z]{{3}})(?![A-Za-z])"), r"\1\\angle \2"),
    (_command("Omega"), "Ω"),
    (re.compile(r"(?<=[0-9])\s*\\mu\s*(?=[mgsLFAVC](?![A-Za-z]))"), " μ"),
    (_command("wedge"), r"\\land"),
    (re.compile(r"(\\max|\\min|\\gcd)\s*\\\{([^{}\\]*)\\\}"), r"\1(\2)"),
    (_command("rightarrow"), r"\\to"),
    (re.compile(r"\\(vec|hat|bar|overline)\s+([A-Za-z])"), r"\\\1{\2}"),
    (_command("div"), "/"),
    (_command("colon"), ":"),
    (_command("bigtriangleup"), r"\\triangle"),
    (_command("measuredangle|measangle|sphericalangle"), r"\\angle"),
    (_command("dots|ldots|cdots|dotsc|dotsb"), "..."),
    (
        re.compile(
            r"\s*(?:\^\s*\{\s*\\circ\s*\}|\^\s*\\circ(?![A-Za-z])"
            r"|\\degrees?(?![A-Za-z])|\^\s*\{?\s*°\s*\}?)"
        ),
        "°",
    ),
    # Roots: of what is in brackets, of a number or a letter.
    (
        re.compile(r"(?:√|(?<![\\A-Za-z])sqrt)\s*(?:\(([^()]*)\)|\{([^{}]*)\})"),
        _root(""),
    ),
    (re.compile(r"∛\s*(?:\(([^()]*)\)|\{([^{}]*)\}|([0-9]+|[A-Za-z]))"), _root("[3]")),
    (re.compile(r"√\s*([0-9]+(?:\.[0-9]+)?|[A-Za-z])"), _root("")),
    (re.compile(r"\\sqrt\s*([0-9A-Za-z])(?![0-9A-Za-z{]*\])"), _root("")),
    # Commands whose arguments are written without braces.
    (re.compile(r"\\frac\s*([0-9])\s*([0-9A-Za-z])"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*([0-9])\s*\{"), r"\\frac{\1}{"),
    (re.compile(r"\\frac\s*(\{[^{}]*\})\s*([0-9A-Za-z])"), r"\\frac\1{\2}"),
    (re.compile(r"\\binom\s*([0-9A-Za-z])\s*([0-9A-Za-z])"), r"\\binom{\1}{\2}"),
    (
        re.compile(r"\{?\s*([^{}\\]+?)\s*\\choose\s*([^{}\\]+?)\s*(?:\}|\Z)"),
        r"\\binom{\1}{\2}",
    ),
    (re.compile(r"\*\*(?=\s*[-+({0-9A-Za-z])"), "^"),
    (re.compile(r"\^\s*([-+]?[0-9]{2,}|[-+][0-9])"), r"^{\1}"),
    (re.compile(r"\{\s*\{([^{}]*)\}\s*\}"), r"{\1}"),
    (re.compile(r"\{([0-9.]+)\}(?=\s*_)"), r"\1"),
    (
        re.compile(
            r"[(\[]\s*\\begin\{array\}(?:\{[^{}]*\})?(.*?)\\end\{array\}\s*[)\]]", re.DOTALL
        ),
        r"\\begin{pmatrix}\1\\end{pmatrix}",
    ),
    (re.compile(r"\^\s*(\\frac\{[^{}]*\}\{[^{}]*\})"), r"^{\1}"),
    (re.compile(r"\s*\{\s*([,:])\s*\}"), r"\1"),
    (re.compile(r"\\log\s*_\s*\{?\s*e\s*\}?(?![A-Za-z])"), r"\\ln "),
    (
        re.compile(
            r"\(?\s*(?:\\[pb]?mod|(?<![A-Za-z\\])mod(?:ulo)?)(?![A-Za-z])"
            r"\s*\{?\s*([0-9A-Za-z]+)\s*\}?\s*\)?"
        ),
        r" mod \1",
    ),
    (re.compile(r"\\%"), "%"),
    (
        re.compile(
            r"(?<=[0-9.\s])\\?(?:per\s?cent|percentages?(?: points?)?|pct\.?)(?![A-Za-z])",
            re.IGNORECASE,
        ),
        "%",
    ),
)
_LONE_END = re.compile(r"\s*(?:\\[\])]|[*`])\Z")
_WRAPS = (
    ("``", "''"),
    ("{", "}"),
    *((sign, sign) for sign in ("$$", "$", "**", "__", "*", "`", '"', "'")),
    (r"\(", r"\)"),
    (r"\[", r"\]"),
)
_END = re.compile(
    r"(?:\s|(?<!\\)[.,;:](?<!\.\.\.)|(?<![\\])\\\Z|\\\\|(?<=[A-Za-z*])!|[\u2600-\u27bf\U0001f000-\U0001faff\ufe0f])+\Z|\A\*\*\s*|\s*\*\*\Z"
)


def clean(text: str) -> str:
    r"""The text in one spelling, without what only decorates it.

    Dollar signs that set mathematics are removed; one that stands for money is kept as `\$`.
    """
    text = _STYLE.sub("", re.sub(r"\s+", " ", text))  # runs of spaces make patterns slow
    text = _ALIGNED.sub(lambda match: match[2].replace("&", ""), text)
    while (plain := _TEXT.sub(_text_content, text)) != text:
        text = plain
    text = _without_dollars(_undecorated(_without_unicode(text)))
    text = _GROUP_SPACE.sub(",", text)
    text = re.sub(r"\s+", " ", _SPACE.sub(" ", _NOTHING.sub("", text)))
    for pattern, replacement in _RENAMED:
        text = pattern.sub(replacement, text)
    return _undecorated(re.sub(r"\s+", " ", text))


def _undecorated(text: str) -> str:
    """The text without wrappers around the whole and punctuation behind it."""
    before = None
    while text != before:
        before = text
        text = _END.sub("", _unwrapped(text.strip()))
        end = _LONE_END.search(text)
        if end is not None and not re.search(r"\\[\[(]|[*`]", text[: end.start()]):
            text = text[: end.start()]
    return text


def _without_unicode(text: str) -> str:
    """With ASCII and LaTeX for Unicode's digits, letters and signs; twice, around NFKC."""
    text = re.sub(
        "([⁰¹²³⁴⁵⁶⁷⁸⁹]+)⁄([₀₁₂₃₄₅₆₇₈₉]+)",
        lambda match: f"{match[1].translate(_SUPERSCRIPTS)}/{match[2].translate(_SUBSCRIPTS)}",
        text,
    )
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
    text = _with_plain_signs(unicodedata.normalize("NFKC", _with_plain_signs(text)))
    return re.sub(r"(^|[(\[{,=\s])[–—](?=\s?[\d.\\])", r"\1-", text)


def _with_plain_signs(text: str) -> str:
    return _SIGN.sub(lambda match: _SIGNS[match[0]], text)


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


_DOLLAR = re.compile(r"(?<!\\)\$")
_MONEY = re.compile(r"(?<!\\)\$\s*(?=[\d.])")


def _without_dollars(text: str) -> str:
    """Remove dollar signs in pairs; a single one before a digit stands for money."""
    dollars = len(_DOLLAR.findall(text))
    if dollars == 1:
        return _MONEY.sub(r"\\$", text) if _MONEY.search(text) else _DOLLAR.sub("", text)
    return text if dollars % 2 else _DOLLAR.sub(" ", text)


def _text_content(match: re.Match[str]) -> str:
    """The content of a text command, apart from its neighbours unless an index follows."""
    follows = match.string[match.end() : match.end() + 1]
    return f" {match[1]}" + ("" if follows in "^_" else " ")


def compact(text: str) -> str:
    """A cleaned text without the spaces that separate nothing, for comparison as text."""
    return re.sub(r"(?<![0-9A-Za-z]) | (?![0-9A-Za-z])", "", text)
