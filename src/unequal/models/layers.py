"""The layers of a decoder, and the last one's feed-forward part where alone it is needed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import PreTrainedModel

from unequal.errors import ConfigError

_ENDS_WITH_MLP = frozenset(
    ["gpt2", "llama", "mistral", "olmo", "olmo2", "olmo3", "qwen3", "phi3", "gpt_neox", "gemma3_text"]
)
"""Types of model in which nothing after the last layer's ``mlp`` lets one position look at another."""


def decoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """Return the model's layers in order: the one list of modules that is as long as the model is deep.

    Raises `ConfigError` when there is none.
    """
    depth = model.config.num_hidden_layers
    for module in model.base_model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return module
    raise ConfigError(f"cannot find the {depth} layers of a model of type {model.config.model_type}")


def _ends_with_plain_mlp(model: PreTrainedModel) -> bool:
    if model.config.model_type not in _ENDS_WITH_MLP:
        return False
    compiled = getattr(model.base_model, "_compiled_call_impl", None) is not None
    return not compiled and not getattr(decoder_layers(model)[-1], "gradient_checkpointing", False)


@contextmanager
def last_mlp_at(model: PreTrainedModel, rows: Tensor, positions: Tensor) -> Iterator[None]:
    """Run the last layer's ``mlp`` at those ``(rows, positions)`` alone while the block runs.

    States that the model returns at other positions are of no use then. Types of model of which it is not
    known that this is right, and models that are compiled or recompute their layers, run as they always do.
    """
    if not _ends_with_plain_mlp(model):
        yield
        return
    shape: list[torch.Size] = []
    lacking = -len(rows) % 64  # few shapes, as for the head

    def gather(_mlp: nn.Module, inputs: tuple[Tensor]) -> Tensor:
        shape.append(inputs[0].shape)
        return pad(inputs[0][rows, positions], (0, 0, 0, lacking))[None]

    def scatter(_mlp: nn.Module, _inputs: tuple[Tensor], output: Tensor) -> Tensor:
        found = output[0, : len(rows)]
        return found.new_zeros(shape.pop()).index_put((rows, positions), found)

    mlp = decoder_layers(model)[-1].mlp
    assert isinstance(mlp, nn.Module)  # noqa: S101  these types have one
    hooks = [mlp.register_forward_pre_hook(gather), mlp.register_forward_hook(scatter)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
