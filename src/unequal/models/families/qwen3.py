"""Qwen3: Llama with a norm on each head's queries and keys (Yang et al., 2025)."""

from typing import TYPE_CHECKING

from unequal.models.families.decoder import decoder_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return a Qwen3 configuration."""
    from transformers import Qwen3Config

    head_dim = shape.width // shape.heads
    return Qwen3Config(head_dim=head_dim, **decoder_arguments(shape, vocabulary))
