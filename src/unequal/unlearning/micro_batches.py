"""The shares of a step: what one forward pass sees of it, and which of them are this process's."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from unequal.models.distributed import n_processes, own_share
from unequal.unlearning.examples import Example
from unequal.unlearning.sampler import BatchOrder


class Share(NamedTuple):
    """Indices of rows to forget and to retain, of so many in the whole step."""

    forget: list[int]
    retain: list[int]
    n_forget: int
    n_retain: int


class Shares:
    """Every step's batches of rows to forget and to retain, cut for forward passes.

    Without ``micro_batch`` a step is one share a process; else it is about equal ones of at most so many rows
    to forget and as many to retain, the same number for each process. Rows of like length are side by side
    then, so that little is padded.
    """

    def __init__(
        self,
        forget: Sequence[Example],
        retain: Sequence[Example],
        batch_size: int,
        seed: int,
        draws: Sequence[float] | None,
        micro_batch: int | None,
    ) -> None:
        self._rows = (forget, retain)
        self._orders = (
            BatchOrder(len(forget), batch_size, seed, "forget", draws if forget else None),
            BatchOrder(len(retain), batch_size, seed, "retain"),
        )
        self._micro_batch = micro_batch

    def drawn(self, step: int) -> tuple[list[int], list[int]]:
        """Return the indices of the rows to forget and to retain that a step sees, over all processes."""
        forget, retain = (order.at(step) for order in self._orders)
        return forget, retain

    def at(self, step: int) -> Sequence[Share]:
        """Return the shares of a step that are this process's."""
        forget, retain = self.drawn(step)
        most = max(len(forget), len(retain))
        n = n_processes() * max(1, ceil(most / (self._micro_batch or most) / n_processes()))
        parts = zip(_cut(forget, self._rows[0], n), _cut(retain, self._rows[1], n), strict=True)
        return own_share([Share(one, other, len(forget), len(retain)) for one, other in parts])


def names_at(drawn: Sequence[Sequence[int]], names: Sequence[Sequence[str]]) -> list[str]:
    """Return the names at the indices that were drawn, group after group, each once."""
    found = [own[index] for indices, own in zip(drawn, names, strict=True) for index in indices]
    return list(dict.fromkeys(found))


def _cut(indices: list[int], rows: Sequence[Example], n: int) -> list[list[int]]:
    """Return the indices in ``n`` parts, by the length of their rows if there are several."""
    if n == 1:
        return [indices]
    by_length = sorted(indices, key=lambda index: len(rows[index].ids))
    edges = [len(indices) * number // n for number in range(n + 1)]
    return [by_length[start:stop] for start, stop in pairwise(edges)]
