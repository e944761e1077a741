"""What a model sees of the tokens before it, and rows of several lengths without padding between them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import signature
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, DynamicCache, PreTrainedModel
from transformers.cache_utils import (
    CacheLayerMixin,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionCacheLayerMixin,
)
from transformers.integrations.sdpa_attention import sdpa_attention_forward

_NAME = "unequal_rows"
_BLOCKS: ContextVar[list[tuple[int, int]]] = ContextVar("blocks of rows of one length")


def sees_by_attention_alone(model: PreTrainedModel, longest: int) -> bool:
    """Return whether positions and attention that we set are all by which a token knows of those before it.

    Not so where a state runs along the row (state-space and hybrid models), where distances are counted along
    it (ALiBi), where a kernel takes no mask of ours (flash attention), or where a sliding window is shorter
    than the ``longest`` row, since our mask would widen it.
    """
    inputs = signature(model.forward).parameters
    return (
        {"attention_mask", "position_ids"} <= set(inputs)
        and not getattr(model.config, "alibi", False)
        and model.config._attn_implementation in ("sdpa", "eager")
        and all(_looks_back(layer, longest) for layer in DynamicCache(config=model.config).layers)
    )


def _looks_back(layer: CacheLayerMixin | LinearAttentionCacheLayerMixin, longest: int) -> bool:
    if isinstance(layer, DynamicSlidingWindowLayer):
        return type(layer) is DynamicSlidingWindowLayer and layer.sliding_window >= longest
    return type(layer) is DynamicLayer


def can_do_without_padding(model: PreTrainedModel, longest: int) -> bool:
    """Return whether rows up to ``longest`` may stand in one row, one after another, in `rows_apart`."""
    compiled = getattr(model.base_model, "_compiled_call_impl", None) is not None
    recomputing = any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
    return (
        model.config._attn_implementation == "sdpa"
        and model._supports_attention_backend
        and not (compiled or recomputing)  # what runs later would be outside the block
        and sees_by_attention_alone(model, longest)
    )


@contextmanager
def rows_apart(model: PreTrainedModel, lengths: Sequence[int]) -> Iterator[None]:
    """Keep rows of these lengths, one after another in a single row, from seeing each other in the block.

    Rows of one length that follow each other are attended to together, so sort them. The model must be one
    that `can_do_without_padding`, and is handed ``position_ids`` that begin anew with each row.
    """
    token = _BLOCKS.set([(len(list(group)), length) for length, group in groupby(lengths)])
    model.config._attn_implementation = _NAME
    try:
        yield
    finally:
        model.config._attn_implementation = "sdpa"
        _BLOCKS.reset(token)


def _attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, _mask: Tensor | None, **settings: Any
) -> tuple[Tensor, None]:
    """Return causal attention ``(1, tokens, heads, size)`` of states ``(1, heads, tokens, size)``, by row."""
    blocks = _BLOCKS.get()
    tokens = [number * length for number, length in blocks]
    parts = zip(*(torch.split(states[0], tokens, 1) for states in (query, key, value)), strict=True)
    found = []
    for (number, _), part in zip(blocks, parts, strict=True):
        folded = (states.unflatten(1, (number, -1)).transpose(0, 1) for states in part)
        attended, _ = sdpa_attention_forward(module, *folded, None, **settings)
        found.append(attended.flatten(0, 1))
    return torch.cat(found)[None], None


AttentionInterface.register(_NAME, _attend)
