"""What the tiny models of every world are made with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from reassess.training.loading import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def train_tokenizer(
    corpus: Iterable[str],
    vocabulary: int,
    special: Sequence[str],
    *,
    pad: str,
    end: str,
    template: str,
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer, so that every text can be encoded.

    Args:
        corpus: texts to train on.
        vocabulary: number of tokens, special ones included.
        special: special tokens, in the order of their ids.
        pad: the one of them that pads.
        end: the one of them that ends a turn.
        template: chat template.
    """
    quiet()
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        eos_token=end,
        additional_special_tokens=[name for name in special if name not in (pad, end)],
        chat_template=template,
    )


def position_sections(head: int) -> list[int]:
    """How half a head's width is divided among time, height and width of a rotary position."""
    half = head // 2
    return [half - 2 * (half // 3), half // 3, half // 3]
