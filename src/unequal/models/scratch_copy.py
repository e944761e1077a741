"""A temporary copy of a model that may be changed; a sharded model is changed and then restored."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel

from unequal.models.fsdp import is_sharded, local


@contextmanager
def copy_of(model: PreTrainedModel) -> Iterator[PreTrainedModel]:
    """Yield a copy that may be changed in the block, and in it alone.

    A sharded model cannot be copied: it is itself changed, and afterwards, bit for bit, what it was.
    """
    if not is_sharded(model):
        yield copy.deepcopy(model)
        return
    weights = list(model.parameters())
    before = [(local(weight.detach()).clone(), weight.requires_grad) for weight in weights]
    try:
        yield model
    finally:
        with torch.no_grad():
            for weight, (values, is_trained) in zip(weights, before, strict=True):
                local(weight).copy_(values)
                weight.requires_grad_(is_trained)
                weight.grad = None
