"""Mamba-2: state spaces of several heads, whose states decay by one number a head (Dao and Gu, 2024)."""

from typing import TYPE_CHECKING

from unequal.models.families.decoder import fitted_width, token_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

STATE = 32
CHUNK = 32


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return a Mamba-2 configuration: two blocks a layer, narrower than the shape by what their states weigh.

    Heads are as wide as the shape's; states are of 32 numbers, not 128, for the sake of small models.
    """
    from transformers import Mamba2Config

    n_blocks, n_heads = 2 * shape.layers, 2 * shape.heads
    width = fitted_width(shape, lambda width: n_blocks * width * (6 * width + 2 * STATE + n_heads))
    return Mamba2Config(
        hidden_size=width,
        num_hidden_layers=n_blocks,
        num_heads=n_heads,
        head_dim=width // shape.heads,
        state_size=STATE,
        n_groups=1,
        chunk_size=CHUNK,
        initializer_range=width**-0.5,
        tie_word_embeddings=True,
        **token_arguments(vocabulary),
    )
