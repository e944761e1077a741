"""Which facts a step sees: shuffled rounds without repeats, computed from the step's number alone."""

from functools import lru_cache

from unequal.seeds import random_stream


class BatchOrder:
    """Batches of ``batch_size`` indices below ``n``; a round shows each once before any comes again."""

    def __init__(self, n: int, batch_size: int, seed: int, purpose: str) -> None:
        self._n = n
        self._batch_size = min(batch_size, n)
        self._round = lru_cache(maxsize=2)(
            lambda number: random_stream(seed, purpose, number).sample(range(n), n)
        )

    def at(self, step: int) -> list[int]:
        """Return the indices of a step."""
        places = range(step * self._batch_size, (step + 1) * self._batch_size)
        return [self._round(place // self._n)[place % self._n] for place in places]
