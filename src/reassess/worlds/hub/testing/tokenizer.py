"""The tokenizer and the chat template of stand-in checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from reassess.data.items import Message
from reassess.worlds.hub.items import HubItem
from reassess.worlds.tiny import train_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VOCABULARY = 600
PAD, END = "<|endoftext|>", "<|im_end|>"
SPECIAL = (
    PAD,
    "<|im_start|>",
    END,
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def stand_in_tokenizer(
    items: Sequence[HubItem], prompt: Callable[[HubItem], list[Message]]
) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer trained on the stand-ins' own prompts; the same for every model."""
    prompts = [
        part["text"]
        for item in items
        for turn in prompt(item)
        for part in turn["content"]
        if part["type"] == "text"
    ]
    traces = [trace_of(item) for item in items]
    corpus = [*prompts, *traces, "system\nYou are a helpful assistant."]
    return train_tokenizer(corpus, VOCABULARY, SPECIAL, pad=PAD, end=END, template=TEMPLATE)


def trace_of(item: HubItem) -> str:
    """A completion in the layout that the prompt requests."""
    return f"<think>I look at the figure.</think> \\boxed{{{item.answer}}}"
