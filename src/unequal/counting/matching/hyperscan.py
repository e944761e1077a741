"""The Hyperscan matcher, by the library hyperscan (an extra)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unequal.counting.matching.matcher import Matches, capitalised, capitalised_patterns
from unequal.counting.words import Words


class HyperscanMatcher:
    """One Hyperscan database over all patterns, as literals."""

    def __init__(self, patterns: Sequence[bytes]) -> None:
        import hyperscan

        self._lengths = np.array([len(pattern) for pattern in patterns], dtype=np.int64)
        self._database = hyperscan.Database() if patterns else None
        if self._database is not None:
            self._database.compile(
                expressions=capitalised_patterns(patterns),
                ids=list(range(len(patterns))),
                elements=len(patterns),
                flags=[0] * len(patterns),
                literal=True,
            )

    def find(self, data: bytes, words: Words) -> Matches:
        """Return all matches at word boundaries, and some others."""
        flat: list[int] = []

        def record(pattern: int, _begin: int, end: int, _flags: int, _context: Any) -> None:
            flat.extend((pattern, end))

        if self._database is not None:
            self._database.scan(capitalised(data, words.starts), match_event_handler=record)
        pattern, end = np.array(flat, dtype=np.int64).reshape(-1, 2).T
        return Matches(pattern, end - self._lengths[pattern], end)
