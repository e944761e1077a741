"""Qwen3-MoE: Qwen3 with experts, the weights of the chosen ones adding up to 1 (Yang et al., 2025)."""

from typing import TYPE_CHECKING

from unequal.models.families.experts import N_EXPERTS, expert_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return a Qwen3-MoE configuration."""
    from transformers import Qwen3MoeConfig

    arguments = expert_arguments(shape, vocabulary)
    return Qwen3MoeConfig(
        head_dim=shape.width // shape.heads,
        num_experts=N_EXPERTS,
        norm_topk_prob=True,
        moe_intermediate_size=arguments["intermediate_size"],
        **arguments,
    )
