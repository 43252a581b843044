"""Rows tokenised and preprocessed once for each (pool, processor), shared by every arm.

Chat templates and image decoding in a collator cost a third of a small training step; here they are paid once, and a
batch is only indexing and padding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from reassess.core.errors import ReassessError
from reassess.core.files import replacing
from reassess.training.pixels import GRID, PIXELS, Images, LazyImages, StoredImages

IGNORED = -100  # label of a token that is not trained on


@dataclass
class PreprocessedRows:
    """Tokens and pixel values of rows.

    Attributes:
        ids: row ids of the pool.
        prompts: token ids of the prompt, generation prompt included, one tensor (P,) a row.
        completions: token ids of the completion, end token included, one tensor (C,) a row; empty if there are none.
        token_fields: per-token inputs of the processor beside the ids (such as `mm_token_type_ids`), one (P,) a row.
        images: inputs of the vision tower, one picture or none a row.
    """

    ids: list[str]
    prompts: list[Tensor]
    completions: list[Tensor]
    token_fields: dict[str, list[Tensor]] = field(default_factory=dict)
    images: Images = field(default_factory=lambda: StoredImages([]))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.ids)

    def select(self, ids: Sequence[str]) -> PreprocessedRows:
        """Return the rows of those ids, in that order.

        Raises:
            ReassessError: an id is not among the rows.
        """
        where = {row: index for index, row in enumerate(self.ids)}
        missing = [row for row in ids if row not in where]
        if missing:
            raise ReassessError(f"{len(missing)} rows were not prepared, first {missing[0]!r}")
        picked = [where[row] for row in ids]
        return PreprocessedRows(
            ids=list(ids),
            prompts=[self.prompts[index] for index in picked],
            completions=[self.completions[index] for index in picked] if self.completions else [],
            token_fields={
                name: [values[index] for index in picked]
                for name, values in self.token_fields.items()
            },
            images=self.images.select(picked),
        )

    def sft_batch(self, indices: Sequence[int], pad: int) -> dict[str, Tensor]:
        """Return a right-padded batch with labels on the completion only: (B, P+C) each, and the vision inputs."""
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
        """Return a left-padded batch of prompts, (B, P) each, and the vision inputs."""
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
        pictured = [index for index in range(len(self)) if self.images.has(index)]
        tensors["has_image"] = torch.tensor([self.images.has(index) for index in range(len(self))])
        if isinstance(self.images, StoredImages):
            found = [self.images.inputs(index) for index in pictured]
            for name in found[0] if found else ():
                tensors[f"image.{name}"] = torch.stack([image[name] for image in found])
        elif pictured:
            tensors[f"image.{GRID}"] = torch.stack(
                [grid for index in pictured if (grid := self.images.grid(index)) is not None]
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
            n.removeprefix("token."): list(t.split(lengths))
            for n, t in tensors.items()
            if n.startswith("token.")
        }
        stacked = {
            n.removeprefix("image."): iter(t) for n, t in tensors.items() if n.startswith("image.")
        }
        images = [
            {n: next(t) for n, t in stacked.items()} if has else None
            for has in tensors["has_image"].tolist()
        ]
        return cls(
            ids,
            list(tensors["prompts"].split(lengths)),
            completions,
            fields,
            StoredImages(images),
        )

    def process_later(
        self, items: Sequence[Any], processor: Any, decode: Callable[[Any], Any]
    ) -> PreprocessedRows:
        """Return the rows with pictures that are processed when a batch asks for them; `items` are those of the rows."""
        grids = [self.images.grid(index) for index in range(len(self))]
        return replace(self, images=LazyImages(items, grids, processor.image_processor, decode))


def preprocess(
    items: Sequence[Any],
    completions: Sequence[str] | None,
    processor: Any,
    messages: Any,
    decode: Any,
    *,
    keep_pixels: bool = True,
) -> PreprocessedRows:
    """Tokenise items and their completions with the model's own processor and chat template.

    Args:
        items: pool items.
        completions: one a row, without the end token; None for prompts alone.
        processor: the model's processor (image pipeline and tokenizer).
        messages: function from an item to its chat messages.
        decode: function from an item to its picture.
        keep_pixels: keep the vision inputs in memory; otherwise they are processed again when a batch asks for them.
    """
    stored: list[dict[str, Tensor] | None] = []
    rows = PreprocessedRows([item.id for item in items], [], [])
    chunk = 256 if keep_pixels else 16
    tokenizer = processor.tokenizer
    for start in range(0, len(items), chunk):
        found = _prepare_chunk(rows, items[start : start + chunk], processor, messages, decode)
        stored += (
            found if keep_pixels else [None if one is None else {GRID: one[GRID]} for one in found]
        )
    rows.images = StoredImages(stored)
    if not keep_pixels:
        rows = rows.process_later(items, processor, decode)
    if completions is not None:
        encoded = tokenizer(list(completions), add_special_tokens=False)["input_ids"]
        rows.completions = [torch.tensor([*ids, tokenizer.eos_token_id]) for ids in encoded]
    return rows


def _prepare_chunk(
    rows: PreprocessedRows, items: Sequence[Any], processor: Any, messages: Any, decode: Any
) -> list[dict[str, Tensor] | None]:
    """Append the tokens of items to the rows; return their vision inputs."""
    stored: list[dict[str, Tensor] | None] = []
    texts = [
        processor.apply_chat_template(messages(item), add_generation_prompt=True, tokenize=False)
        for item in items
    ]
    pictured = [item.image is not None for item in items]
    pictures = [[decode(item)] for item, has in zip(items, pictured) if has]
    # The processor pairs images with texts by their placeholders, so rows without a picture go in a call of their own.
    outputs: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for has in (True, False):
        chosen = [text for text, with_picture in zip(texts, pictured) if with_picture is has]
        if chosen:
            arguments = {"images": pictures} if has else {}
            outputs[has] = _split(processor(text=chosen, padding=False, **arguments), len(chosen))
    streams = {has: iter(found) for has, found in outputs.items()}
    for has in pictured:
        row = next(streams[has])
        tokens = row.pop("input_ids")
        rows.prompts.append(tokens)
        stored.append(
            {name: value for name, value in row.items() if name in (PIXELS, GRID)} if has else None
        )
        for name in row.keys() - {PIXELS, GRID, "attention_mask"}:
            rows.token_fields.setdefault(name, []).append(row[name])
    return stored


def _split(output: Any, count: int) -> list[dict[str, Any]]:
    """Split a processor's batch into rows; pixel values of all images come concatenated along dimension 0."""
    rows: list[dict[str, Any]] = [{} for _ in range(count)]
    for name, value in output.items():
        if name == PIXELS:
            pixels = torch.as_tensor(np.asarray(value))
            # Families with grids cut pictures into as many patches as their size asks for; the others have one size.
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
