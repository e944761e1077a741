"""Gemma 3: norms before and after each part, five local layers to a global one (Gemma team, 2025)."""

from typing import TYPE_CHECKING

from unequal.models.families.decoder import decoder_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return a configuration of Gemma 3's text model."""
    from transformers import Gemma3TextConfig

    head_dim = shape.width // shape.heads
    return Gemma3TextConfig(
        head_dim=head_dim, query_pre_attn_scalar=head_dim, **decoder_arguments(shape, vocabulary)
    )
