"""Linear layers in float32 on a CPU by oneDNN, equal to PyTorch's own to rounding.

PyTorch hands these matrix products to the vendor's BLAS, which does not use the widest vector units of every
maker's CPU; oneDNN does. On any other device, dtype or build the layers run as they always do.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from transformers.pytorch_utils import Conv1D


def use_kernels(model: nn.Module) -> nn.Module:
    """Replace the forward of the model's linear layers in place and return the model."""
    if not _has_onednn():
        return model
    for module in model.modules():
        if type(module) in (nn.Linear, Conv1D):
            module.forward = _OneDNNForward(module)
    return model


def use_plain_layers(model: nn.Module) -> None:
    """Undo `use_kernels` in place, for a compiler: it writes its own code, and again for each layer."""
    for module in model.modules():
        if isinstance(module.__dict__.get("forward"), _OneDNNForward):
            del module.forward


def _has_onednn() -> bool:
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch has no type here
    return available and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class _OneDNNForward:
    """The forward of one linear layer; a class rather than a closure so that models can still be copied."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._plain: Callable[[nn.Module, Tensor], Tensor] = type(module).forward

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the layer's output for inputs ``(…, in)``."""
        layer = self._module
        given = (inputs, *layer.parameters())
        if any(one.device.type != "cpu" or one.dtype != torch.float32 for one in given):
            return self._plain(layer, inputs)
        if torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling():
            return self._plain(layer, inputs)
        weight = layer.weight.t() if isinstance(layer, Conv1D) else layer.weight
        found: Tensor = _Linear.apply(inputs.reshape(-1, inputs.shape[-1]), weight, layer.bias)  # type: ignore[no-untyped-call]
        return found.view(*inputs.shape[:-1], -1)  # here, since some models change the result in place


class _Linear(torch.autograd.Function):
    """``inputs @ weight.T + bias`` with inputs ``(n, in)``, weight ``(out, in)``; both ways by oneDNN."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return _product(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        needs_inputs, needs_weight, needs_bias = ctx.needs_input_grad
        (gradient,) = gradients
        of_inputs = _product(gradient, weight.t()) if needs_inputs else None
        of_weight = gradient.t() @ inputs if needs_weight else None
        return of_inputs, of_weight, gradient.sum(0) if needs_bias else None


def _product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    result: Tensor = torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
    return result
