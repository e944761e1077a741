"""The Aho-Corasick matcher, by the library ahocorasick_rs."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from ahocorasick_rs import BytesAhoCorasick

from unequal.counting.matching.matcher import Matches, capitalised, capitalised_patterns
from unequal.counting.words import Words


class AhoCorasickMatcher:
    """Aho-Corasick automaton over all patterns."""

    def __init__(self, patterns: Sequence[bytes]) -> None:
        self._automaton = BytesAhoCorasick(capitalised_patterns(patterns)) if patterns else None

    def find(self, data: bytes, words: Words) -> Matches:
        """Return all matches at word boundaries, and some others."""
        text = capitalised(data, words.starts)
        found = self._automaton.find_matches_as_indexes(text, overlapping=True) if self._automaton else []
        flat = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=3 * len(found))
        return Matches(*flat.reshape(-1, 3).T)
