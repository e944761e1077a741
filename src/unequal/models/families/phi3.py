"""Phi-3: Llama with fused projections (Abdin et al., 2024)."""

from typing import TYPE_CHECKING

from unequal.models.families.decoder import decoder_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return a Phi-3 configuration."""
    from transformers import Phi3Config

    return Phi3Config(
        original_max_position_embeddings=vocabulary.window_tokens, **decoder_arguments(shape, vocabulary)
    )
