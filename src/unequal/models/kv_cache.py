"""What a model keeps of the tokens it has read, so that the next one can be read alone."""

from inspect import signature
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from unequal.models.ask import agree, ask, ids_of, logits_of
from unequal.models.fsdp import whole

_NAMES = ("past_key_values", "cache_params")  # attention; state spaces


class Kept:
    """Keys and values, or a state, of rows of equal length; rows can be selected."""

    def __init__(self, name: str, cache: DynamicCache, n_tokens: int) -> None:
        self._name = name
        self._cache = cache
        self._n_tokens = n_tokens

    def select(self, rows: Tensor) -> None:
        """Keep these rows, in this order; a row may come several times."""
        self._cache.reorder_cache(rows)

    def inputs(self, model: PreTrainedModel, tokens: Tensor) -> dict[str, Any]:
        """Return what a model is handed to read one token ``(batch,)`` more of each row."""
        inputs: dict[str, Any] = {self._name: self._cache, "use_cache": True, "input_ids": tokens[:, None]}
        if "position_ids" in signature(model.forward).parameters:  # some do not count with a state
            inputs["position_ids"] = torch.full_like(tokens[:, None], self._n_tokens)
        self._n_tokens += 1
        return inputs


def read(model: PreTrainedModel, ids: Tensor, keep: bool = True) -> tuple[Tensor, Kept | None]:
    """Return the last logits ``(batch, vocab)`` of rows ``(batch, seq)``, and what is kept if it is to be."""
    output = whole(model, lambda: model(input_ids=ids, use_cache=keep, logits_to_keep=1))
    name = next((name for name in _NAMES if isinstance(getattr(output, name, None), DynamicCache)), None)
    kept = Kept(name, getattr(output, name), ids.shape[1]) if keep and name else None
    return output.logits[:, -1].float(), kept


def read_on(model: PreTrainedModel, kept: Kept, tokens: Tensor) -> Tensor:
    """Return the last logits ``(batch, vocab)`` once one token ``(batch,)`` more of each row was read."""
    inputs = kept.inputs(model, tokens)
    logits: Tensor = whole(model, lambda: model(logits_to_keep=1, **inputs)).logits
    return logits[:, -1].float()


def keeps_what_it_read(model: PreTrainedModel) -> bool:
    """Return whether what a model keeps serves as well as reading all anew; it is tried, once."""
    return ask(model, "keeps", _keeps)


def _keeps(model: PreTrainedModel) -> bool:
    """Try three rows of which two are left, continued by two tokens."""
    ids = ids_of(model, 8)
    rows = torch.tensor([ids[0:4], ids[1:5], ids[2:6]], device=model.device)
    _, kept = read(model, rows)
    if kept is None:
        return False
    kept.select(torch.tensor([2, 0], device=model.device))
    for token in ids[6:]:
        found = read_on(model, kept, torch.full((2,), token, device=model.device)).double()
    right, other = (logits_of(model, [*rows[row].tolist(), *ids[6:]])[-1] for row in (2, 0))
    return agree(model, found[0], right, other) and agree(model, found[1], other, right)
