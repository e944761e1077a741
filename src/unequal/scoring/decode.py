"""Prompts of one length that a model has read, and the loop that continues them until every one has ended."""

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from unequal.facts.probes import Probe
from unequal.models.sharding import whole
from unequal.scoring.encoding import room

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

EXTRA_TOKENS = 4  # generated beyond the longest accepted answer, so that a wrong ending shows
_CACHES = ("past_key_values", "cache_params")  # attention; state spaces

Choice = Callable[[Tensor, Tensor, int], Tensor]
"""Next tokens ``(n,)`` from logits ``(n, vocab)``, the numbers of these rows ``(n,)``, and the step."""


class Decoding:
    """Rows of equal length and what the model keeps of them, be it keys and values or a state.

    A model that keeps nothing we can select rows of reads the whole row again at each step.
    Raises `DataError` when the rows are longer than the model's window.
    """

    def __init__(self, model: PreTrainedModel, ids: Tensor) -> None:
        self._model = model
        self._ids = ids
        self.room = room(model, ids.shape[1])
        output = whole(model, lambda: model(input_ids=ids, use_cache=True, logits_to_keep=1))
        self._name = next(
            (name for name in _CACHES if isinstance(getattr(output, name, None), DynamicCache)), None
        )
        self._cache = getattr(output, self._name) if self._name else None
        self.logits: Tensor = output.logits[:, -1].float()

    def select(self, rows: Tensor) -> None:
        """Keep these rows, in this order; a row may come several times."""
        self._ids, self.logits = self._ids[rows], self.logits[rows]
        if self._cache is not None:
            self._cache.reorder_cache(rows)

    def copy(self, rows: Tensor) -> Self:
        """Return these rows to be continued apart."""
        other = copy.copy(self)
        other._cache = copy.deepcopy(self._cache)
        other.select(rows)
        return other

    def step(self, tokens: Tensor) -> None:
        """Append one token ``(batch,)`` to each row and read it."""
        self._ids = torch.cat([self._ids, tokens[:, None]], dim=1)
        kept: dict[str, Any] = {self._name: self._cache, "use_cache": True} if self._name else {}
        ids = tokens[:, None] if self._name else self._ids
        output = whole(self._model, lambda: self._model(input_ids=ids, logits_to_keep=1, **kept))
        self.logits = output.logits[:, -1].float()


def continue_rows(decoding: Decoding, limits: Sequence[int], end: int, choose: Choice) -> list[list[int]]:
    """Return the token ids that follow each row, up to the end token, its limit or the end of the window.

    A row that has ended is read no further.
    """
    device = decoding.logits.device
    longest = max(limits) if decoding.room is None else min(max(limits), decoding.room + 1)
    limit = torch.tensor(limits, device=device).clamp(max=longest)
    found = torch.full((len(limits), longest), end, device=device)
    rows = torch.arange(len(limits), device=device)
    for step in range(longest):
        tokens = choose(decoding.logits, rows, step)
        found[rows, step] = tokens
        goes_on = (tokens != end) & (limit[rows] > step + 1)
        if not bool(goes_on.all()):
            left = goes_on.nonzero().squeeze(1)
            if not len(left):
                break
            rows, tokens = rows[left], tokens[left]
            decoding.select(left)
        decoding.step(tokens)
    ids = found.tolist()
    return [row[: row.index(end)] if end in row else row for row in ids]


def token_limit(tokenizer: "PreTrainedTokenizerBase", probe: Probe) -> int:
    """Return how many tokens a continuation may have: those of the longest accepted answer, and some."""
    answers = tokenizer([f" {text}" for text in probe.accepted], add_special_tokens=False)["input_ids"]
    return max(map(len, answers)) + EXTRA_TOKENS


def length_buckets(prompts: Sequence[Sequence[int]], limits: Sequence[int], size: int) -> list[list[int]]:
    """Return the indices of prompts of exactly one length each, at most ``size``, of similar limits."""
    buckets: dict[int, list[int]] = {}
    for index in sorted(range(len(prompts)), key=lambda i: limits[i]):
        buckets.setdefault(len(prompts[index]), []).append(index)
    return [rows[start : start + size] for rows in buckets.values() for start in range(0, len(rows), size)]


def text_of(tokenizer: "PreTrainedTokenizerBase", ids: Sequence[int]) -> str:
    """Return the ids as text, without special tokens and space at either side."""
    return str(tokenizer.decode(ids, skip_special_tokens=True)).strip()
