"""The hash of what a cell is trained on: of content, not of ids."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from reassess.core.files import Json, canonical_json
from reassess.data.items import Item
from reassess.data.pool import decode_image
from reassess.training.pixels import StoredImages
from reassess.training.preprocessed import PreprocessedRows

PREFIX = "content:"  # hashes without it are of earlier versions, and of ids alone
# Pixel values are rounded to this part of a standard deviation, far below one level of 256, so that
# the last bits of another machine's arithmetic make no other hash.
PIXEL_PARTS = 256


def rows_hash(rows: PreprocessedRows, items: Sequence[Item]) -> str:
    """The hash of a cell's rows, in order; equal for all methods that are trained on the same.

    It covers ids, questions, reference answers and their kinds, images, and the token ids of
    prompts and completions. Images that are preprocessed once are hashed as pixels, before and
    after; those that are processed again for every batch as the encoded bytes.

    Args:
        rows: the tokenised rows.
        items: their items, in the same order.
    """
    digest = hashlib.sha256()
    for index, item in enumerate(items):
        line = canonical_json(_content(rows, index, item))
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return PREFIX + digest.hexdigest()


def _content(rows: PreprocessedRows, index: int, item: Item) -> Json:
    """What is hashed of a row."""
    images = rows.images
    kept = isinstance(images, StoredImages)
    content: Json = {
        "id": rows.ids[index],
        "item": item.id,
        "question": item.question,
        "answer": item.answer,
        "answer_kind": item.answer_kind,
        "image": None if item.image is None else _image(item, decoded=kept),
        "prompt": rows.prompts[index].tolist(),
        "completion": rows.completions[index].tolist() if rows.completions else None,
        "fields": {name: values[index].tolist() for name, values in rows.token_fields.items()},
    }
    if kept and images.has(index):
        inputs = images.inputs(index)
        content["inputs"] = {name: _values(value) for name, value in inputs.items()}
    return content


def _image(item: Item, *, decoded: bool) -> str:
    """The hash of an image: of its pixels, which every encoder keeps, or of its encoded bytes."""
    if not decoded:
        return hashlib.sha256(item.image or b"").hexdigest()
    image = decode_image(item)
    return hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()


def _values(tensor: Tensor) -> str:
    """The hash of a tensor, its shape included."""
    if tensor.is_floating_point():
        tensor = (tensor.double() * PIXEL_PARTS).round()
    values = tensor.to(torch.int64).contiguous().numpy().tobytes()
    return hashlib.sha256(repr(tuple(tensor.shape)).encode() + values).hexdigest()
