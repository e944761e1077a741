"""Gradient checkpointing: activations inside a layer are recomputed in the backward pass."""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel

from unequal.errors import ConfigError


@contextmanager
def recomputing(model: PreTrainedModel, wanted: bool) -> Iterator[None]:
    """Keep only the input of each layer for the backward pass while the block runs, if ``wanted``.

    Raises `ConfigError` for a model that cannot. Source: Chen et al. (2016), arXiv 1604.06174.
    """
    if not wanted:
        yield
        return
    if not model.supports_gradient_checkpointing:
        raise ConfigError(
            f"a model of type {model.config.model_type} cannot recompute its layers; leave out"
            " gradient_checkpointing"
        )
    enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
    enable({"use_reentrant": False})  # the other way loses gradients where embeddings are frozen
    try:
        yield
    finally:
        getattr(model, "activation_checkpointing_disable", model.gradient_checkpointing_disable)()
