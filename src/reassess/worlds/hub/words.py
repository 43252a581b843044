"""Whether a training row asks what a benchmark's item asks, word by word."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from reassess.worlds.hub.items import HubItem

SAME_QUESTION = "its question is a benchmark's"
SAME_WORDS = "its words are a benchmark's"

SPECIFIC = 12  # tokens of question and options; with fewer, many pictures have the same question
WHOLE = 8  # tokens of a benchmark's question that is looked for inside longer ones
TEMPLATE = 64  # items that share a run of words, above which it is a template of the benchmark

_GROUP = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")  # of thousands
# Letters of scripts that leave no spaces between words, or, as Hangul, none inside long ones: each
# is a token. Thai, jamo, kana, Han with its marks, syllables, half-width forms.
_SPACELESS = (
    r"\u0e01-\u0e3a\u0e40-\u0e4e\u1100-\u11ff\u3005-\u3007\u3041-\u30fa\u30fc-\u318e\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97c\uac00-\ud7fb\uf900-\ufaff\uff66-\uffdc"
    r"\U00020000-\U0003ffff"
)
_TOKEN = re.compile(rf"\d+(?:\.\d+)?|[{_SPACELESS}]|[^\W\d_{_SPACELESS}]+|[^\w\s]|_")
_SILENT = set(".,;:?!\"'`$…“”‘’。、")  # nothing else is asked for their sake
_WORD = re.compile(rf"[{_SPACELESS}]|[^\W{_SPACELESS}]+")

Tokens = tuple[str, ...]


def tokens_of(text: str) -> Tokens:
    """Words, numbers and operators of a text, lower case, without punctuation.

    Of scripts without spaces between words, a letter counts as a word.
    """
    plain = _GROUP.sub("", unicodedata.normalize("NFKC", text).casefold())
    return tuple(token for token in _TOKEN.findall(plain) if token not in _SILENT)


def runs_of(text: str, size: int) -> set[str]:
    """The runs of `size` words of a text, lower case, without punctuation.

    Of scripts without spaces between words, a letter counts as a word.
    """
    words = _WORD.findall(text.casefold())
    return {" ".join(words[start : start + size]) for start in range(len(words) - size + 1)}


class Asked:
    """What an item asks: its question, options and answer as tokens."""

    def __init__(self, item: HubItem) -> None:
        """Split the item's texts."""
        self.question = tokens_of(item.question)
        self.options = frozenset(map(tokens_of, item.option_texts()))
        self.answer = tokens_of(item.answer_text())
        self.pictured = item.image is not None
        self.numbers = Counter(token for token in self.question if token[0].isdigit())

    @property
    def specific(self) -> bool:
        """Whether question and options say enough to be those of one picture only."""
        return (
            len(self.question) + len({one for texts in self.options for one in texts}) >= SPECIFIC
        )

    def answers_as(self, other: Asked) -> bool:
        """Whether the options are the same where both have some, and the answer is, too."""
        both = bool(self.options and other.options)
        return (not both or self.options == other.options) and self.answer == other.answer

    def asks_as(self, other: Asked) -> bool:
        """Whether two items with the same words are the same item.

        Words alone are all of a question without a picture, and its options. With another picture
        the question may be another: options, answer, and enough words decide.
        """
        if self.pictured or other.pictured:
            return self.specific and self.answers_as(other)
        return not (self.options and other.options) or self.options == other.options


class Questions:
    """The questions of benchmarks, which those of training rows are compared with."""

    def __init__(self, items: Sequence[HubItem], size: int) -> None:
        """Take in the items.

        Args:
            items: of all benchmarks.
            size: words of a run that no training row may share.
        """
        self.size = size
        self._asked = [Asked(item) for item in items]
        self._whole: dict[Tokens, list[int]] = {}
        runs: dict[str, list[int]] = {}
        for place, (item, asked) in enumerate(zip(items, self._asked, strict=True)):
            if asked.question:
                self._whole.setdefault(asked.question, []).append(place)
            for run in runs_of(item.question, size):
                runs.setdefault(run, []).append(place)
        self._runs = {run: found for run, found in runs.items() if len(found) <= TEMPLATE}
        self.templates = len(runs) - len(self._runs)
        lengths = {len(question) for question in self._whole}
        self._inside = sorted(length for length in lengths if WHOLE <= length < size)

    @property
    def runs(self) -> int:
        """How many runs of words no row may have."""
        return len(self._runs)

    def copied(self, item: HubItem) -> tuple[int, str] | None:
        """The place of the item that a row repeats, and why it counts as a repetition."""
        row = Asked(item)
        for place in self._whole.get(row.question, ()):
            if row.asks_as(self._asked[place]):
                return place, SAME_QUESTION
        for place in self._held(row):
            if row.answers_as(self._asked[place]):
                return place, SAME_QUESTION
        for place in self._sharing(item):
            one, other = row.numbers, self._asked[place].numbers
            if one <= other or other <= one:  # with other numbers, it is another question
                return place, SAME_WORDS
        return None

    def _held(self, row: Asked) -> Iterator[int]:
        """Yield the items whose whole question stands inside a longer one."""
        for length in self._inside:
            for start in range(len(row.question) - length + 1):
                yield from self._whole.get(row.question[start : start + length], ())

    def _sharing(self, item: HubItem) -> Iterator[int]:
        """Yield the items that share a run of words with a row, each once."""
        places = {
            place for run in runs_of(item.question, self.size) for place in self._runs.get(run, ())
        }
        yield from sorted(places)
