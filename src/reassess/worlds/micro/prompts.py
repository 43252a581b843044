"""The one prompt of an item, for training, rollouts and evaluation alike."""

from __future__ import annotations

from reassess.data.items import Message, Part
from reassess.worlds.micro.item import MicroItem


def question_text(item: MicroItem) -> str:
    """The text of the prompt: the question, and the scene in words where there is no image."""
    if item.image is not None:
        return item.question
    return f"{item.question} Scene: {item.scene_text}."


def prompt(item: MicroItem) -> list[Message]:
    """The chat messages of an item: one user turn, the question before the image."""
    content: list[Part] = [{"type": "text", "text": question_text(item)}]
    if item.image is not None:
        content.append({"type": "image"})
    return [{"role": "user", "content": content}]
