"""Decoding: prompts of one length with their KV cache, and the loop that continues them to their ends."""

import copy
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Self

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.models.capabilities import capabilities_of
from unequal.models.kv_cache import decode_step, prefill
from unequal.oom import current_batch_size
from unequal.scoring.encoding import OpenPrompt, room
from unequal.scoring.ending import Stopper

_NOTHING = -1  # no token's id

Choice = Callable[[Tensor, Tensor, int], Tensor]
"""Next tokens ``(n,)`` from logits ``(n, vocab)``, the numbers of these rows ``(n,)``, and the step."""


class Decoding:
    """Rows of equal length and the model's KV cache, or state, of them.

    A model without a usable cache reads the whole row again at each step.
    Raises `DataError` when the rows are longer than the model's window.
    """

    def __init__(self, model: PreTrainedModel, ids: Tensor) -> None:
        self._model = model
        self._ids = ids
        self.room = room(model, ids.shape[1])
        self.logits, self._cache = prefill(model, ids, capabilities_of(model).kv_cache)

    def select(self, rows: Tensor) -> None:
        """Keep these rows, in this order; a row may come several times."""
        self._ids, self.logits = self._ids[rows], self.logits[rows]
        if self._cache is not None:
            self._cache.select(rows)

    def copy(self, rows: Tensor) -> Self:
        """Return these rows to be continued apart."""
        other = copy.copy(self)
        other._cache = copy.deepcopy(self._cache)
        other.select(rows)
        return other

    def step(self, tokens: Tensor) -> None:
        """Append one token ``(batch,)`` to each row and read it."""
        self._ids = torch.cat([self._ids, tokens[:, None]], dim=1)
        if self._cache is None:
            self.logits, _ = prefill(self._model, self._ids, cache=False)
        else:
            self.logits = decode_step(self._model, self._cache, tokens)


def continue_rows(
    decoding: Decoding,
    limits: Sequence[int],
    ends: frozenset[int],
    choose: Choice,
    stopper: Stopper | None = None,
) -> list[list[int]]:
    """Return the token ids that follow each row, up to an end token, its limit or the end of the window.

    A row that has ended, or whose text the ``stopper`` takes to have ended, is read no further.
    """
    device = decoding.logits.device
    said: list[list[int]] = [[] for _ in limits]
    longest = max(limits) if decoding.room is None else min(max(limits), decoding.room + 1)
    limit = torch.tensor(limits, device=device).clamp(max=longest)
    found = torch.full((len(limits), longest), _NOTHING, device=device)
    ending = torch.tensor(sorted(ends), device=device, dtype=torch.long)
    rows = torch.arange(len(limits), device=device)
    for step in range(longest):
        tokens = choose(decoding.logits, rows, step)
        found[rows, step] = tokens
        goes_on = ~torch.isin(tokens, ending) & (limit[rows] > step + 1)
        if stopper is not None:
            stopped = [stopper.stops(said[row], token) for row, token in _pairs(rows, tokens)]
            goes_on &= ~torch.tensor(stopped, device=device)
        if not bool(goes_on.all()):
            left = goes_on.nonzero().squeeze(1)
            if not len(left):
                break
            rows, tokens = rows[left], tokens[left]
            decoding.select(left)
        decoding.step(tokens)
    return [list(takewhile(lambda token: token not in {_NOTHING, *ends}, row)) for row in found.tolist()]


def _pairs(rows: Tensor, tokens: Tensor) -> list[tuple[int, int]]:
    return list(zip(rows.tolist(), tokens.tolist(), strict=True))


def batches_of(prompts: Sequence[OpenPrompt], size: int) -> list[tuple[list[int], Tensor]]:
    """Return prompts as ids ``(batch, seq)`` with their indices: of one length and one way to end, at most
    ``size``, of similar limits."""
    size = current_batch_size(size)
    buckets: dict[object, list[int]] = {}
    for index in sorted(range(len(prompts)), key=lambda i: prompts[i].limit):
        prompt = prompts[index]
        buckets.setdefault((len(prompt.ids), prompt.ends, prompt.stops), []).append(index)
    parts = [rows[start : start + size] for rows in buckets.values() for start in range(0, len(rows), size)]
    return [(part, torch.tensor([prompts[index].ids for index in part])) for part in parts]
