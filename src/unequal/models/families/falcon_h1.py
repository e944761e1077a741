"""Falcon-H1, a hybrid: attention and a Mamba-2 state space side by side in every layer (Zuo et al., 2025)."""

from typing import TYPE_CHECKING

from unequal.models.families.decoder import decoder_arguments, gated_width
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

STATE = 16
CHUNK = 32


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return a Falcon-H1 configuration whose feed-forward is smaller by the parameters of the state space.

    The state space is as wide as the model and its states are of 16 numbers.
    """
    from transformers import FalconH1Config

    width = shape.width
    state_space = 3 * width**2 + width * (2 * STATE + shape.heads)
    arguments = decoder_arguments(shape, vocabulary)
    arguments["intermediate_size"] = gated_width(width, 8 * width**2 - state_space)
    return FalconH1Config(
        mamba_d_ssm=width,
        mamba_n_heads=shape.heads,
        mamba_d_state=STATE,
        mamba_chunk_size=CHUNK,
        **arguments,
    )
