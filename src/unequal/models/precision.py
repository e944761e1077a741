"""In which precision a model is computed, and whether torch compiles it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from unequal.errors import ConfigError
from unequal.models.compute import Precision
from unequal.models.heads import was_asked
from unequal.models.kernels import use_plain_linear
from unequal.models.sharding import is_sharded


def in_precision(model: PreTrainedModel, precision: Precision) -> PreTrainedModel:
    """Return the model, its weights now in bfloat16 if that is the precision.

    Raises `ConfigError` for an accelerator that does not know bfloat16, or a sharded model that was run.
    """
    cuda = model.device.type == "cuda"
    if precision != "fp32" and cuda and not torch.cuda.is_bf16_supported(including_emulation=False):
        name = torch.cuda.get_device_name(model.device)
        raise ConfigError(f"precision {precision}: {name} has no bfloat16; use fp32")
    if precision != "bf16-pure" or model.dtype == torch.bfloat16:
        return model
    if is_sharded(model) and was_asked(model):
        raise ConfigError(
            "precision bf16-pure: a sharded model that was run already keeps its precision; use bf16"
        )
    return model.to(torch.bfloat16)


@contextmanager
def computing_in(precision: Precision, device: torch.device) -> Iterator[None]:
    """Work out products in bfloat16 while the block runs, if that is the precision.

    Weights are cast anew for each pass: kept copies would cost half as much memory again as they do.
    """
    if precision != "bf16":
        yield
        return
    with torch.autocast(device.type, torch.bfloat16, cache_enabled=False):
        yield


def differentiate(loss: Tensor) -> None:
    """Add a loss's gradients to the weights'; its operations are in the precision they had in the pass."""
    with torch.autocast(loss.device.type, enabled=False):
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no type here


def compile_body(model: nn.Module) -> None:
    """Let torch compile the model's body, in place."""
    body = model.base_model if isinstance(model, PreTrainedModel) else model
    use_plain_linear(body)
    body.compile()
