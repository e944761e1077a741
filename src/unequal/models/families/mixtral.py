"""Mixtral: Mistral with experts, the weights of the chosen ones adding up to 1 (Jiang et al., 2024)."""

from typing import TYPE_CHECKING

from unequal.models.families.experts import N_EXPERTS, expert_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return a Mixtral configuration."""
    from transformers import MixtralConfig

    return MixtralConfig(num_local_experts=N_EXPERTS, **expert_arguments(shape, vocabulary))
