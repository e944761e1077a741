"""KV cache: keys and values, or the state, of the tokens read so far, for decoding one token at a time.

Rows of several lengths are padded on the left, so that their last tokens stand side by side.
"""

from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache, PreTrainedModel

from unequal.models.fsdp import run_forward

_NAMES = ("past_key_values", "cache_params")  # attention; state spaces


class KVCache:
    """Keys and values, or a state, of rows; rows can be selected.

    ``mask`` ``(batch, seq)`` is false where rows are padded; None where all are equally long.
    """

    def __init__(self, name: str, cache: DynamicCache, n_tokens: int, mask: Tensor | None = None) -> None:
        self._name = name
        self._cache = cache
        self._n_tokens = n_tokens
        self._mask = mask

    def select(self, rows: Tensor) -> None:
        """Keep these rows, in this order; a row may come several times."""
        self._cache.reorder_cache(rows)
        if self._mask is not None:
            self._mask = self._mask[rows]

    def inputs(self, model: PreTrainedModel, tokens: Tensor) -> dict[str, Any]:
        """Return the model's inputs for one token ``(batch,)`` more of each row."""
        inputs: dict[str, Any] = {self._name: self._cache, "use_cache": True, "input_ids": tokens[:, None]}
        if self._mask is not None:
            self._mask = pad(self._mask, (0, 1), value=True)
            inputs |= _of_padded(self._mask)
            inputs["position_ids"] = inputs["position_ids"][:, -1:]
        elif "position_ids" in signature(model.forward).parameters:  # some do not count with a state
            inputs["position_ids"] = torch.full_like(tokens[:, None], self._n_tokens)
        self._n_tokens += 1
        return inputs


def _of_padded(mask: Tensor) -> dict[str, Tensor]:
    """Return the model's inputs for rows that are padded where ``mask`` ``(batch, seq)`` is false."""
    return {"attention_mask": mask.long(), "position_ids": (mask.long().cumsum(1) - 1).clamp(min=0)}


def prefill(
    model: PreTrainedModel, ids: Tensor, cache: bool = True, mask: Tensor | None = None
) -> tuple[Tensor, KVCache | None]:
    """Return the last logits ``(batch, vocab)`` of rows ``(batch, seq)``, and their cache if requested.

    Rows are padded on the left where ``mask`` ``(batch, seq)`` is false.
    """
    more = {} if mask is None else _of_padded(mask)
    output = run_forward(model, lambda: model(input_ids=ids, use_cache=cache, logits_to_keep=1, **more))
    name = next((name for name in _NAMES if isinstance(getattr(output, name, None), DynamicCache)), None)
    filled = KVCache(name, getattr(output, name), ids.shape[1], mask) if cache and name else None
    return output.logits[:, -1].float(), filled


def decode_step(model: PreTrainedModel, cache: KVCache, tokens: Tensor) -> Tensor:
    """Return the last logits ``(batch, vocab)`` after one token ``(batch,)`` more of each row."""
    inputs = cache.inputs(model, tokens)
    logits: Tensor = run_forward(model, lambda: model(logits_to_keep=1, **inputs)).logits
    return logits[:, -1].float()
