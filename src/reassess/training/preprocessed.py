"""Rows tokenised and preprocessed once for each (pool, processor), shared by every arm.

Chat templates and image decoding in a collator take a third of a small training step. They run once
here, so that a batch needs only indexing and padding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from reassess.core.errors import ReassessError
from reassess.core.files import replacing
from reassess.data.items import Message, WithImage
from reassess.data.pool import decode_image
from reassess.training.loading import Processor, Tokenizer
from reassess.training.pixels import GRID, PIXELS, Images, Inputs, LazyImages, StoredImages

if TYPE_CHECKING:
    from transformers import BatchFeature

IGNORED = -100  # label of a token that is not trained on
ItemT = TypeVar("ItemT", bound=WithImage)
Prompt = tuple[str, tuple[int, int] | None]  # a prompt's text, and the size of its image


@dataclass
class PreprocessedRows:
    """Tokens and pixel values of rows.

    Rows with equal texts may share their tensors, so none is changed in place.

    Attributes:
        ids: row ids of the pool.
        prompts: token ids of each prompt, generation prompt included, one tensor (P,) per row.
        completions: token ids of each completion, end token included, one tensor (C,) per row;
            empty if there are none.
        token_fields: per-token inputs of the processor beside the ids (such as
            `mm_token_type_ids`), one tensor (P,) per row.
        images: inputs of the vision tower, of one image or none per row.
    """

    ids: list[str]
    prompts: list[Tensor]
    completions: list[Tensor]
    token_fields: dict[str, list[Tensor]] = field(default_factory=dict)
    images: Images = field(default_factory=lambda: StoredImages([]))

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.ids)

    def select(self, ids: Sequence[str]) -> PreprocessedRows:
        """The rows with these ids, in this order.

        Raises:
            ReassessError: an id is not among the rows.
        """
        index_of = {row: index for index, row in enumerate(self.ids)}
        missing = [row for row in ids if row not in index_of]
        if missing:
            raise ReassessError(f"{len(missing)} rows were not preprocessed, first {missing[0]!r}")
        indices = [index_of[row] for row in ids]
        return PreprocessedRows(
            ids=list(ids),
            prompts=[self.prompts[index] for index in indices],
            completions=[self.completions[index] for index in indices] if self.completions else [],
            token_fields={
                name: [values[index] for index in indices]
                for name, values in self.token_fields.items()
            },
            images=self.images.select(indices),
        )

    def sft_batch(self, indices: Sequence[int], pad: int) -> dict[str, Tensor]:
        """A right-padded batch, (B, P+C) each, labelled on completions only, and vision inputs."""
        tokens = [torch.cat([self.prompts[index], self.completions[index]]) for index in indices]
        labels = [row.clone() for row in tokens]
        for row, index in zip(labels, indices):
            row[: len(self.prompts[index])] = IGNORED
        batch = {
            "input_ids": _right(tokens, pad),
            "attention_mask": _right([torch.ones_like(row) for row in tokens], 0),
            "labels": _right(labels, IGNORED),
        }
        width = batch["input_ids"].shape[1]
        for name, values in self.token_fields.items():
            batch[name] = torch.stack([_grow(values[index], width) for index in indices])
        return batch | self.images.batch(indices)

    def prompt_batch(self, indices: Sequence[int], pad: int) -> dict[str, Tensor]:
        """A left-padded batch of prompts, (B, P) each, and the vision inputs."""
        prompts = [self.prompts[index] for index in indices]
        batch = {
            "input_ids": _left(prompts, pad),
            "attention_mask": _left([torch.ones_like(row) for row in prompts], 0),
        }
        for name, values in self.token_fields.items():
            batch[name] = _left([values[index] for index in indices], 0)
        return batch | self.images.batch(indices)

    def save(self, path: Path) -> None:
        """Write the rows as one safetensors file, atomically."""
        tensors = {"prompts": torch.cat(self.prompts), "prompt_lengths": _lengths(self.prompts)}
        if self.completions:
            tensors |= {
                "completions": torch.cat(self.completions),
                "completion_lengths": _lengths(self.completions),
            }
        for name, values in self.token_fields.items():
            tensors[f"token.{name}"] = torch.cat(values)
        with_image = [index for index in range(len(self)) if self.images.has(index)]
        tensors["has_image"] = torch.tensor([self.images.has(index) for index in range(len(self))])
        if isinstance(self.images, StoredImages):
            inputs = [self.images.inputs(index) for index in with_image]
            for name in inputs[0] if inputs else ():
                tensors[f"image.{name}"] = torch.stack([image[name] for image in inputs])
        elif with_image:
            tensors[f"image.{GRID}"] = torch.stack(
                [grid for index in with_image if (grid := self.images.grid(index)) is not None]
            )
        with replacing(path) as temporary:
            save_file(
                {name: tensor.contiguous() for name, tensor in tensors.items()},
                temporary,
                {"ids": "\n".join(self.ids)},
            )

    @classmethod
    def load(cls, path: Path) -> PreprocessedRows:
        """Read rows back.

        Raises:
            ReassessError: the file is missing or damaged; names it.
        """
        try:
            with safe_open(path, "pt") as opened:
                ids = opened.metadata()["ids"].split("\n")
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
        except FileNotFoundError as error:
            raise ReassessError(f"missing file {path}") from error
        except (SafetensorError, OSError) as error:
            raise ReassessError(
                f"{path} is damaged ({error}); delete it and rerun to make it again"
            ) from error
        lengths = tensors["prompt_lengths"].tolist()
        completions: list[Tensor] = []
        if "completions" in tensors:
            completions = list(tensors["completions"].split(tensors["completion_lengths"].tolist()))
        fields = {
            name: list(tensor.split(lengths)) for name, tensor in _part(tensors, "token.").items()
        }
        stacked = {name: iter(tensor) for name, tensor in _part(tensors, "image.").items()}
        images = [
            {name: next(rows) for name, rows in stacked.items()} if has else None
            for has in tensors["has_image"].tolist()
        ]
        prompts = list(tensors["prompts"].split(lengths))
        return cls(ids, prompts, completions, fields, StoredImages(images))

    def process_later(self, items: Sequence[WithImage], processor: Processor) -> PreprocessedRows:
        """The rows with images that are processed when a batch needs them.

        `items` are those of the rows.
        """
        grids = [self.images.grid(index) for index in range(len(self))]
        return replace(self, images=LazyImages(items, grids, processor.image_processor))


def preprocess(
    items: Sequence[ItemT],
    completions: Sequence[str] | None,
    processor: Processor,
    messages: Callable[[ItemT], list[Message]],
    *,
    keep_pixels: bool = True,
) -> PreprocessedRows:
    """Tokenise items and their completions with the model's own processor and chat template.

    Args:
        items: pool items.
        completions: one per row, without the end token; None for prompts alone.
        processor: the model's processor (image pipeline and tokenizer).
        messages: function from an item to its chat messages.
        keep_pixels: keep the vision inputs in memory; otherwise every batch processes them again.

    Raises:
        ReassessError: an image does not decode; names the item.
    """
    stored: list[Inputs | None] = []
    rows = PreprocessedRows([item.id for item in items], [], [])
    texts = _render(items, processor, messages)
    first: dict[Prompt, int] = {}
    chunk = 256 if keep_pixels else 16
    for start in range(0, len(items), chunk):
        part = slice(start, start + chunk)
        inputs = _preprocess_chunk(rows, items[part], texts[part], processor, first)
        if not keep_pixels:
            inputs = [None if row is None else {GRID: row[GRID]} for row in inputs]
        stored += inputs
    rows.images = StoredImages(stored)
    if not keep_pixels:
        rows = rows.process_later(items, processor)
    if completions is not None:
        rows.completions = _encode(completions, processor.tokenizer)
    return rows


def _render(
    items: Sequence[ItemT], processor: Processor, messages: Callable[[ItemT], list[Message]]
) -> list[str]:
    """The prompts of items as text; equal chats are rendered once."""
    chats: dict[str, list[Message]] = {}
    keys = []
    for item in items:
        chat = messages(item)
        keys.append(repr(chat))
        chats.setdefault(keys[-1], chat)
    if not chats:
        return []
    texts = processor.apply_chat_template(
        list(chats.values()), add_generation_prompt=True, tokenize=False
    )
    rendered = dict(zip(chats, texts, strict=True))
    return [rendered[key] for key in keys]


def _encode(completions: Sequence[str], tokenizer: Tokenizer) -> list[Tensor]:
    """The token ids of completions, with the end token; equal ones are encoded once."""
    distinct = list(dict.fromkeys(completions))
    if not distinct:
        return []
    encoded = tokenizer(distinct, add_special_tokens=False, return_attention_mask=False)
    tokens = {
        text: torch.tensor([*ids, tokenizer.eos_token_id])
        for text, ids in zip(distinct, encoded["input_ids"], strict=True)
    }
    return [tokens[text] for text in completions]


def _preprocess_chunk(
    rows: PreprocessedRows,
    items: Sequence[WithImage],
    texts: Sequence[str],
    processor: Processor,
    first: dict[Prompt, int],
) -> list[Inputs | None]:
    """Append the tokens of items to the rows; return their vision inputs.

    The tokens of a prompt depend on its text and on the size of its image alone: they are made for
    the first row of a text and a size, which `first` notes, and shared by later ones, of which only
    the images are processed.
    """
    done = len(rows.prompts)
    images = [None if item.image is None else decode_image(item) for item in items]
    prompts: list[Prompt] = [
        (text, None if image is None else image.size) for text, image in zip(texts, images)
    ]
    fresh = [
        place
        for place, one in enumerate(prompts)
        if first.setdefault(one, done + place) == done + place
    ]
    outputs: dict[int, dict[str, Tensor]] = {}
    # The processor pairs images with texts by their placeholders, so rows without an image go in a
    # call of their own.
    for has in (True, False):
        if chosen := [place for place in fresh if (images[place] is not None) is has]:
            arguments = {"images": [[images[place]] for place in chosen]} if has else {}
            output = processor(text=[texts[place] for place in chosen], padding=False, **arguments)
            outputs |= zip(chosen, _split(output, len(chosen)))
    if chosen := [place for place in range(len(items)) if images[place] and place not in outputs]:
        output = processor.image_processor(
            images=[images[place] for place in chosen],
            disable_grouping=False,  # images of one size are processed together
        )
        outputs |= zip(chosen, _split(output, len(chosen)))
    for place, one in enumerate(prompts):
        row = outputs.get(place, {})
        if "input_ids" in row:
            rows.prompts.append(row["input_ids"])
            for name in row.keys() - {"input_ids", "attention_mask", PIXELS, GRID}:
                rows.token_fields.setdefault(name, []).append(row[name])
        else:
            rows.prompts.append(rows.prompts[first[one]])
            for values in rows.token_fields.values():
                values.append(values[first[one]])
    return [
        None
        if image is None
        else {name: value for name, value in outputs[place].items() if name in (PIXELS, GRID)}
        for place, image in enumerate(images)
    ]


def _split(output: BatchFeature, count: int) -> list[dict[str, Tensor]]:
    """A processor's batch as `count` rows; its pixel values are concatenated along dimension 0."""
    rows: list[dict[str, Tensor]] = [{} for _ in range(count)]
    for name, value in output.items():
        if name == PIXELS:
            pixels = torch.as_tensor(np.asarray(value))
            # Families with grids cut images into patches by their size; the others have one size.
            sizes = (
                torch.as_tensor(np.asarray(output[GRID])).prod(dim=1).tolist()
                if GRID in output
                else None
            )
            parts = pixels.split(sizes) if sizes else pixels.chunk(count)
        elif name == GRID:
            parts = torch.as_tensor(np.asarray(value)).split(1)
        else:
            parts = [torch.as_tensor(ids) for ids in value]
        for row, part in zip(rows, parts, strict=True):
            row[name] = part
    return rows


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _lengths(rows: list[Tensor]) -> Tensor:
    return torch.tensor([len(row) for row in rows])


def _right(rows: list[Tensor], value: int) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)


def _left(rows: list[Tensor], value: int) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(
        rows, batch_first=True, padding_value=value, padding_side="left"
    )


def _grow(row: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(row, (0, width - len(row)))
