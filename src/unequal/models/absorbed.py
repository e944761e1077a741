"""The last layer of GPT-2 at the tokens that are asked for, without keys and values of the tokens they see.

A head's score of a query q and a token's state h is q·(K h), which is (Kᵀ q)·h, and what it finds there is
Σ p (V h), which is V Σ p h: with the matrices on the side of the few tokens that ask, nothing has to be
worked out for the many that are seen. A bias of keys adds the same to all scores of a query and so changes
nothing. Not for families that turn keys by their position, which stands between q and K.

Source of the rearrangement: DeepSeek-V2 (DeepSeek-AI, 2024, arXiv:2405.04434), section 2.1.2, used there to
generate from compressed keys and values.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import PreTrainedModel
from transformers.models.gpt2.modeling_gpt2 import GPT2Attention, GPT2Block
from transformers.pytorch_utils import Conv1D

from unequal.models.cpu_kernels import is_hooked
from unequal.models.fsdp import is_sharded

_ROUND = 64  # tokens asked for; a library that prepares for each new shape, as oneDNN does, then sees few
_WORTH = 0.7  # of the usual products, up to which it is faster
_ROOM = 3  # times the states, as many as may be laid out row by row


class Asked(NamedTuple):
    """Tokens of a single row that are asked for, n in all; of the rows in it each has as many ``slots``."""

    places: Tensor
    """``(n,)``: where they stand."""
    slots: Tensor
    """``(n,)``: which slot each has, of those of all rows one after another."""
    seen: Tensor
    """``(rows, longest)``: where the tokens of each row stand."""
    hidden: Tensor
    """``(rows, slots, longest)``: −∞ at tokens that a slot does not see, else 0."""


def can_absorb(
    model: PreTrainedModel, lengths: Sequence[int], spans: Sequence[tuple[int, int]], shared: int
) -> bool:
    """Return whether `last_layer_absorbed` gives what the model's own last layer does, and is faster.

    That is asked for rows of these lengths and spans after ``shared`` tokens of all.
    """
    if model.config.model_type != "gpt2" or model.device.type != "cpu" or is_sharded(model):
        return False
    layer, norm = model.base_model.h[-1], model.base_model.ln_f
    if type(layer) is not GPT2Block or type(layer.attn) is not GPT2Attention:
        return False
    parts = (layer, layer.attn, norm)
    as_it_was = not any("forward" in vars(part) for part in parts)
    return (
        type(layer.attn.c_attn) is Conv1D
        and layer.attn.c_attn.weight.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and as_it_was
        and not any(map(is_hooked, (*parts, layer.attn.c_attn)))
        and _is_worth_it(layer.attn.head_dim, lengths, spans, shared)
    )


def _is_worth_it(
    head_size: int, lengths: Sequence[int], spans: Sequence[tuple[int, int]], shared: int
) -> bool:
    """Return whether there is less to work out, rows and slots being as many as the longest have."""
    n_tokens, n_seen = shared + sum(lengths), len(lengths) * (shared + max(lengths))
    n_asked, n_slots = sum(end - start for start, end in spans), max(end - start for start, end in spans)
    return n_asked + n_seen * n_slots / head_size <= _WORTH * n_tokens and n_seen <= _ROOM * n_tokens


def asked_at(
    starts: Sequence[int], lengths: Sequence[int], spans: Sequence[tuple[int, int]], shared: int
) -> Asked:
    """Return what is asked at the spans of rows that stand at ``starts``, after ``shared`` tokens of all."""
    n_slots = max(end - start for start, end in spans)
    first, length = (torch.tensor(column)[:, None] for column in (starts, lengths))
    index = torch.arange(shared + max(lengths))
    seen = torch.where(index < shared, index, first + index - shared)
    last_seen = shared + torch.tensor([span[0] for span in spans])[:, None] + torch.arange(n_slots)
    hidden = torch.zeros(len(spans), n_slots, len(index))
    places = [start + place for start, span in zip(starts, spans, strict=True) for place in range(*span)]
    slots = [n_slots * row + slot for row, (start, end) in enumerate(spans) for slot in range(end - start)]
    return Asked(
        torch.tensor(places),
        torch.tensor(slots),
        seen.masked_fill(index >= shared + length, 0),
        hidden.masked_fill(index > last_seen.clamp(max=shared + length - 1)[:, :, None], -torch.inf),
    )


@contextmanager
def last_layer_absorbed(model: PreTrainedModel, asked: Asked) -> Iterator[None]:
    """Run the last layer of a model that `can_absorb`, and the norm after it, where asked alone in the block.

    States that the model returns elsewhere are 0 then.
    """
    layer, norm = model.base_model.h[-1], model.base_model.ln_f
    plain_norm, shapes = type(norm).forward, []
    lacking = -len(asked.places) % _ROUND

    def run_layer(states: Tensor, *_inputs: object, **_settings: object) -> Tensor:
        shapes.append(states.shape)
        (row,) = states
        attended = pad(_attend(layer.attn, layer.ln_1(row), asked), (0, 0, 0, lacking))
        found = row.index_select(0, pad(asked.places, (0, lacking))) + layer.attn.c_proj(attended)
        ended: Tensor = found + layer.mlp(layer.ln_2(found))
        return ended[: len(asked.places)]

    def run_norm(found: Tensor) -> Tensor:
        return found.new_zeros(shapes.pop()).index_copy_(1, asked.places, plain_norm(norm, found)[None])

    layer.forward, norm.forward = run_layer, run_norm
    try:
        yield
    finally:
        del layer.forward, norm.forward


def _attend(attention: Any, states: Tensor, asked: Asked) -> Tensor:  # attention is transformers' own class
    """Return what the tokens asked for find, ``(n, width)``, in the states ``(tokens, width)`` of their rows.

    Axes are named n, h for heads, e for a head's size, and d for the width.
    """
    width, n_heads, size = attention.embed_dim, attention.num_heads, attention.head_dim
    matrices = attention.c_attn.weight.chunk(3, 1)
    to_query, to_key, to_value = (matrix.view(width, n_heads, size) for matrix in matrices)  # d h e
    query_bias, _, value_bias = attention.c_attn.bias.chunk(3)
    n_rows, n_slots, longest = asked.hidden.shape

    query = torch.addmm(query_bias, states.index_select(0, asked.places), to_query.flatten(1))
    query = (query * attention.scaling).view(-1, n_heads, size).transpose(0, 1) @ to_key.permute(
        1, 2, 0
    )  # h n d
    slotted = query.new_zeros(n_rows * n_slots, n_heads, width)
    slotted.index_copy_(0, asked.slots, query.transpose(0, 1))

    seen = states.index_select(0, asked.seen.flatten()).view(n_rows, longest, width)
    hidden = asked.hidden.to(states.dtype).repeat_interleave(n_heads, 1)
    scores = torch.baddbmm(hidden, slotted.view(n_rows, -1, width), seen.mT)
    found = (scores.softmax(-1) @ seen).view(-1, n_heads, width).index_select(0, asked.slots)  # n h d
    by_head = found.transpose(0, 1) @ to_value.transpose(0, 1)  # h n e
    values: Tensor = by_head.transpose(0, 1).flatten(1) + value_bias
    return values
