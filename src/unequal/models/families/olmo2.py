"""OLMo 2: norms after attention and feed-forward, and on all queries and keys (OLMo team, 2024)."""

from typing import TYPE_CHECKING

from unequal.models.families.decoder import decoder_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return an OLMo 2 configuration."""
    from transformers import Olmo2Config

    return Olmo2Config(**decoder_arguments(shape, vocabulary))
