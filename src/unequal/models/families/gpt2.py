"""GPT-2: learned positions, layer norm, GELU (Radford et al., 2019)."""

from typing import TYPE_CHECKING

from unequal.models.families.decoder import token_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return a GPT-2 configuration without dropout, as for training in less than one pass over a language."""
    from transformers import GPT2Config

    return GPT2Config(
        n_positions=vocabulary.window_tokens,
        n_embd=shape.width,
        n_layer=shape.layers,
        n_head=shape.heads,
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        initializer_range=shape.initial_std,
        **token_arguments(vocabulary),
    )
