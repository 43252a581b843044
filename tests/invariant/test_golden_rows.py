"""Items and their tensors, frozen: a change of one bit would be another world than the reference's.

After a change that is meant to do so, `python tests/invariant/test_golden_rows.py` writes the golden file anew.
"""

import hashlib
import json
import tempfile
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from reassess.grid.benchmarks import benchmarks_of
from reassess.training.preprocessed import preprocess
from reassess.worlds.micro.base_mix import base_items, teacher_items
from reassess.worlds.micro.items import RULES, benchmark_rule, make_item
from reassess.worlds.micro.models import build_model, build_tokenizer
from reassess.worlds.micro.prompts import prompt

GOLDEN = Path(__file__).with_name("golden_rows.json")
SEED, COUNT = 2512, 150
FAMILIES = ("llava", "qwen3-vl")
ALL_RULES = RULES | {
    name: benchmark_rule(name, benchmark.metadata["scenes"])
    for name, benchmark in benchmarks_of("micro").items()
    if "in_words" not in benchmark.metadata["scenes"]
}
MIXES = {
    "base stage 1": lambda: base_items(SEED, COUNT, 1),
    "base stage 2": lambda: base_items(SEED, COUNT, 2),
    "teacher": lambda: teacher_items(SEED, COUNT),
}


def digest(parts):
    """Hash texts and bytes, each apart from the next."""
    hashed = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else repr(part).encode()
        hashed.update(b"%d:" % len(content) + content)
    return hashed.hexdigest()


def pixels(encoded):
    """Return the pixels of an image, which every version of zlib keeps, and check how it is encoded."""
    if encoded is None:
        return b""
    with Image.open(BytesIO(encoded)) as image:
        again = BytesIO()
        image.save(again, format=image.format, compress_level=1)
        assert again.getvalue() == encoded
        return repr((image.mode, image.size)).encode() + image.tobytes()


def items_hash(items):
    """Hash every field of items, of images the pixels."""
    return digest(
        part
        for item in items
        for part in (
            pixels(item.image),
            sorted((asdict(item) | {"image": item.image is None}).items()),
        )
    )


def split_hash(split):
    """Hash some items of a split, one of them drawn again for a forbidden scene or image."""
    rule = ALL_RULES[split]
    items = [make_item(split, SEED, index, rule=rule) for index in range(COUNT)]
    forbidden = {items[1].scene_hash, items[2].image_hash} - {""}
    return items_hash([*items, *(make_item(split, SEED, i, forbidden, rule) for i in range(3))])


def mix_hash(mix):
    """Hash pairs of an item and its completion."""
    pairs = MIXES[mix]()
    return digest([items_hash(item for item, _ in pairs), *(text for _, text in pairs)])


def rows_hash(family, folder):
    """Hash the tensors that a family's processor makes of a mix, with names, types and shapes."""
    _, processor = build_model(family, 32, 1, folder)
    pairs = [pair for make in MIXES.values() for pair in make()]
    rows = preprocess([item for item, _ in pairs], [text for _, text in pairs], processor, prompt)
    parts = list(rows.ids)
    for index in range(len(rows)):
        tensors = {"prompt": rows.prompts[index], "completion": rows.completions[index]}
        tensors |= {name: values[index] for name, values in rows.token_fields.items()}
        if rows.images.has(index):
            tensors |= rows.images.inputs(index)
        for name, tensor in sorted(tensors.items()):
            parts += [(name, tensor.dtype, tuple(tensor.shape)), tensor.numpy().tobytes()]
    return digest(parts)


def golden(part):
    return json.loads(GOLDEN.read_text())[part] if GOLDEN.is_file() else {}


@pytest.mark.parametrize("split", golden("splits"))  # a new benchmark needs no entry
def test_a_split_has_the_items_of_the_reference(split):
    assert split_hash(split) == golden("splits")[split]


@pytest.mark.parametrize("mix", MIXES)
def test_bases_and_teachers_are_trained_on_the_items_of_the_reference(mix):
    assert mix_hash(mix) == golden("mixes")[mix]


def test_a_processor_makes_the_tensors_of_the_reference(family, tokenizer_dir):
    assert rows_hash(family, tokenizer_dir) == golden("tensors")[family]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        tokenizer = Path(temporary) / "tokenizer"
        build_tokenizer(tokenizer)
        content = {
            "splits": {split: split_hash(split) for split in sorted(ALL_RULES)},
            "mixes": {mix: mix_hash(mix) for mix in MIXES},
            "tensors": {family: rows_hash(family, tokenizer) for family in FAMILIES},
        }
    GOLDEN.write_text(json.dumps(content, indent=1) + "\n")
