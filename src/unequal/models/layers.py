"""The layers of a decoder, and a last layer that runs its MLP at scored positions only."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import PreTrainedModel

from unequal.errors import ConfigError
from unequal.models.configuration import text_config

_PARTS = {
    "gpt2": ("attn.c_proj", "mlp"),
    "gpt_neox": ("attention.dense", "mlp"),
    **dict.fromkeys(
        ["llama", "mistral", "olmo", "olmo2", "olmo3", "qwen2", "qwen3", "phi3", "gemma3_text"],
        ("self_attn.o_proj", "mlp"),
    ),
}
"""Types of model, and the parts of a layer after which nothing in it lets one position look at another."""


def decoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """Return the model's layers in order: the one list of modules that is as long as the model is deep.

    It is that of the part which reads text, and not one of a part for pictures that is as deep. Raises
    `ConfigError` when there is none.
    """
    config = text_config(model)
    depth = getattr(config, "num_hidden_layers", None)
    inner = (
        module for module in model.modules() if isinstance(module, PreTrainedModel) and module is not model
    )
    reader = next((module for module in inner if module.config is config), model.base_model)
    for module in reader.modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return module
    raise ConfigError(f"cannot find the {depth} layers of a model of type {model.config.model_type}")


def _parts_of_the_last(model: PreTrainedModel) -> list[nn.Module]:
    """Return the parts of the last layer that may run at some positions alone."""
    last = decoder_layers(model)[-1] if model.config.model_type in _PARTS else None
    compiled = getattr(model.base_model, "_compiled_call_impl", None) is not None
    if last is None or compiled or getattr(last, "gradient_checkpointing", False):
        return []
    return [last.get_submodule(name) for name in _PARTS[model.config.model_type]]


@contextmanager
def last_layer_at(model: PreTrainedModel, rows: Tensor, positions: Tensor) -> Iterator[None]:
    """Run what follows attention in the last layer at those ``(rows, positions)`` alone in the block.

    States that the model returns at other positions are of no use then. Types of model of which it is not
    known that this is right, and models that are compiled or recompute their layers, run as they always do.
    """
    shape: list[torch.Size] = []
    lacking = -len(rows) % 64  # few shapes, as for the head

    def places(shape: torch.Size) -> Tensor:
        return rows * shape[1] + positions

    def gather(_part: nn.Module, inputs: tuple[Tensor]) -> Tensor:
        (states,) = inputs
        shape.append(states.shape)
        return pad(states.flatten(0, 1).index_select(0, places(states.shape)), (0, 0, 0, lacking))[None]

    def scatter(_part: nn.Module, _inputs: tuple[Tensor], output: Tensor) -> Tensor:
        own, found = shape.pop(), output[0, : len(rows)]
        everywhere = found.new_zeros(own[0] * own[1], found.shape[-1])
        return everywhere.index_copy_(0, places(own), found).view(*own[:2], -1)

    parts = _parts_of_the_last(model)
    hooks = [part.register_forward_pre_hook(gather) for part in parts]
    hooks += [part.register_forward_hook(scatter) for part in parts]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
