"""Batch sampler: shuffled epochs of facts, computed from the number of the step alone."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from unequal.seeds import random_stream


class BatchOrder:
    """Batches of ``batch_size`` indices below ``n``; a round shows each once before any comes again.

    With ``weights`` (mean 1) a round of n places shows each as often as its weight, rounded up or down at
    random so that it is right on average.
    """

    def __init__(
        self, n: int, batch_size: int, seed: int, purpose: str, weights: Sequence[float] | None = None
    ) -> None:
        self._n = n
        self._batch_size = min(batch_size, n)
        self._seed = seed
        self._purpose = purpose
        self._weights = weights
        self._round = lru_cache(maxsize=2)(self._draw)

    def at(self, step: int) -> list[int]:
        """Return the indices of a step."""
        places = range(step * self._batch_size, (step + 1) * self._batch_size)
        return [self._round(place // self._n)[place % self._n] for place in places]

    def _draw(self, number: int) -> list[int]:
        stream = random_stream(self._seed, self._purpose, number)
        order = stream.sample(range(self._n), self._n)
        if self._weights is None:
            return order
        ends = list(accumulate(self._weights[index] for index in order))
        offset = stream.random()
        drawn = [order[min(bisect_right(ends, place + offset), self._n - 1)] for place in range(self._n)]
        return stream.sample(drawn, self._n)
