"""Arguments that configurations of gated decoders share, from a shape and a vocabulary."""

from collections.abc import Callable
from typing import Any

from unequal.models.shapes import Shape, Vocabulary


def token_arguments(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the arguments for vocabulary and special tokens."""
    return {
        "vocab_size": vocabulary.size,
        "bos_token_id": vocabulary.end_token_id,
        "eos_token_id": vocabulary.end_token_id,
        "pad_token_id": vocabulary.padding_token_id,
    }


def decoder_arguments(shape: Shape, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the arguments of a decoder with as many key heads as query heads and tied embeddings.

    The gated feed-forward has as many parameters, 8 · width², as GPT-2's plain one.
    """
    return {
        "hidden_size": shape.width,
        "intermediate_size": gated_width(shape.width, 8 * shape.width**2),
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "max_position_embeddings": vocabulary.window_tokens,
        "tie_word_embeddings": True,
        "initializer_range": shape.initial_std,
        **token_arguments(vocabulary),
    }


def gated_width(width: int, n_weights: int) -> int:
    """Return the inner width, up to a multiple of 8, of a gated feed-forward of so many parameters."""
    return -(-n_weights // (3 * width) // 8) * 8


def fitted_width(shape: Shape, n_weights: Callable[[int], int]) -> int:
    """Return the multiple of the heads at which ``n_weights`` is closest to 12 · layers · width²."""
    wanted = 12 * shape.layers * shape.width**2
    widths = range(shape.heads, shape.width + 1, shape.heads)
    return min(widths, key=lambda width: abs(n_weights(width) - wanted))
