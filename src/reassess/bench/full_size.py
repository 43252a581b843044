"""A model of full size with random weights, and random rows for it: no download, no checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from reassess.training.loading import Model, Processor
from reassess.training.pixels import GRID, PIXELS, StoredImages
from reassess.training.preprocessed import PreprocessedRows
from reassess.worlds.hub.shapes import SHAPES, Shape

PAD, END, IMAGE, VIDEO, VISION_START, VISION_END = range(6)  # ids of special tokens
SPECIAL = ("<pad>", "<end>", "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
FIRST_WORD = 10  # ids from here on are words
PATCH = 14  # pixels on a side
MERGED = 4  # patches that make a visual token
PATCH_VALUES = 1176  # of two frames of a patch in three colours


@dataclass(frozen=True)
class Workload:
    """What is measured.

    Attributes:
        shape: of the model.
        side: of the square image in pixels; 28 x 28 make a visual token.
        prompt: tokens of text around the image.
        completion: tokens of the answer.
        rows: rows of an SFT update.
        micro_batch: rows of one forward pass.
        prompts: prompts of an RL update.
        group: completions of each prompt.
        steps: updates that are timed.
        warmup: updates before those.
        matrix: side of the matrices whose product sets the reference rate.
    """

    shape: Shape = SHAPES["Qwen/Qwen2.5-VL-3B-Instruct"]
    side: int = 476  # 289 visual tokens
    prompt: int = 150
    completion: int = 350
    rows: int = 64
    micro_batch: int = 8
    prompts: int = 16
    group: int = 5
    steps: int = 4
    warmup: int = 2
    matrix: int = 8192


def model_of(shape: Shape) -> Model:
    """A Qwen2.5-VL of a shape with random weights."""
    # Of a head, divided among time, height and width of a position as in the public models.
    half = shape.hidden // shape.heads // 2
    sections = [half // 4, half * 3 // 8, half - half // 4 - half * 3 // 8]
    text = {
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": 32768,
        "tie_word_embeddings": shape.tied,
        "pad_token_id": PAD,
        "bos_token_id": PAD,
        "eos_token_id": END,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1e6,
            "mrope_section": sections,
        },
    }
    every = shape.tower_depth // shape.tower_full
    vision = {
        "depth": shape.tower_depth,
        "hidden_size": shape.tower_width,
        "intermediate_size": shape.tower_mlp,
        "num_heads": max(1, shape.tower_width // 80),
        "patch_size": PATCH,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 112,
        "out_hidden_size": shape.hidden,
        "fullatt_block_indexes": [*range(every - 1, shape.tower_depth, every)],
    }
    config = Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        tie_word_embeddings=shape.tied,
        image_token_id=IMAGE,
        video_token_id=VIDEO,
        vision_start_token_id=VISION_START,
        vision_end_token_id=VISION_END,
    )
    return Qwen2_5_VLForConditionalGeneration(config)


def rows_of(workload: Workload, count: int) -> PreprocessedRows:
    """Preprocessed rows of random words and images in the workload's lengths."""
    side = workload.side // PATCH
    patches = side * side
    generator = torch.Generator().manual_seed(1)

    def words(length: int) -> torch.Tensor:
        vocabulary = workload.shape.vocabulary
        return torch.randint(FIRST_WORD, vocabulary, (length,), generator=generator)

    def prompt() -> torch.Tensor:
        start, end = torch.tensor([VISION_START]), torch.tensor([VISION_END])
        visual = torch.full((patches // MERGED,), IMAGE)
        return torch.cat([start, visual, end, words(workload.prompt)])

    prompts = [prompt() for _ in range(count)]
    grid = torch.tensor([[1, side, side]])
    images = [
        {PIXELS: torch.randn(patches, PATCH_VALUES, generator=generator), GRID: grid}
        for _ in range(count)
    ]
    completions = [
        torch.cat([words(workload.completion - 1), torch.tensor([END])]) for _ in range(count)
    ]
    return PreprocessedRows(
        ids=[str(number) for number in range(count)],
        prompts=prompts,
        completions=completions,
        token_fields={"mm_token_type_ids": [(row == IMAGE).long() for row in prompts]},
        images=StoredImages(list(images)),
    )


def processor_of(workload: Workload) -> Processor:
    """A processor over a vocabulary of numbered words; it names ids and processes nothing."""
    words = {word: place for place, word in enumerate(SPECIAL)} | {
        f"w{place}": place for place in range(len(SPECIAL), workload.shape.vocabulary)
    }
    inner = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<end>", chat_template="x"
    )
    return Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(), tokenizer, Qwen2VLVideoProcessor(), chat_template="x"
    )
