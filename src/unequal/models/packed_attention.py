"""Packed attention: rows of several lengths, one after another in one row without padding between them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import groupby
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

_NAME = "unequal_rows"
_PACKED: ContextVar["_Packed"] = ContextVar("lengths of the packed rows")


class _Block(NamedTuple):
    """Rows of one length."""

    rows: int
    length: int


class _Packed(NamedTuple):
    """The number of prefix tokens, which stand first and are seen by every row, and the rows without them."""

    shared: int
    blocks: list[_Block]


def mask_inputs(model: PreTrainedModel, mask: Tensor, positions: Tensor) -> dict[str, Tensor]:
    """Return the model's inputs for attention where ``mask`` ``(batch, 1, seq, seq)`` is true.

    ``positions`` are ``(batch, seq)``.
    """
    mask, positions = mask.to(model.device), positions.to(model.device)
    if model.config._attn_implementation == "eager":  # which adds its mask to the attention scores
        lowest = torch.finfo(model.dtype).min
        mask = torch.zeros(mask.shape, dtype=model.dtype, device=mask.device).masked_fill(~mask, lowest)
    return {"attention_mask": mask, "position_ids": positions}


@contextmanager
def packed_rows(model: PreTrainedModel, lengths: Sequence[int], shared: int = 0) -> Iterator[None]:
    """Run a model on rows of these lengths packed into one, none of which sees another, in the block.

    Rows of one length that follow each other are attended to together, so sort them. The model must be one
    that `supports_packing`, and gets ``position_ids`` that begin anew with each row. The first ``shared``
    tokens are a prefix of every row, which ``lengths`` leave out.
    """
    blocks = [_Block(len(list(rows)), length) for length, rows in groupby(lengths)]
    token = _PACKED.set(_Packed(shared, blocks))
    model.config._attn_implementation = _NAME
    try:
        yield
    finally:
        model.config._attn_implementation = "sdpa"
        _PACKED.reset(token)


def _attend(
    module: Any,  # of a family's own class, which knows its configuration and place
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,  # noqa: ARG001  handed on by name by some models
    **settings: Any,
) -> tuple[Tensor, None]:
    """Return causal attention ``(1, tokens, heads, size)`` of states ``(1, heads, tokens, size)``, by row."""
    shared, blocks = _PACKED.get()
    tokens = [shared, *(block.rows * block.length for block in blocks)]
    prefix, *parts = zip(*(torch.split(states[0], tokens, 1) for states in (query, key, value)), strict=True)
    found = []
    if shared:
        attended, _ = sdpa_attention_forward(module, *(states[None] for states in prefix), None, **settings)
        found.append(attended[0])
    for (n_rows, length), part in zip(blocks, parts, strict=True):
        queries, *seen = (states.unflatten(1, (n_rows, -1)).transpose(0, 1) for states in part)
        mask = None
        if shared:
            before = (states.expand(n_rows, -1, -1, -1) for states in prefix[1:])
            seen = [torch.cat(states, 2) for states in zip(before, seen, strict=True)]
            if length > 1:  # else causal attention is right as it is: one query sees all
                mask = queries.new_ones(1, 1, length, shared + length, dtype=torch.bool).tril(shared)
        attended, _ = sdpa_attention_forward(module, queries, *seen, mask, **settings)
        found.append(attended.flatten(0, 1))
    return torch.cat(found)[None], None


AttentionInterface.register(_NAME, _attend)
