"""Methods from outside, asked in a process of their own that knows no answers.

The process that evaluates has the reference answers in memory and their files before it. A shipped
method is part of this code and runs in it; a plug-in runs in another, which is given questions, and
sees no file of the grid (`reassess.core.view`). What it gives back is text and images.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from reassess.core.errors import ReassessError
from reassess.core.files import Json, read_json
from reassess.core.view import INSIDE, View
from reassess.data.items import Item
from reassess.data.questions import Question
from reassess.methods import Method, find, folder_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ItemT = TypeVar("ItemT", bound=Item)


@dataclass(frozen=True)
class Told:
    """What a method says of questions.

    Attributes:
        completions: by seed, one per question; None where the model is to answer.
        views: the items as the model is to see them; None where they are to be seen as they are.
    """

    completions: dict[int, list[str]] | None
    views: list[Any] | None


def ask(
    method: Method, questions: Sequence[Question], items: Sequence[ItemT], seeds: Sequence[int]
) -> Told:
    """What a method answers; if it leaves that to the model, what the model is to see.

    Args:
        method: the method.
        questions: the questions.
        items: the same, as items without answers.
        seeds: one for each round of answers.

    Raises:
        ReassessError: a number of answers that is not that of the questions, or another item.
    """
    answers = {seed: method.respond(questions, seed) for seed in seeds}
    completions = {seed: given for seed, given in answers.items() if given is not None}
    for given in completions.values():
        if len(given) != len(questions):
            raise ReassessError(
                f"method {method.name!r} gave {len(given)} answers to {len(questions)} questions"
            )
    if completions:
        if len(completions) != len(answers):
            raise ReassessError(f"method {method.name!r} answers with some seeds, not with others")
        return Told(completions, None)
    if type(method).view is Method.view:
        return Told(None, None)
    views = [method.view(item) for item in items]
    for view, item in zip(views, items, strict=True):
        if type(view) is not type(item) or view.id != item.id:
            raise ReassessError(f"method {method.name!r} shows another item in place of {item.id}")
    return Told(None, views)


def ask_elsewhere(
    method: Method,
    questions: Sequence[Question],
    items: Sequence[ItemT],
    seeds: Sequence[int],
    hidden: Sequence[Path],
) -> Told:
    """The same, asked of a plug-in in a process that sees nothing of the folders in `hidden`.

    Raises:
        ReassessError: the plug-in failed, or opened what it does not see; says what.
    """
    folder = folder_of(type(method))
    item_type = type(items[0]) if items else None
    with tempfile.TemporaryDirectory(prefix="reassess-") as place:
        request, reply = Path(place, "request.json"), Path(place, "reply.json")
        content = {
            "view": View.of(hidden).text(),
            "method": method.name,
            "plugins": [str(folder)] if folder is not None else [],
            "settings": method.settings.model_dump(mode="json"),
            "item_type": [item_type.__module__, item_type.__qualname__] if item_type else None,
            "questions": [packed(question) for question in questions],
            "items": [packed(item) for item in items],
            "seeds": list(seeds),
        }
        request.write_text(json.dumps(content), encoding="utf-8")
        command = [sys.executable, "-m", "reassess.evaluation.plugin_process"]
        done = subprocess.run([*command, str(request), str(reply)], env=_environment())
        answer = read_json(reply) if reply.is_file() else {}
    if done.returncode or "error" in answer:
        problem = answer.get("error", f"its process ended with exit code {done.returncode}")
        raise ReassessError(f"plug-in {method.name!r}: {problem}")
    return _told(method, answer, len(questions), items)


def _told(method: Method, answer: Json, questions: int, items: Sequence[ItemT]) -> Told:
    """What a plug-in's process wrote, as far as it has the form that it should have."""
    completions, views = answer["completions"], answer["views"]
    if completions is not None:
        texts = [text for given in completions.values() for text in given]
        if any(len(given) != questions for given in completions.values()) or not all(
            isinstance(text, str) for text in texts
        ):
            raise ReassessError(f"plug-in {method.name!r} gave no text for each question")
        return Told({int(seed): given for seed, given in completions.items()}, None)
    if views is None:
        return Told(None, None)
    seen = [replace(item, **unpacked(view)) for item, view in zip(items, views, strict=True)]
    if [item.id for item in seen] != [item.id for item in items]:
        raise ReassessError(f"plug-in {method.name!r} shows other items than it was given")
    return Told(None, seen)


def _environment() -> dict[str, str]:
    """This process's environment, without what a view of its own says."""
    return {name: value for name, value in os.environ.items() if name != INSIDE}


def reply_to(content: Json) -> Json:
    """In the plug-in's process: load it, ask it, and return the reply."""
    method_type = find(content["method"], [Path(folder) for folder in content["plugins"]])
    method = method_type(method_type.Settings.model_validate(content["settings"]))
    questions = [
        Question(**{**unpacked(one), "choices": tuple(one["choices"])})
        for one in content["questions"]
    ]
    items: list[Any] = []
    if content["item_type"] is not None:
        module, name = content["item_type"]
        item_type = getattr(import_module(module), name)
        items = [item_type(**unpacked(one)) for one in content["items"]]
    told = ask(method, questions, items, content["seeds"])
    return {
        "completions": told.completions,
        "views": None if told.views is None else [packed(view) for view in told.views],
    }


def packed(value: DataclassInstance) -> Json:
    """A dataclass's fields, as JSON has them."""
    return {
        name: {"base64": base64.b64encode(field).decode()} if isinstance(field, bytes) else field
        for name, field in asdict(value).items()
    }


def unpacked(fields: Json) -> Json:
    """What `packed` was given."""
    return {
        name: base64.b64decode(field["base64"]) if isinstance(field, dict) else field
        for name, field in fields.items()
    }
