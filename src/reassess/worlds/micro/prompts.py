"""The one prompt of an item, for training, rollouts and evaluation alike."""

from __future__ import annotations

from typing import Any

from reassess.data.items import Message, Part


def question_text(item: Any) -> str:
    """Return the words of the prompt: the question, and the scene in words where there is no picture."""
    return (
        str(item.question)
        if item.image is not None
        else f"{item.question} Scene: {item.scene_text}."
    )


def prompt(item: Any) -> list[Message]:
    """Return the chat messages of an item: one user turn, the question before the picture."""
    content: list[Part] = [{"type": "text", "text": question_text(item)}]
    if item.image is not None:
        content.append({"type": "image"})
    return [{"role": "user", "content": content}]
