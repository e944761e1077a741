"""OLMoE: OLMo with experts, their weights the router's own probabilities (Muennighoff et al., 2024)."""

from typing import TYPE_CHECKING

from unequal.models.families.experts import N_EXPERTS, expert_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return an OLMoE configuration."""
    from transformers import OlmoeConfig

    return OlmoeConfig(num_experts=N_EXPERTS, **expert_arguments(shape, vocabulary))
