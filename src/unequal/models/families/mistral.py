"""Mistral: Llama with grouped heads and, in its first version, a sliding window (Jiang et al., 2023)."""

from typing import TYPE_CHECKING

from unequal.models.families.decoder import decoder_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return a Mistral configuration without a sliding window, as its later versions have it.

    Every query head has its own keys, as in all families, which leaves the difference from Llama to defaults.
    """
    from transformers import MistralConfig

    return MistralConfig(sliding_window=None, **decoder_arguments(shape, vocabulary))
