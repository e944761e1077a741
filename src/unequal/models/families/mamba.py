"""Mamba: a selective state space instead of attention and feed-forward (Gu and Dao, 2023)."""

from typing import TYPE_CHECKING

from unequal.models.families.decoder import fitted_width, token_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

STATE = 16


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return a Mamba configuration: two blocks a layer, narrower than the shape by what their states weigh.

    Two blocks have the 12 · width² parameters of attention and feed-forward (section 3.4 of the source), plus
    the projections of steps and states, which weigh little in wide models and much in narrow ones. Without a
    GPU kernel the package mambapy, where it is installed, makes training some four times faster.
    """
    from transformers import MambaConfig

    n_blocks = 2 * shape.layers

    def n_weights(width: int) -> int:
        rank = -(-width // 16)
        return n_blocks * (6 * width**2 + 2 * width * (2 * rank + 3 * STATE))

    width = fitted_width(shape, n_weights)
    return MambaConfig(
        hidden_size=width,
        num_hidden_layers=n_blocks,
        state_size=STATE,
        use_mambapy=True,
        initializer_range=width**-0.5,
        tie_word_embeddings=True,
        **token_arguments(vocabulary),
    )
