"""OLMo: Llama with norms without parameters (Groeneveld et al., 2024)."""

from typing import TYPE_CHECKING

from unequal.models.families.decoder import decoder_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return an OLMo configuration."""
    from transformers import OlmoConfig

    return OlmoConfig(**decoder_arguments(shape, vocabulary))
