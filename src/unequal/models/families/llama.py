"""Llama: rotary positions, RMS norm, gated SiLU (Touvron et al., 2023)."""

from typing import TYPE_CHECKING

from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return a Llama configuration whose gated feed-forward has as many weights as GPT-2's plain one."""
    from transformers import LlamaConfig  # noqa: PLC0415

    return LlamaConfig(
        vocab_size=vocabulary.size,
        max_position_embeddings=vocabulary.window_tokens,
        hidden_size=shape.width,
        intermediate_size=-(-8 * shape.width // 3 // 8) * 8,  # 8/3 of the width, up to a multiple of 8
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        tie_word_embeddings=True,
        initializer_range=shape.initial_std,
        bos_token_id=vocabulary.end_token_id,
        eos_token_id=vocabulary.end_token_id,
        pad_token_id=vocabulary.padding_token_id,
    )
