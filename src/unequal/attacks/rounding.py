"""Quantisation round trip: parameters quantised and read back, int8 with a scale an output, nf4 a block.

The arithmetic is that of bitsandbytes, step by step in float32, so that parameters agree bit for bit.
"""

from collections.abc import Iterator
from importlib.util import find_spec

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from unequal.errors import ConfigError
from unequal.models.compute_settings import Backend, Scheme
from unequal.models.quantised import BLOCK, pack, unpack

SMALLEST = 1e-30  # a scale of zero would divide by zero
# Dettmers et al. (2023), appendix E: quantiles of the normal distribution, zero and both ends among them.
NF4_LEVELS = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip


def rounded(matrix: Tensor, scheme: Scheme, backend: Backend = "exact") -> Tensor:
    """Return the weights ``(out, in)`` as they are read back after rounding, in the dtype they had.

    Raises `ConfigError` when bitsandbytes is asked for and not installed.
    """
    is_installed = find_spec("bitsandbytes") is not None
    if backend == "bitsandbytes" and not is_installed:
        raise ConfigError(
            "backend bitsandbytes is not installed; run: pip install 'unequal[quantised]', or use"
            " backend = 'exact', which gives the same weights"
        )
    if backend == "exact" or not is_installed:
        return (_int8 if scheme == "int8" else _nf4)(matrix.float()).to(matrix.dtype)
    return unpack(*pack(matrix, scheme), scheme, (matrix.shape[0], matrix.shape[1])).to(matrix.dtype)


def matrices(model: PreTrainedModel, embeddings: bool) -> Iterator[tuple[Tensor, bool]]:
    """Yield the weight of each linear layer once, and whether it is kept as ``(in, out)``.

    The embeddings and the head come only when asked for, once if they are one.
    """
    ends = {id(module) for module in (model.get_input_embeddings(), model.get_output_embeddings()) if module}
    seen: set[int] = set()
    for module in model.modules():
        is_end = id(module) in ends
        if (is_end and not embeddings) or not (is_end or isinstance(module, nn.Linear | Conv1D)):
            continue
        weight = module.weight
        if isinstance(weight, Tensor) and id(weight) not in seen:
            seen.add(id(weight))
            yield weight, isinstance(module, Conv1D)


def _int8(matrix: Tensor) -> Tensor:
    """Return w ≈ s·q/127 with q = round(127·w/s) and s the largest magnitude of the row."""
    scale = matrix.abs().amax(1, keepdim=True)
    whole = torch.round(matrix * (127.0 / scale.clamp(min=SMALLEST)))
    return whole * scale * (1 / 127)


def _nf4(matrix: Tensor) -> Tensor:
    """Return w ≈ s·level with s the largest magnitude of 64 weights in a row of memory, the nearest level."""
    flat = matrix.reshape(-1)
    blocks = pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)
    scale = blocks.abs().amax(1, keepdim=True)
    levels = torch.tensor(NF4_LEVELS, device=matrix.device)
    nearest = torch.bucketize(
        (blocks * (1.0 / scale.clamp(min=SMALLEST))).clamp(-1, 1), levels[1:].add(levels[:-1]) / 2
    )
    return (levels[nearest] * scale).view(-1)[: len(flat)].view(matrix.shape)
