"""Micro-batches: what one forward pass sees of a step, and which of them are this process's."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from unequal.models.distributed import n_processes, own_share
from unequal.unlearning.examples import Example
from unequal.unlearning.run import Run
from unequal.unlearning.sampler import BatchOrder


class MicroBatch(NamedTuple):
    """Indices of examples to forget and to retain, of so many in the whole step."""

    forget: list[int]
    retain: list[int]
    n_forget: int
    n_retain: int


class MicroBatches:
    """Every step's batches of examples to forget and to retain, cut for forward passes.

    Without a size a step is one micro-batch a process; else it is about equal ones of at most so many
    examples to forget and as many to retain, the same number for each process. Examples of like length are
    side by side then, so that little is padded. ``draws`` is how often each example to forget is drawn.
    """

    def __init__(
        self,
        run: Run,
        forget: Sequence[Example],
        retain: Sequence[Example],
        draws: Sequence[float] | None = None,
    ) -> None:
        size, seed = run.settings.batch_size, run.seed
        self._examples = (forget, retain)
        self._orders = (
            BatchOrder(len(forget), size, seed, "forget", draws if forget else None),
            BatchOrder(len(retain), size, seed, "retain"),
        )
        self._size = run.micro_batch

    def drawn(self, step: int) -> tuple[list[int], list[int]]:
        """Return the indices of the examples to forget and to retain of a step, over all processes."""
        forget, retain = (order.at(step) for order in self._orders)
        return forget, retain

    def at(self, step: int) -> Sequence[MicroBatch]:
        """Return the micro-batches of a step that are this process's."""
        forget, retain = self.drawn(step)
        most = max(len(forget), len(retain))
        n = n_processes() * max(1, ceil(most / (self._size or most) / n_processes()))
        parts = zip(_cut(forget, self._examples[0], n), _cut(retain, self._examples[1], n), strict=True)
        return own_share([MicroBatch(one, other, len(forget), len(retain)) for one, other in parts])


def _cut(indices: list[int], examples: Sequence[Example], n: int) -> list[list[int]]:
    """Return the indices in ``n`` parts, by the length of their examples if there are several."""
    if n == 1:
        return [indices]
    by_length = sorted(indices, key=lambda index: len(examples[index].ids))
    edges = [len(indices) * number // n for number in range(n + 1)]
    return [by_length[start:stop] for start, stop in pairwise(edges)]
