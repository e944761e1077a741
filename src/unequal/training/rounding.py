"""Weights as a lower precision would keep them between steps: master weights of bfloat16."""

from collections.abc import Iterable

import torch
from torch import nn


@torch.no_grad()
def round_to_bf16(weights: Iterable[nn.Parameter]) -> None:
    """Round the weights to the nearest bfloat16 in place; they stay of the type that they are computed in.

    What a step changes by less than half of the distance to the next number, about 1/512 of the weight, is
    lost. The optimiser's moments and all sums keep their own precision.
    """
    for weight in weights:
        weight.copy_(weight.to(torch.bfloat16))
