"""Questions as benchmarks ask them, and what becomes of them on their way into another set."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

from reassess.bench.planted.pictures import encode, generator_of, geometry
from reassess.worlds.hub.items import HubItem

SHORT = (
    ("What is {a} times {b}?", "{product}"),
    ("Solve x + {a} = {b} for x.", "{difference}"),
    ("What is the sum of {a}, {b} and {c}?", "{sum}"),
    ("How many whole numbers lie between {a} and {b}?", "{between}"),
)
LONG = (
    (
        "A bakery sells {a} loaves of bread every morning and keeps the others in a cool room "
        "behind the shop until the evening market opens, where it sells {b} more. How many loaves "
        "are sold in {c} days?",
        "{loaves}",
    ),
    (
        "Maria reads {a} pages before school, and after she has done her homework and helped in "
        "the kitchen she reads {b} pages more in bed. How many pages does she read in {c} days?",
        "{loaves}",
    ),
)
PICTURED = ("Find x.", "What is the area of the triangle?", "Which of these figures comes next?")


def _filled(kind: str, number: int, templates: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    random = generator_of(kind, number)
    a, b, c = (int(value) for value in random.integers(11, 9999, 3))
    values = {
        "a": a,
        "b": b,
        "c": c,
        "product": a * b,
        "difference": b - a,
        "sum": a + b + c,
        "between": abs(b - a) - 1,
        "loaves": (a + b) * c,
    }
    question, answer = templates[number % len(templates)]
    return question.format(**values), answer.format(**values)


def item_of(name: str, question: str, answer: str, picture: int | None = None) -> HubItem:
    """An item without options; `picture` is the number of a drawing."""
    return HubItem(
        id=name,
        index=0,
        source="planted",
        family="",
        question=question,
        options="[]",
        answer=answer,
        answer_kind="math",
        image=None if picture is None else encode(geometry(picture)),
        image_hash="",
        trace="",
        licence="",
    )


def short(number: int) -> HubItem:
    """A question in fewer words than a run that is looked for has."""
    return item_of(f"short-{number}", *_filled("short", number, SHORT))


def long(number: int) -> HubItem:
    """A word problem, some of whose runs of words hold no number."""
    return item_of(f"long-{number}", *_filled("long", number, LONG))


def pictured(number: int) -> HubItem:
    """A question that many pictures have, with one of the answers that many questions have."""
    answer = str(generator_of("pictured", number).integers(1, 10))
    return item_of(f"pictured-{number}", PICTURED[number % len(PICTURED)], answer, number)


def chosen(number: int) -> HubItem:
    """A question about a picture whose options say which it is."""
    random = generator_of("chosen", number)
    a, *options = (str(value) for value in random.integers(11, 999, 5))
    one = item_of(f"chosen-{number}", f"In the figure, AB is {a} cm long. How long is BC?", "")
    gold = json.dumps(["B", options[1]])
    return replace(
        one,
        options=json.dumps(options),
        answer=gold,
        answer_kind="choice",
        image=encode(geometry(number)),
    )


ASKED: dict[str, Callable[[int], HubItem]] = {
    "short": short,
    "long": long,
    "about a picture": pictured,
    "about a picture, with options": chosen,
}

_NUMBER = re.compile(r"\d+")


def _written_otherwise(item: HubItem) -> HubItem:
    text = item.question.replace(", ", " , ").replace("?", " ?")
    return replace(item, question=text.upper() + " ")


def _in_another_text(item: HubItem) -> HubItem:
    return replace(item, question=f"Question: {item.question} Give the final answer in a box.")


def _other_numbers(item: HubItem) -> HubItem:
    def other(match: re.Match[str]) -> str:
        return str(int(match.group()) + 7)

    answer = item.answer if item.answer_kind == "choice" else f"{item.answer}1"
    return replace(item, question=_NUMBER.sub(other, item.question), answer=answer)


def _in_other_words(item: HubItem) -> HubItem:
    words = {
        "What": "Compute: what",
        "How many": "Say how many",
        "Find": "Determine",
        "every": "each",
    }
    text = item.question
    for one, other in words.items():
        text = text.replace(one, other)
    return replace(item, question=" ".join(reversed(text.split(". "))))


def _on_another_picture(item: HubItem) -> HubItem:
    number = 10**6 + int(item.id.rpartition("-")[2])
    return replace(item, image=encode(geometry(number)))


REWORDED: dict[str, Callable[[HubItem], HubItem]] = {
    "word for word": lambda item: item,
    "other case, spaces, punctuation": _written_otherwise,
    "inside another text": _in_another_text,
    "in other words": _in_other_words,
    "other numbers": _other_numbers,
    "on another picture": _on_another_picture,
}
