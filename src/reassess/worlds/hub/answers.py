r"""Right answers of public sets in one notation, and how each is to be compared.

Sets translated from Chinese keep units (`6√{3}米`), signs (`或`, `；`) and roots without a command
(`√{3}`). `plain` writes them in LaTeX; `kind_of` tells options from mathematics by the question.
"""

from __future__ import annotations

import re

from reassess.worlds.hub.items import Dropped

_UNITS = {
    "千米": "km",
    "公里": "km",
    "分米": "dm",
    "厘米": "cm",
    "毫米": "mm",
    "海里": "nmi",
    "米": "m",
    "公顷": "ha",
    "千克": "kg",
    "公斤": "kg",
    "毫克": "mg",
    "克": "g",
    "吨": "t",
    "小时": "h",
    "时": "h",
    "分钟": "min",
    "秒": "s",
    "天": "days",
    "年": "years",
    "毫升": "mL",
    "升": "L",
    "牛顿": "N",
    "牛": "N",
    "焦耳": "J",
    "焦": "J",
    "千瓦": "kW",
    "瓦特": "W",
    "瓦": "W",
    "伏特": "V",
    "伏": "V",
    "安培": "A",
    "安": "A",
    "欧姆": "Ω",
    "欧": "Ω",
    "帕斯卡": "Pa",
    "帕": "Pa",
    "赫兹": "Hz",
    "摄氏度": "°C",
    "元": "yuan",
}
_POWERS = {"平方": "^2", "立方": "^3"}
_COUNTED = (
    "个只人块条次本张棵名种件组台辆根枚颗位支页"  # measure words: they only name what is counted
)
_SIGNS = str.maketrans(
    {
        "，": ", ",
        "、": ", ",
        "；": "; ",
        "：": ":",
        "（": "(",
        "）": ")",
        "％": "%",
        "－": "-",
        "＝": "=",
        "＜": "<",
        "＞": ">",
        "或": " or ",
        "和": " and ",
        "。": "",
    }
)
_ONE_UNIT = rf"(?:(?:{'|'.join(_POWERS)})?(?:{'|'.join(_UNITS)}))"
_BEHIND_A_VALUE = r"(?<=[0-9a-zπ})\]])\s*"
_UNIT = re.compile(
    rf"{_BEHIND_A_VALUE}({_ONE_UNIT}(?:\s*(?:/|每)\s*{_ONE_UNIT})*)(?![\u4e00-\u9fff])"
)
_DEGREES = re.compile(r"(?<=[0-9])\s*度(?![\u4e00-\u9fff])")
_NOUN = re.compile(rf"(?<=[0-9])\s*[{_COUNTED}](?![\u4e00-\u9fff])")
_ROOT = re.compile(r"√\s*(?:\{|\(([^()]*)\)|([0-9]+(?:\.[0-9]+)?|[A-Za-z]))")
_LENGTH = re.compile(
    r"(?<=[0-9π})])\s*(?P<unit>[kcdm]?m)\s*(?P<power>[²³23]|\^\s*\{?\s*[23]\s*\}?)?\s*\Z"
)
_CHINESE_TEXT = re.compile(r"\\text\s*\{\s*([\u4e00-\u9fff]+)\s*\}")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def plain(answer: str, question: str) -> str:
    r"""A right answer in LaTeX, with units as `\text{ cm}`; the blanks of a question as a tuple.

    Args:
        answer: as its source has it.
        question: tells a metre from a variable m, and in which language the answer has to be.

    Raises:
        Dropped: it is in Chinese, and the question is not.
    """
    text = re.sub(r"\s+", " ", answer.translate(_SIGNS)).strip()
    text = _ROOT.sub(_in_latex, _CHINESE_TEXT.sub(r"\1", text))
    text = _UNIT.sub(_unit, text)
    text = _NOUN.sub("", _DEGREES.sub("°", text))
    text = _LENGTH.sub(lambda match: _length(match, question), text)
    if _CHINESE.search(text) and not _CHINESE.search(question):
        raise Dropped("the answer is in Chinese, the question is not")
    return _in_order(text)


def _in_latex(root: re.Match[str]) -> str:
    content = root[1] or root[2]
    return rf"\sqrt{{{content}}}" if content else r"\sqrt{"


def _unit(match: re.Match[str]) -> str:
    parts: list[str] = []
    for name in re.split(r"\s*(?:/|每)\s*", match[1]):
        power = next((power for prefix, power in _POWERS.items() if name.startswith(prefix)), "")
        unit = _UNITS[name[2:] if power else name]
        parts.append(rf"\text{{{'' if parts else ' '}{unit}}}{power}")
    return "/".join(parts)


def _length(match: re.Match[str], question: str) -> str:
    if match["unit"] == "m" and not match["power"] and not _in_metres(question):
        return match[0]
    digit = re.search(r"[23²³]", match["power"] or "")
    power = f"^{ {'²': '2', '³': '3'}.get(digit[0], digit[0]) }" if digit else ""
    return rf"\text{{ {match['unit']}}}{power}"


def _in_metres(question: str) -> bool:
    """Whether m stands for metres: the word is there, or each lone m is behind a number."""
    if re.search(r"met(?:er|re)s?\b", question, re.IGNORECASE):
        return True
    alone = re.findall(r"([0-9}]\s?)?(?<![A-Za-z\\])m(?![A-Za-z])", question)
    return bool(alone) and all(alone)


# --- several answers -------------------------------------------------------------------------

_SEMICOLON = re.compile(r"\s*;\s*")


def _in_order(text: str) -> str:
    """The answers to several blanks, which semicolons separate, as a tuple: their order counts.

    Named ones (`a = 1; b = 2`) stay as they are.
    """
    parts = [part for part in _SEMICOLON.split(text) if part]
    if len(parts) < 2 or any("=" in part or _has_comma(part) for part in parts):
        return text
    numbered = [
        re.match(rf"\(\s*{place}\s*\)\s*(?=\S)", part) for place, part in enumerate(parts, 1)
    ]
    if all(numbered):
        parts = [part[match.end() :] for part, match in zip(parts, numbered, strict=True) if match]
    return f"({', '.join(parts)})"


def _has_comma(part: str) -> bool:
    """Whether there is a comma outside brackets."""
    return "," in re.sub(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}", "", part)


# --- kinds -----------------------------------------------------------------------------------

_OPTION = re.compile(r"(?:\\text\s*\{\s*)?\(?\s*([A-J])\s*\)?\s*\.?\s*\}?")
_SEVERAL = re.compile(r"[A-J](?:\s*(?:,|and|&)?\s*[A-J])+")


def kind_of(answer: str, question: str) -> tuple[str, str]:
    """The answer to a free question, and its kind: `option`, `options` or `math`.

    A capital letter alone is an option; several are, where the question lists them. Otherwise `AC`
    is a segment, say.
    """
    if option := _OPTION.fullmatch(answer):
        return option[1], "option"
    if _SEVERAL.fullmatch(answer):
        letters = re.findall("[A-J]", answer)
        if letters == sorted(set(letters)) and lists_options(question, letters[-1]):
            return ", ".join(letters), "options"
    return answer, "math"


def lists_options(question: str, last: str) -> bool:
    """Whether a question lists options from A to a letter at least, and three in all."""
    letters = "ABCDEFGHIJ"
    return all(
        re.search(rf"(?<![A-Za-z0-9]){letter}\s*[.):．：、](?!\S*\))|\({letter}\)", question)
        for letter in letters[: max(letters.index(last) + 1, 3)]
    )
