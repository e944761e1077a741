"""Arguments that configurations of mixtures of experts share: eight experts, two of them for each token.

All experts together have the size of one feed-forward, 8 · width², so that a model has as many parameters as
any other of its size; a token passes through half of its layers' parameters, 6 · width² of 12. The loss that
balances how often experts are chosen is not part of training here.
"""

from typing import Any

from unequal.models.families.decoder import decoder_arguments
from unequal.models.shapes import Shape, Vocabulary

N_EXPERTS = 8
N_ACTIVE = 2


def expert_arguments(shape: Shape, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return a decoder's arguments with those of its experts; ``intermediate_size`` is that of one expert."""
    inner = 8 * shape.width / (3 * N_EXPERTS)
    return decoder_arguments(shape, vocabulary) | {
        "intermediate_size": 8 * max(1, round(inner / 8)),  # grouped products need multiples of 16 bytes
        "num_experts_per_tok": N_ACTIVE,
    }
