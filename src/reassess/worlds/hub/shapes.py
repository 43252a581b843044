"""Shapes of the public models, as their configs state them.

A cost estimate needs them before anything is downloaded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from reassess.core.errors import ReassessError
from reassess.training.flops import FlopsModel

PATCHES_A_TOKEN = 4  # patches that the merger turns into one visual token


@dataclass(frozen=True)
class Shape:
    """A Qwen2-VL or Qwen2.5-VL model: widths and depths of language model and tower.

    Attributes:
        hidden, layers, heads, kv_heads, intermediate, vocabulary, tied: of the language model; its
            heads are 128 wide in the public models.
        tower_width, tower_depth, tower_mlp: of the tower.
        tower_full: layers of the tower that attend to the whole image; the others attend to windows
            of 64 patches.
        gated: whether the tower's MLP has a gate.
    """

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    intermediate: int
    vocabulary: int
    tied: bool
    tower_width: int = 1280
    tower_depth: int = 32
    tower_mlp: int = 5120
    tower_full: int = 32
    gated: bool = False

    @property
    def body(self) -> int:
        """Parameters of the language model's layers that are in a matrix product."""
        head = self.hidden // self.heads
        attention = self.hidden * head * (2 * self.heads + 2 * self.kv_heads)
        return self.layers * (attention + 3 * self.hidden * self.intermediate)

    @property
    def head(self) -> int:
        """Parameters of the head."""
        return self.hidden * self.vocabulary

    @property
    def tower(self) -> float:
        """Parameters of the tower that each patch passes through.

        The merger's count a quarter, since it works on four patches at once.
        """
        width = self.tower_width
        blocks = self.tower_depth * (
            4 * width * width + (3 if self.gated else 2) * width * self.tower_mlp
        )
        merged = PATCHES_A_TOKEN * width
        return blocks + 1176 * width + (merged * merged + merged * self.hidden) / PATCHES_A_TOKEN

    @property
    def parameters(self) -> float:
        """Parameters in all, norms and biases aside."""
        merged = PATCHES_A_TOKEN * self.tower_width
        merger = merged * merged + merged * self.hidden
        return (
            self.body
            + self.head * (1 if self.tied else 2)
            + self.tower
            + merger * (1 - 1 / PATCHES_A_TOKEN)
        )

    def flops(self, frozen_tower: bool) -> FlopsModel:
        """The model by which FLOPs are counted."""
        return FlopsModel(
            body=self.body,
            head=self.head,
            tower=self.tower,
            layers=self.layers,
            width=self.hidden,
            tower_layers=self.tower_full,
            windowed_layers=self.tower_depth - self.tower_full,
            window=64,
            tower_width=self.tower_width,
            frozen_tower=frozen_tower,
        )


SHAPES = {
    "Qwen/Qwen2-VL-2B-Instruct": Shape(1536, 28, 12, 2, 8960, 151936, True),
    "Qwen/Qwen2-VL-7B-Instruct": Shape(3584, 28, 28, 4, 18944, 152064, False),
    "Qwen/Qwen2.5-VL-3B-Instruct": Shape(
        2048, 36, 16, 2, 11008, 151936, True, tower_mlp=3420, tower_full=4, gated=True
    ),
    "Qwen/Qwen2.5-VL-7B-Instruct": Shape(
        3584, 28, 28, 4, 18944, 152064, False, tower_mlp=3420, tower_full=4, gated=True
    ),
    "Qwen/Qwen2.5-VL-32B-Instruct": Shape(
        5120, 64, 40, 8, 27648, 152064, False, tower_mlp=3456, tower_full=4, gated=True
    ),
}


def shape_of(repo: str, base: Path | None = None) -> Shape:
    """A model's shape: from the table, or from the config of a checkpoint that already exists.

    Raises:
        ReassessError: the model is not in the table and there is no checkpoint.
    """
    if repo in SHAPES:
        return SHAPES[repo]
    path = None if base is None else base / "config.json"
    if path is None or not path.is_file():
        raise ReassessError(
            f"the shape of {repo} is not known: add it to worlds/hub/shapes.py, or make its base "
            "checkpoint first"
        )
    config = json.loads(path.read_text())
    text, vision = config.get("text_config", config), config["vision_config"]
    newer = "fullatt_block_indexes" in vision
    width = vision["hidden_size"] if newer else vision["embed_dim"]
    return Shape(
        hidden=text["hidden_size"],
        layers=text["num_hidden_layers"],
        heads=text["num_attention_heads"],
        kv_heads=text["num_key_value_heads"],
        intermediate=text["intermediate_size"],
        vocabulary=text["vocab_size"],
        tied=bool(config.get("tie_word_embeddings", False)),
        tower_width=width,
        tower_depth=vision["depth"],
        tower_mlp=vision["intermediate_size"] if newer else int(width * vision["mlp_ratio"]),
        tower_full=len(vision["fullatt_block_indexes"]) if newer else vision["depth"],
        gated=newer,
    )
