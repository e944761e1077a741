"""The interface of matchers, and the capitalised text that they search."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from unequal.counting.words import Bools, Ints, Words, words_of


class Matches(NamedTuple):
    """Matches: pattern indices and byte spans [start, end), unordered, each of shape (n_matches,)."""

    pattern: Ints
    start: Ints
    end: Ints


class Matcher(Protocol):
    """Compiled patterns to search for."""

    def find(self, data: bytes, words: Words) -> Matches:
        """Return all matches at word boundaries, including overlapping ones.

        The result may contain other matches too.
        """
        ...


class MatcherFactory(Protocol):
    """Compiles patterns; the type of entries of the matcher registry."""

    def __call__(self, patterns: Sequence[bytes]) -> Matcher:
        """Return the matcher of distinct, non-empty, normalised patterns."""
        ...


def capitalised(data: bytes, starts: Bools) -> bytes:
    """Return normalised text with the ASCII letters at word starts in upper case.

    Normalised text has no upper-case ASCII. A pattern treated in the same way keeps all matches at word
    boundaries and loses those inside words, on which an automaton would spend most of its time.
    """
    values = np.frombuffer(data, dtype=np.uint8)
    letters = starts[: len(values)] & (values >= ord("a")) & (values <= ord("z"))
    return (values - (letters.view(np.uint8) << 5)).tobytes()


def capitalised_patterns(patterns: Sequence[bytes]) -> list[bytes]:
    """Return the patterns in the form of `capitalised` text."""
    joined = b"\xff".join(patterns)
    return capitalised(joined, words_of(joined).starts).split(b"\xff")
