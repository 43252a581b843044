"""What benchmarks hold, to keep it out of training: their pictures and their questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from reassess.worlds.hub.copies import Comparison, Pictures
from reassess.worlds.hub.items import HubItem
from reassess.worlds.hub.likeness import Likeness
from reassess.worlds.hub.pictures import EVEN_PICTURE, Marks
from reassess.worlds.hub.words import Questions

SAME_PICTURE = "its picture is a benchmark's"

Gallery = Mapping[str, Marks]  # by an item's id, what is kept of its picture
Compare = Callable[[Iterable[Comparison]], Iterable[Likeness]]


class Leak(NamedTuple):
    """Why a row is left out.

    Attributes:
        reason: what it shares.
        item: the id of the benchmark's item with which it does.
    """

    reason: str
    item: str


class Screen:
    """The items of all benchmarks, in the form in which rows are compared with them."""

    def __init__(self, tests: Mapping[str, Sequence[HubItem]], gallery: Gallery, size: int) -> None:
        """Take in the items of all benchmarks.

        Args:
            tests: items of each benchmark.
            gallery: marks of their pictures.
            size: words of a run that no training row may share.
        """
        self._items = [item for split in tests.values() for item in split]
        self._questions = Questions(self._items, size)
        first: dict[Marks, str] = {}  # many items may be about one picture
        for item in self._items:
            marks = gallery.get(item.id, EVEN_PICTURE)
            if marks.views:
                first.setdefault(marks, item.id)
        self._names = list(first.values())
        self._digests = {
            marks.digest: name for marks, name in first.items() if marks.digest.strip("0")
        }
        self._pictures = Pictures(list(first))

    def leaks(
        self, items: Sequence[HubItem], gallery: Gallery, compare: Compare | None = None
    ) -> list[Leak | None]:
        """For each row why it must be left out, or None.

        Args:
            items: the rows.
            gallery: marks of their pictures.
            compare: compares pictures closely; None: in this process.
        """
        pictured = self._pictured(items, gallery, compare)
        return [pictured.get(item.id) or self._asked(item) for item in items]

    def _asked(self, item: HubItem) -> Leak | None:
        found = self._questions.copied(item)
        return None if found is None else Leak(found[1], self._items[found[0]].id)

    def _pictured(
        self, items: Sequence[HubItem], gallery: Gallery, compare: Compare | None
    ) -> dict[str, Leak]:
        """By a row's id, the leak of its picture."""
        marks = {item.id: gallery.get(item.id, EVEN_PICTURE) for item in items}
        # The hash is what a cell's rows are compared by once more, before they are trained on.
        distinct = [one for one in dict.fromkeys(marks.values()) if one.digest not in self._digests]
        copied = self._pictures.copied(distinct, compare)
        names = {
            one: self._names[place]
            for one, place in zip(distinct, copied, strict=True)
            if place is not None
        }
        return {
            name: Leak(SAME_PICTURE, item)
            for name, one in marks.items()
            if (item := names.get(one) or self._digests.get(one.digest)) is not None
        }

    def content(self) -> dict[str, int]:
        """What the report states about the screen."""
        return {
            "pictures": len(self._names),
            "questions": len(self._items),
            "runs": self._questions.runs,
            "templates": self._questions.templates,
            "ngram": self._questions.size,
        }
