"""OLMo: Llama with norms that have no weights (Groeneveld et al., 2024)."""

from typing import TYPE_CHECKING

from unequal.models.families.decoder import decoder_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return an OLMo configuration."""
    from transformers import OlmoConfig

    return OlmoConfig(**decoder_arguments(shape, vocabulary))
