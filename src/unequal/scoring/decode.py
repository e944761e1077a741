"""Decoding: prompts with their KV cache, and the loop that continues them to their ends."""

import copy
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple, Self

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.models.capabilities import capabilities_of
from unequal.models.configuration import window_of
from unequal.models.kv_cache import decode_step, prefill
from unequal.oom import current_batch_size
from unequal.scoring.encoding import OpenPrompt, room
from unequal.scoring.ending import Stopper

_NOTHING = -1  # no token's id
_MANY = 64  # rows of one length, which are no faster with more beside them

Choice = Callable[[Tensor, Tensor, int], Tensor]
"""Next tokens ``(n,)`` from logits ``(n, vocab)``, the numbers of these rows ``(n,)``, and the step."""


class Rows(NamedTuple):
    """Prompts that are continued together: their numbers and their ids ``(batch, seq)``.

    They are padded on the left where ``mask`` ``(batch, seq)`` is false; None where all are equally long.
    """

    indices: list[int]
    ids: Tensor
    mask: Tensor | None = None


class Decoding:
    """Rows and the model's KV cache, or state, of them.

    A model without a usable cache reads the whole row again at each step; its rows must be equally long.
    Raises `DataError` when the rows are longer than the model's window.
    """

    def __init__(self, model: PreTrainedModel, rows: Rows) -> None:
        self._model = model
        self._ids = rows.ids.to(model.device)
        self.room = room(model, self._ids.shape[1])
        mask = None if rows.mask is None else rows.mask.to(model.device)
        self.logits, self._cache = prefill(model, self._ids, capabilities_of(model).kv_cache, mask)

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


class Batches:
    """Prompts in batches that are continued together: of one way to end, and of at most ``size`` rows.

    Where the model supports padding, rows of several lengths share a batch, unless there are many of one.
    """

    def __init__(self, prompts: Sequence[OpenPrompt], size: int) -> None:
        self._prompts, self._size = prompts, current_batch_size(size)
        self._made: dict[bool, list[Rows]] = {}

    def of(self, model: PreTrainedModel) -> list[Rows]:
        """Return the batches for a model."""
        padded = capabilities_of(model).left_padding
        if padded not in self._made:
            self._made[padded] = self._make(padded, window_of(model))
        return self._made[padded]

    def _make(self, padded: bool, window: int | None) -> list[Rows]:
        groups: dict[object, dict[int, list[int]]] = {}
        for index in sorted(range(len(self._prompts)), key=lambda i: self._prompts[i].limit):
            prompt = self._prompts[index]
            by_length = groups.setdefault((prompt.ends, prompt.stops), {})
            by_length.setdefault(len(prompt.ids), []).append(index)
        parts = [part for by_length in groups.values() for part in self._joined(by_length, padded, window)]
        return [
            self._rows(part[start : start + self._size])
            for part in parts
            for start in range(0, len(part), self._size)
        ]

    def _joined(
        self, by_length: Mapping[int, list[int]], padded: bool, window: int | None
    ) -> list[list[int]]:
        """Return the prompts of each length, those of which there are few together, the shortest first.

        What would reach the end of the window stays apart, since padding takes room there.
        """
        apart: list[list[int]] = []
        together: list[int] = []
        longest = max(by_length)
        for _, indices in sorted(by_length.items()):
            limit = max(self._prompts[index].limit for index in indices)
            few = padded and len(indices) < _MANY and (window is None or longest + limit <= window)
            if few:
                together += indices
            else:
                apart.append(indices)
        return [*apart, together] if together else apart

    def _rows(self, indices: list[int]) -> Rows:
        rows = [self._prompts[index].ids for index in indices]
        longest = max(map(len, rows))
        if all(len(row) == longest for row in rows):
            return Rows(indices, torch.tensor(rows))
        lengths = torch.tensor([len(row) for row in rows])
        ids = torch.tensor([[row[-1]] * (longest - len(row)) + row for row in rows])
        return Rows(indices, ids, torch.arange(longest) >= longest - lengths[:, None])
