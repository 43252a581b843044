"""Model FLOPs, counted from shapes: two for each multiply-accumulate of a matrix product, real tokens only.

forward = 2 * body * S + 2 * head * C + 2 * L * d * sum(s^2) + 2 * tower * V, with S tokens, C scored tokens, s the
length of a sequence (causal attention costs half of 4 L d s^2) and V visual patches. Training is three forwards.
Generation is one forward of the prompt (once a prompt, as caches allow) and one of each new token.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

FORMULA = "reassess-1"  # stated in every manifest


@dataclass(frozen=True)
class FlopsModel:
    """What the count needs to know of a model.

    Attributes:
        body: parameters of the language model's layers.
        head: parameters of the head, vocabulary times width.
        tower: parameters of vision tower and projector.
        layers: language model layers.
        width: hidden size of the language model.
        patches: patches of one image.
    """

    body: int
    head: int
    tower: int
    layers: int
    width: int
    patches: int

    def forward(self, lengths: Iterable[int], scored: int, images: int) -> float:
        """Return the FLOPs of a forward pass over sequences of those lengths."""
        sequence = list(lengths)
        attention = 2 * self.layers * self.width * sum(length * length for length in sequence)
        return float(2 * self.body * sum(sequence) + 2 * self.head * scored + attention + 2 * self.tower * self.patches * images)

    def training(self, lengths: Iterable[int], scored: int, images: int) -> float:
        """Return the FLOPs of forward and backward."""
        return 3 * self.forward(lengths, scored, images)

    def rollout(self, prompts: Iterable[int], completions: Iterable[int], group: int, images: int) -> float:
        """Return the FLOPs of generating: each prompt once for `group` consecutive completions, then token by token."""
        prompt_lengths, lengths = list(prompts), list(completions)
        decode = sum(
            2 * (self.body + self.head) * n + 2 * self.layers * self.width * ((p + n) ** 2 - p**2)
            for p, n in zip(prompt_lengths, lengths, strict=True)
        )
        return self.forward(prompt_lengths[::group], len(prompt_lengths[::group]), images) + decode


def flops_model(model: Any) -> FlopsModel:
    """Read the shapes off an image-text model."""
    text, vision = model.config.get_text_config(), model.config.vision_config
    embedding = model.get_input_embeddings().weight
    language = sum(parameter.numel() for parameter in model.get_decoder().parameters())
    everything = sum(parameter.numel() for parameter in model.parameters())
    head = model.get_output_embeddings().weight
    tied = head is embedding
    tower = everything - language - (0 if tied else head.numel())
    side = getattr(vision, "image_size", None) or 48
    return FlopsModel(
        body=language - embedding.numel(),
        head=head.numel(),
        tower=tower,
        layers=text.num_hidden_layers,
        width=text.hidden_size,
        patches=(side // vision.patch_size) ** 2,
    )
