"""What a model sees of the tokens before it, and rows of several lengths without padding between them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import signature
from itertools import groupby
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import AttentionInterface, DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from unequal.models.ask import agree, ask, ids_of, logits_of
from unequal.models.configuration import text_config, window_of
from unequal.models.fsdp import is_sharded

_NAME = "unequal_rows"
_KNOWN = frozenset(
    ["gpt2", "gpt_neox", "llama", "mistral", "phi3", "olmo", "olmo2", "olmo3", "qwen2", "qwen3", "gemma2",
     "gemma3_text", "mixtral", "olmoe", "qwen3_moe"]
)  # fmt: skip
"""Types of model whose configuration says all of how they look back; any other is tried out."""
_BRANCH = 4  # tokens beyond the prompt, in a trial
_ROWS: ContextVar["_Rows"] = ContextVar("rows that stand in one")


class _Block(NamedTuple):
    """Rows of one length; of their last tokens, ``needed`` are asked of the last layer."""

    rows: int
    length: int
    needed: int


class _Rows(NamedTuple):
    """Tokens that stand first and with which every row begins, and the rows without them."""

    shared: int
    blocks: list[_Block]


def sees_by_attention_alone(model: PreTrainedModel, longest: int) -> bool:
    """Return whether positions and attention that we set are all by which a token knows of those before it.

    Not so where a state runs along the row (state-space and hybrid models), where distances are counted along
    it (ALiBi), where a kernel takes no mask of ours (flash attention), or where a sliding window is shorter
    than the ``longest`` row, since our mask would widen it. What the configuration promises is tried, once,
    unless the type of model is known.
    """
    inputs = signature(model.forward).parameters
    return (
        {"attention_mask", "position_ids"} <= set(inputs)
        and not getattr(text_config(model), "alibi", False)
        and model.config._attn_implementation in ("sdpa", "eager")
        and all(_looks_back(layer, longest) for layer in _cache_layers(model))
        and _tried(model, f"tree in {model.config._attn_implementation}", _sees_a_tree, longest)
    )


def _tried(
    model: PreTrainedModel, name: str, trial: Callable[[PreTrainedModel, int], bool], longest: int
) -> bool:
    """Return whether the model passes a trial with rows that long; types that are known need none.

    A sharded model is not tried, since not all of its processes may have rows that long.
    """
    if model.config.model_type in _KNOWN:
        return True
    if is_sharded(model):
        return False
    length = max(8, 1 << (longest - 1).bit_length())
    if window := window_of(model):
        length = max(1, min(length, window - _BRANCH))
    return ask(model, f"{name}, {length}", lambda model: trial(model, length))


def mask_inputs(model: PreTrainedModel, mask: Tensor, positions: Tensor) -> dict[str, Tensor]:
    """Return what a model is handed so that tokens look where ``mask`` ``(batch, 1, seq, seq)`` is true.

    ``positions`` are ``(batch, seq)``.
    """
    mask, positions = mask.to(model.device), positions.to(model.device)
    if model.config._attn_implementation == "eager":  # which adds its mask to the attention scores
        lowest = torch.finfo(model.dtype).min
        mask = torch.zeros(mask.shape, dtype=model.dtype, device=mask.device).masked_fill(~mask, lowest)
    return {"attention_mask": mask, "position_ids": positions}


def _sees_a_tree(model: PreTrainedModel, length: int) -> bool:
    """Try a prompt and branches off it in one row; the last must see the prompt and no other branch."""
    ids = ids_of(model, 2 * length + 2)
    mask = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
    mask[-2:, length:-2] = False
    branches = [length + place % _BRANCH for place in range(length)]
    positions = torch.tensor([[*range(length), *branches, length, length + 1]])
    found = logits_of(model, ids, **mask_inputs(model, mask[None, None], positions))
    right = logits_of(model, [*ids[:length], *ids[-2:]])
    unmasked = logits_of(model, ids, position_ids=positions.to(model.device))
    return agree(model, found[-2:], right[-2:], unmasked[-2:]) and agree(
        model, found[:length], right[:length], right[1 : length + 1]
    )


def _cache_layers(model: PreTrainedModel) -> list[Any]:
    """Return the layers of the cache that a model would keep; none is known where it cannot be made."""
    try:
        return list(DynamicCache(config=model.config).layers)
    except Exception:  # configurations that say of their layers what a cache does not know
        return [None]


def _looks_back(layer: Any, longest: int) -> bool:
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
        and _tried(model, "rows apart", _keeps_rows_apart, longest)
    )


def _keeps_rows_apart(model: PreTrainedModel, length: int) -> bool:
    """Try two rows in one, with and without a shared beginning; the second must not see the first."""
    ids = ids_of(model, length + 3)
    found, right, wrong = [], [], []
    for shared in (0, 2):
        rows = (ids[shared:3], ids[3 : length + 3 - shared])
        begun = [[*ids[:shared], *row] for row in rows]
        places = [torch.arange(shared), *(torch.arange(shared, len(row)) for row in begun)]
        positions = torch.cat(places)[None].to(model.device)
        together = [*ids[:shared], *rows[0], *rows[1]]
        with rows_apart(model, [len(row) for row in rows], shared=shared):
            found.append(logits_of(model, together, position_ids=positions)[shared:])
        right.append(torch.cat([logits_of(model, row)[shared:] for row in begun]))
        wrong.append(logits_of(model, together)[shared:])
    return agree(model, *map(torch.cat, (found, right, wrong)))


@contextmanager
def rows_apart(
    model: PreTrainedModel, lengths: Sequence[int], needed: Sequence[int] | None = None, shared: int = 0
) -> Iterator[None]:
    """Keep rows of these lengths, one after another in a single row, from seeing each other in the block.

    Rows of one length that follow each other are attended to together, so sort them. The model must be one
    that `can_do_without_padding`, and is handed ``position_ids`` that begin anew with each row. ``needed`` is
    how many of each row's last tokens are asked of the last layer: all by default, and in types of model that
    are not known. The first ``shared`` tokens of the single row are the beginning of every row, which
    ``lengths`` and rows then lack.
    """
    if needed is None or model.config.model_type not in _KNOWN:
        needed = lengths
    rows = groupby(zip(lengths, needed, strict=True), key=lambda row: row[0])
    wanted = [(length, [ending for _, ending in group]) for length, group in rows]
    blocks = [_Block(len(endings), length, max(endings)) for length, endings in wanted]
    token = _ROWS.set(_Rows(shared, blocks))
    model.config._attn_implementation = _NAME
    try:
        yield
    finally:
        model.config._attn_implementation = "sdpa"
        _ROWS.reset(token)


def _attend(
    module: Any,  # of a family's own class, which knows its configuration and place
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,  # noqa: ARG001  handed on by name by some models
    **settings: Any,
) -> tuple[Tensor, None]:
    """Return causal attention ``(1, tokens, heads, size)`` of states ``(1, heads, tokens, size)``, by row."""
    shared, blocks = _ROWS.get()
    is_last = module.layer_idx == module.config.num_hidden_layers - 1
    tokens = [shared, *(block.rows * block.length for block in blocks)]
    first, *parts = zip(*(torch.split(states[0], tokens, 1) for states in (query, key, value)), strict=True)
    found = []
    if shared:
        attended, _ = sdpa_attention_forward(module, *(states[None] for states in first), None, **settings)
        found.append(attended[0])
    for block, part in zip(blocks, parts, strict=True):
        queries, *seen = (states.unflatten(1, (block.rows, -1)).transpose(0, 1) for states in part)
        if shared:
            begun = (states.expand(block.rows, -1, -1, -1) for states in first[1:])
            seen = [torch.cat(states, 2) for states in zip(begun, seen, strict=True)]
        before, mask = block.length - block.needed if is_last else 0, None
        queries = queries[:, :, before:]
        n_queries, n_seen = queries.shape[2], shared + block.length
        if 1 < n_queries < n_seen:  # else causal attention is right as it is: one query sees all
            mask = queries.new_ones(1, 1, n_queries, n_seen, dtype=torch.bool).tril(shared + before)
        attended, _ = sdpa_attention_forward(module, queries, *seen, mask, **settings)
        whole = pad(attended, (0, 0, 0, 0, before, 0)) if before else attended
        found.append(whole.flatten(0, 1))
    return torch.cat(found)[None], None


AttentionInterface.register(_NAME, _attend)
