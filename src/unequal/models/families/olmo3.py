"""OLMo 3: OLMo 2 with a sliding window in three of four layers (OLMo team, 2025)."""

from typing import TYPE_CHECKING

from unequal.models.families.decoder import decoder_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return an OLMo 3 configuration; no training window here is longer than its sliding one."""
    from transformers import Olmo3Config

    return Olmo3Config(**decoder_arguments(shape, vocabulary))
