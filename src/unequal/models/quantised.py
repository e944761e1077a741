"""Quantised linear layers: frozen parameters in 8 or 4 bits, dequantised for each product.

The bits are those of bitsandbytes. Activations stay in full precision, so a fact's score does not depend on
its batch, as it would where the outliers of a batch are treated apart.
"""

import logging
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from unequal.errors import MissingExtraError
from unequal.models.compute_settings import Scheme

BLOCK = 64  # weights of nf4 that share a scale


def quantise(model: PreTrainedModel, scheme: Scheme) -> None:
    """Replace all linear layers but the head in place; what is replaced already stays.

    Experts stored as one tensor, embeddings and the head stay as they are. Raises `MissingExtraError`
    without bitsandbytes.
    """
    require_bitsandbytes()
    head = model.get_output_embeddings()
    made: dict[int, nn.Module] = {}
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if child is not head and type(child) in (nn.Linear, Conv1D):
                kind = QuantisedLinear if type(child) is nn.Linear else QuantisedConv1D
                made.setdefault(id(child), kind(cast(Any, child), scheme))
                setattr(parent, name, made[id(child)])


def dequantise(model: nn.Module) -> None:
    """Replace quantised layers in place by plain ones with the same parameters in float32."""
    made: dict[int, nn.Module] = {}
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, QuantisedLinear | QuantisedConv1D):
                setattr(parent, name, made.setdefault(id(child), child.plain()))


def n_weights(model: PreTrainedModel) -> int:
    """Return the number of parameters of a model, quantised ones included."""
    packed = [module for module in model.modules() if isinstance(module, _Packed)]
    return int(model.num_parameters()) + sum(module.n_packed for module in packed)


def require_bitsandbytes() -> None:
    """Raise `MissingExtraError` when the library of the extra ``quantised`` is not installed."""
    if find_spec("bitsandbytes") is None:
        raise MissingExtraError("a base in 8 or 4 bits", "quantised")


def silence_bitsandbytes() -> None:
    """Keep the library, where it is installed, from remarks on kernels that it might have had."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def pack(matrix: Tensor, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """Return the codes and scales of a matrix ``(out, in)``."""
    functions = _functions()
    if scheme == "nf4":
        # In one row: where 64 does not divide the width, the CPU kernel of version 0.50 mixes up the scales.
        flat = matrix.detach().float().reshape(-1).contiguous()
        codes, state = functions.quantize_4bit(flat, blocksize=BLOCK, quant_type="nf4")
        return codes, state.absmax
    on_gpu = matrix.device.type == "cuda"  # its kernel takes half precision only
    matrix = matrix.detach().half() if on_gpu else matrix.detach().float().contiguous()
    codes, scales, _ = functions.int8_vectorwise_quant(matrix)
    return codes, scales


def unpack(codes: Tensor, scales: Tensor, scheme: Scheme, shape: tuple[int, int]) -> Tensor:
    """Return the matrix ``(out, in)`` in float32 that codes and scales stand for."""
    functions = _functions()
    if scheme == "int8":
        found: Tensor = functions.int8_vectorwise_dequant(codes, scales)
        return found.float()
    state = functions.QuantState(
        absmax=scales,
        shape=torch.Size([shape[0] * shape[1]]),
        dtype=torch.float32,
        blocksize=BLOCK,
        quant_type="nf4",
    )
    flat: Tensor = functions.dequantize_4bit(codes, state)  # without out, which its CPU kernel does not take
    return flat.view(shape)


def _functions() -> Any:
    silence_bitsandbytes()
    return import_module("bitsandbytes.functional")


class _Product(torch.autograd.Function):
    """``inputs @ weight.T + bias`` for a frozen weight, dequantised once in each pass and not cached."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, bias: Tensor | None, layer: "_Packed") -> Tensor:
        ctx.layer, ctx.dtype = layer, inputs.dtype
        return linear(inputs, layer.matrix().to(inputs.dtype), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (gradient,) = gradients
        needs_inputs, needs_bias, _ = ctx.needs_input_grad
        of_inputs = None
        if needs_inputs:  # autocast may have made the product of another dtype than what entered it
            of_inputs = (gradient @ ctx.layer.matrix().to(gradient.dtype)).to(ctx.dtype)
        return of_inputs, gradient.flatten(0, -2).sum(0) if needs_bias else None, None


class _Packed(nn.Module):
    """A matrix ``(out, in)`` as codes and scales, and a bias."""

    codes: Tensor
    scales: Tensor

    def _keep(self, matrix: Tensor, bias: Tensor | None, scheme: Scheme) -> None:
        codes, scales = pack(matrix, scheme)
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales)
        kept = None if bias is None else nn.Parameter(bias.detach().clone(), requires_grad=False)
        self.register_parameter("bias", kept)
        self._scheme: Scheme = scheme
        self._shape = (matrix.shape[0], matrix.shape[1])

    @property
    def n_packed(self) -> int:
        """The number of quantised parameters."""
        return self._shape[0] * self._shape[1]

    def matrix(self) -> Tensor:
        """Return the dequantised weight ``(out, in)`` in float32."""
        return unpack(self.codes, self.scales, self._scheme, self._shape)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``(…, out)`` for inputs ``(…, in)``."""
        bias = cast(Tensor | None, self.bias)
        found: Tensor = _Product.apply(inputs, bias, self)  # type: ignore[no-untyped-call]
        return found


class QuantisedLinear(_Packed, nn.Linear):
    """A linear layer; it says it is one, so that an adapter finds it."""

    def __init__(self, layer: nn.Linear, scheme: Scheme) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self._keep(layer.weight, layer.bias, scheme)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """The dequantised weight ``(out, in)``."""
        return self.matrix()

    def plain(self) -> nn.Linear:
        """Return a plain layer with the dequantised weight."""
        layer = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        layer.weight = nn.Parameter(self.matrix())
        layer.bias = None if self.bias is None else nn.Parameter(self.bias.detach())
        return layer


class QuantisedConv1D(_Packed, Conv1D):  # type: ignore[misc]
    """GPT-2's linear layer, whose weight is ``(in, out)``."""

    def __init__(self, layer: Conv1D, scheme: Scheme) -> None:
        nn.Module.__init__(self)
        self.nx, self.nf = layer.weight.shape
        self._keep(layer.weight.t().contiguous(), layer.bias, scheme)

    @property
    def weight(self) -> Tensor:
        """The dequantised weight ``(in, out)``."""
        return self.matrix().t()

    def plain(self) -> Conv1D:
        """Return a plain layer with the dequantised weight."""
        layer = Conv1D(self.nf, self.nx)
        layer.weight = nn.Parameter(self.weight.contiguous())
        layer.bias = nn.Parameter(cast(Tensor, self.bias).detach())
        return layer
