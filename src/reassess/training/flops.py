"""Model FLOPs from shapes: two per multiply-accumulate of a matrix product, real tokens only.

forward = 2 body S + 2 head C + 2 L d sum(s^2) + 2 tower V + 4 l e sum(v w), with S tokens, C scored
tokens, s the length of a sequence (causal attention costs half of 4 L d s^2), V visual patches, v
those of an image and w those that each of them attends to. Training costs three forwards, of a
frozen part one. Generation costs one forward of each prompt (caches make a group share it) and one
of each new token. A backward pass costs one forward for the gradients of activations and one for
those of weights; with adapters the language model has only the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reassess.training.loading import Model

if TYPE_CHECKING:
    from transformers import PretrainedConfig

FORMULA = "reassess-2"  # stated in every manifest


@dataclass(frozen=True)
class FlopsModel:
    """The shapes that the count needs.

    Attributes:
        body: parameters of the language model's layers.
        head: parameters of the head, vocabulary times width.
        tower: parameters of vision tower and projector that each patch meets.
        layers: language model layers.
        width: hidden size of the language model.
        tower_layers: layers of the tower whose patches attend to the whole image.
        windowed_layers: layers of the tower whose patches attend to `window` patches.
        window: patches of a window.
        tower_width: hidden size of the tower.
        frozen_tower: whether the tower takes no gradient.
        frozen_body: whether the language model's own weights take none, as with adapters.
    """

    body: int
    head: int
    tower: float
    layers: int
    width: int
    tower_layers: int = 0
    windowed_layers: int = 0
    window: int = 0
    tower_width: int = 0
    frozen_tower: bool = False
    frozen_body: bool = False

    def language(self, lengths: Iterable[int], scored: int) -> float:
        """FLOPs of the language model's forward pass over sequences of these lengths."""
        sequence = list(lengths)
        attention = 2 * self.layers * self.width * sum(length * length for length in sequence)
        return float(2 * self.body * sum(sequence) + 2 * self.head * scored + attention)

    def vision(self, patches: Sequence[int]) -> float:
        """FLOPs of the tower's forward pass over images; `patches` has the number in each."""
        whole = self.tower_layers * sum(count * count for count in patches)
        windows = self.windowed_layers * sum(count * min(count, self.window) for count in patches)
        return float(2 * self.tower * sum(patches) + 4 * self.tower_width * (whole + windows))

    def forward(self, lengths: Iterable[int], scored: int, patches: Sequence[int]) -> float:
        """FLOPs of a forward pass."""
        return self.language(lengths, scored) + self.vision(patches)

    def training(self, lengths: Iterable[int], scored: int, patches: Sequence[int]) -> float:
        """FLOPs of forward and backward."""
        language = (2 if self.frozen_body else 3) * self.language(lengths, scored)
        return language + (1 if self.frozen_tower else 3) * self.vision(patches)

    def rollout(
        self, prompts: Iterable[int], completions: Iterable[int], group: int, patches: Sequence[int]
    ) -> float:
        """FLOPs of generating: a prompt once per `group` completions, then token by token."""
        prompt_lengths, lengths = list(prompts), list(completions)
        decode = sum(
            2 * (self.body + self.head) * n + 2 * self.layers * self.width * ((p + n) ** 2 - p**2)
            for p, n in zip(prompt_lengths, lengths, strict=True)
        )
        return self.forward(prompt_lengths[::group], len(prompt_lengths[::group]), patches) + decode


def flops_model(model: Model) -> FlopsModel:
    """The shapes of an image-text model; a tower without a trainable parameter is frozen."""
    text, vision = model.config.get_text_config(), model.config.vision_config
    embedding = model.get_input_embeddings().weight
    language = {id(parameter) for parameter in model.get_decoder().parameters()}
    head = model.get_output_embeddings().weight
    tower = {
        name: parameter
        for name, parameter in model.named_parameters()
        if id(parameter) not in language and parameter is not head
    }
    merged = getattr(vision, "spatial_merge_size", 1) ** 2  # patches a merger joins
    shapes = FlopsModel(
        body=sum(weight.numel() for weight in model.get_decoder().parameters()) - embedding.numel(),
        head=head.numel(),
        tower=sum(
            weight.numel() / (merged if "merger" in name else 1) for name, weight in tower.items()
        ),
        layers=text.num_hidden_layers,
        width=text.hidden_size,
        frozen_tower=not any(weight.requires_grad for weight in tower.values()),
        frozen_body=not head.requires_grad,
    )
    return replace(shapes, **tower_shape(vision))  # type: ignore[arg-type]


def tower_shape(vision: PretrainedConfig) -> dict[str, int]:
    """Layers, width and window of a tower, as `FlopsModel` names them, from a vision config."""
    layers = getattr(vision, "depth", None) or vision.num_hidden_layers
    width = getattr(vision, "embed_dim", None) or vision.hidden_size
    full = getattr(vision, "fullatt_block_indexes", None)
    if full is None:
        return {"tower_layers": layers, "tower_width": width}
    side = vision.window_size // vision.patch_size
    return {
        "tower_layers": len(full),
        "windowed_layers": layers - len(full),
        "window": side * side,
        "tower_width": width,
    }
