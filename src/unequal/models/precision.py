"""Precision (bfloat16 or float32) and compilation of a model."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from unequal.errors import ConfigError
from unequal.models.compute_settings import Precision
from unequal.models.device import process_state


def in_precision(model: PreTrainedModel, precision: Precision) -> PreTrainedModel:
    """Return the model, its parameters now in bfloat16 if that is the precision; buffers stay as they are.

    Buffers hold such things as the frequencies of positions, which bfloat16 would blur.
    Raises `ConfigError` for an accelerator that does not know bfloat16.
    """
    device = process_state().device
    if precision == "fp32":
        return model
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        name = torch.cuda.get_device_name(device)
        raise ConfigError(f"precision {precision}: {name} has no bfloat16; use fp32")
    if precision == "bf16-pure" and model.dtype != torch.bfloat16:
        for weight in model.parameters():
            weight.data = weight.data.to(torch.bfloat16)
    return model


@contextmanager
def computing_in(precision: Precision, device: torch.device) -> Iterator[None]:
    """Compute products in bfloat16 (autocast) while the block runs, if that is the precision.

    Parameters are cast for each pass: cached copies would take half as much memory again.
    """
    if precision != "bf16":
        yield
        return
    with torch.autocast(device.type, torch.bfloat16, cache_enabled=False):
        yield


def differentiate(loss: Tensor) -> None:
    """Run the backward pass of a loss; its operations are in the precision they had in the forward pass."""
    with torch.autocast(loss.device.type, enabled=False):
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no type here


def compile_body(model: nn.Module) -> None:
    """Let torch compile the model's body, in place."""
    body = model.base_model if isinstance(model, PreTrainedModel) else model
    body.compile()
