"""Layers worked out faster in float32 on a CPU, with results that are the usual ones to rounding.

Products: the default CPU path of PyTorch hands them to the vendor's BLAS, which does not use the widest
vector units of every maker's CPU; oneDNN does. GELU in its tanh form: the logistic function takes a fraction
of the time of tanh, so what an MLP activates need not be kept. On any other device, dtype or build the layers
do what they always did.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.module import _has_any_global_hook
from transformers.activations import GELUTanh, NewGELUActivation
from transformers.models.gpt2.modeling_gpt2 import GPT2MLP
from transformers.pytorch_utils import Conv1D

_ROWS = 128  # of activations at a time, few enough to stay near the processor
_GELUS = (GELUTanh, NewGELUActivation)
_LINEAR, _CUBIC = 2 * math.sqrt(2 / math.pi), 0.044715


def use_kernels(model: nn.Module) -> nn.Module:
    """Replace the forward of the model's linear layers, GELUs and MLPs in place and return the model."""
    if not _has_onednn():
        return model
    for module in model.modules():
        if type(module) in (nn.Linear, Conv1D):
            module.forward = _FastLinear(module)
        elif type(module) in _GELUS:
            module.forward = _FastGelu(module)
        elif type(module) is GPT2MLP:
            module.forward = _FastMLP(module)
    return model


def use_plain_layers(model: nn.Module) -> None:
    """Undo `use_kernels` in place, for a compiler: it writes its own code, and again for each layer."""
    for module in model.modules():
        if isinstance(module.__dict__.get("forward"), _Fast):
            del module.forward


def _has_onednn() -> bool:
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch has no type here
    return available and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class _Fast:
    """The forward of one module; a class rather than a closure so that models can still be copied."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._plain: Callable[[nn.Module, Tensor], Tensor] = type(module).forward

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return what the module gives for inputs ``(…, in)``."""
        given = (inputs, *self._module.parameters())
        if any(one.device.type != "cpu" or one.dtype != torch.float32 for one in given):
            return self._plain(self._module, inputs)
        if torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling():
            return self._plain(self._module, inputs)
        return self._fast(inputs)

    def _fast(self, inputs: Tensor) -> Tensor:
        raise NotImplementedError


class _FastLinear(_Fast):
    def _fast(self, inputs: Tensor) -> Tensor:
        return _on_rows(_Linear, inputs, self._module)


class _FastGelu(_Fast):
    def _fast(self, inputs: Tensor) -> Tensor:
        found: Tensor = _Gelu.apply(inputs.reshape(-1, inputs.shape[-1]))  # type: ignore[no-untyped-call]
        return found.view(inputs.shape)  # here, as above


class _FastMLP(_Fast):
    """GPT-2's; where its parts have been wrapped, as by adapters, or hooked, they run one by one.

    That gives the same to the last bit.
    """

    def _fast(self, inputs: Tensor) -> Tensor:
        mlp = self._module
        parts = (mlp.c_fc, mlp.act, mlp.c_proj)
        known = type(mlp.act) in _GELUS and type(mlp.c_fc) is type(mlp.c_proj) is Conv1D
        own = all(isinstance(vars(part).get("forward"), _Fast) for part in parts)
        if not (known and own) or any(map(is_hooked, parts)):
            return self._plain(mlp, inputs)
        found: Tensor = mlp.dropout(_on_rows(_GeluLinear, mlp.c_fc(inputs), mlp.c_proj))
        return found


def is_hooked(module: nn.Module) -> bool:
    """Return whether somebody looks at what goes into the module or comes out of it, either way."""
    hooks = (
        module._forward_pre_hooks,
        module._forward_hooks,
        module._backward_pre_hooks,
        module._backward_hooks,
    )
    return any(hooks) or bool(_has_any_global_hook())  # type: ignore[no-untyped-call]


def _on_rows(function: Any, inputs: Tensor, layer: nn.Module) -> Tensor:
    weight = layer.weight.t() if isinstance(layer, Conv1D) else layer.weight
    found: Tensor = function.apply(inputs.reshape(-1, inputs.shape[-1]), weight, layer.bias)
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


class _Gelu(torch.autograd.Function):
    """GELU of inputs ``(n, in)``."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor) -> Tensor:
        ctx.save_for_backward(inputs)
        return _gelu(inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (inputs,) = ctx.saved_tensors
        slopes = torch.empty_like(inputs)
        _gelu(inputs, slopes)
        return slopes.mul_(gradients[0])


class _GeluLinear(torch.autograd.Function):
    """`_Linear` of GELU of the inputs, which alone are kept: its value is worked out again on the way back.

    The gradient is written over the inputs, so the result can be differentiated once: a second time is an
    error, but under hooks of saved tensors, which do not look whether these have changed.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return _product(_gelu(inputs), weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        _, needs_weight, needs_bias = ctx.needs_input_grad
        (gradient,) = gradients
        activated = _gelu(inputs, slopes=inputs)
        of_weight = gradient.t() @ activated if needs_weight else None
        of_inputs = inputs.mul_(_product(gradient, weight.t()))
        return of_inputs, of_weight, gradient.sum(0) if needs_bias else None


def _gelu(inputs: Tensor, slopes: Tensor | None = None) -> Tensor:
    """Return x (1 + tanh(z / 2)) / 2, which is x σ(z), for z = 2 √(2/π) (x + 0.044715 x³).

    Inputs x are ``(n, width)``. The slope, σ + x σ (1 − σ) z', is written to ``slopes``, which may be them.
    """
    found = torch.empty_like(inputs)
    room = inputs.new_empty(2, min(_ROWS, len(inputs)), inputs.shape[1])
    for start in range(0, len(inputs), _ROWS):
        rows = slice(start, start + _ROWS)
        x, y = inputs[rows], found[rows]
        square, sigmoid = room[:, : len(x)]
        torch.mul(x, x, out=square)
        torch.mul(square, _LINEAR * _CUBIC, out=sigmoid).add_(_LINEAR).mul_(x).sigmoid_()
        torch.mul(x, sigmoid, out=y)
        if slopes is not None:
            rest = square.mul_(3 * _LINEAR * _CUBIC).add_(_LINEAR).mul_(y)
            torch.addcmul(rest, rest, sigmoid, value=-1, out=slopes[rows]).add_(sigmoid)
    return found
