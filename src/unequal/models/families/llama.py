"""Llama: rotary positions, RMS norm, gated SiLU (Touvron et al., 2023)."""

from typing import TYPE_CHECKING

from unequal.models.families.decoder import decoder_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return a Llama configuration whose gated feed-forward has as many parameters as GPT-2's plain one."""
    from transformers import LlamaConfig

    return LlamaConfig(**decoder_arguments(shape, vocabulary))
