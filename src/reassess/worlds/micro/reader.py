"""How the micro world's models read prompts and write text: their processors, made again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import torch
from tokenizers import pre_tokenizers

from reassess.core.files import sha256_file, sha256_text
from reassess.training.loading import Processor
from reassess.training.preprocessed import preprocess
from reassess.worlds.base import UNREADABLE
from reassess.worlds.micro.item import MicroItem
from reassess.worlds.micro.models import build_model, build_tokenizer
from reassess.worlds.micro.prompts import prompt

WIDTH = 32  # the processor is the same at every width
AROUND = ("", " ")  # what may have stood before a completion
CUT_OFF = range(1, 4)  # the bytes of a character that is begun and not ended


class MicroReader:
    """A family's processor, with the hashes that manifests record of it."""

    def __init__(self, processor: Processor, processor_hash: str) -> None:
        """Keep the processor."""
        self._processor, self._tokenizer = processor, processor.tokenizer
        self._tokens = set(self._tokenizer.get_vocab())
        self._longest = max(map(len, self._tokens))
        self.processor_hash = processor_hash
        self.template_hash = sha256_text(str(processor.chat_template))

    @staticmethod
    @cache
    def of(family: str) -> MicroReader:
        """Make the family's processor."""
        with (
            tempfile.TemporaryDirectory(prefix="reassess-reader-") as temporary,
            torch.random.fork_rng(devices=[]),  # a model is made too, and thrown away
        ):
            tokenizer, saved = Path(temporary) / "tokenizer", Path(temporary) / "processor"
            build_tokenizer(tokenizer)
            _, processor = build_model(family, WIDTH, 0, tokenizer)
            processor.save_pretrained(saved)
            return MicroReader(processor, sha256_file(saved / "processor_config.json"))

    def prompt_hashes(self, items: Sequence[MicroItem]) -> list[str]:
        """The hash of each item's prompt, as the model reads it."""
        rows = preprocess(items, None, self._processor, prompt)
        return [sha256_text(self._tokenizer.decode(tokens)) for tokens in rows.prompts]

    def row_lengths(self, items: Sequence[MicroItem], completions: Sequence[str]) -> list[int]:
        """The tokens of each item's prompt and completion, as a model is trained on them."""
        rows = preprocess(items, completions, self._processor, prompt)
        return [len(asked) + len(said) for asked, said in zip(rows.prompts, rows.completions)]

    def lengths(self, texts: Sequence[str]) -> list[set[int]]:
        """For each text, its numbers of tokens, with and without a space before it.

        Bytes that are no character are a token each, and no text shows how many they were.
        """
        if not texts:
            return []
        counts = [
            self._tokenizer([before + text for text in texts], add_special_tokens=False)[
                "input_ids"
            ]
            for before in AROUND
        ]
        return [
            {len(ids) + more for ids in ways for more in self._unread(text)}
            for text, *ways in zip(texts, *counts, strict=True)
        ]

    def fewest(self, text: str) -> int:
        """The smallest number of tokens that together are the text."""
        fewest = min(self._fewest(before + text) for before in AROUND)
        return fewest + self._unread(text)[0]

    def _unread(self, text: str) -> range:
        """The tokens that a text may have beyond those of its unreadable marks."""
        count, mark = text.count(UNREADABLE), self._fewest(UNREADABLE)
        return range(count * (CUT_OFF[0] - mark), count * (CUT_OFF[-1] - mark) + 1)

    def _fewest(self, text: str) -> int:
        characters = "".join(_as_bytes(text))
        best = [0]
        for end in range(1, len(characters) + 1):
            starts = range(max(0, end - self._longest), end)
            best.append(1 + min(best[s] for s in starts if characters[s:end] in self._tokens))
        return best[-1]


def _as_bytes(text: str) -> Iterator[str]:
    """Yield the parts of a text, with a character for each byte, as the vocabulary has them."""
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    yield from (part for part, _ in splitter.pre_tokenize_str(text))
