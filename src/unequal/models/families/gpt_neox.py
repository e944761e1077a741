"""GPT-NeoX, the family of Pythia: attention and feed-forward side by side (Biderman et al., 2023)."""

from typing import TYPE_CHECKING

from unequal.models.families.decoder import decoder_arguments
from unequal.models.shapes import Shape, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def config(shape: Shape, vocabulary: Vocabulary) -> "PreTrainedConfig":
    """Return a GPT-NeoX configuration, a quarter of each head rotated and the feed-forward plain."""
    from transformers import GPTNeoXConfig

    rotated = 2 * max(1, shape.width // shape.heads // 8)  # an even number even in narrow heads
    arguments = decoder_arguments(shape, vocabulary) | {"intermediate_size": 4 * shape.width}
    del arguments["num_key_value_heads"]
    return GPTNeoXConfig(partial_rotary_factor=rotated * shape.heads / shape.width, **arguments)
