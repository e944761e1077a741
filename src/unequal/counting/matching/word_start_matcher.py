"""The word-start matcher: a hash of the bytes at word starts finds names with numpy alone.

A name can only occur at a word start. The eight bytes at each word start are looked up in a table of the
beginnings of all patterns (a pattern shorter than eight bytes is looked up by its first word). A beginning
determines the possible lengths. At the few remaining positions, a span of each length that ends at
a word end is looked up by its first and last eight bytes, and the candidates are compared byte
by byte. The time hardly depends on the number of patterns or on shared prefixes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unequal.counting.matching.aho_corasick import AhoCorasickMatcher
from unequal.counting.matching.matcher import Matches
from unequal.counting.ragged import Groups, group
from unequal.counting.words import Bools, Ints, Words, words_of

Keys = NDArray[np.uint64]

WIDTH = 8
"""Bytes in a key."""

_MASKS = np.array([(1 << 8 * length) - 1 for length in range(WIDTH + 1)], dtype=np.uint64)


class WordStartMatcher:
    """Matcher by the bytes at the start of the first word; patterns without a word use Aho-Corasick."""

    def __init__(self, patterns: Sequence[bytes]) -> None:
        self._shapes = _shapes(patterns)
        self._texts = _Texts(patterns)
        shapes = self._shapes
        self._long = _Beginnings(self._texts, shapes, shapes.anchored[shapes.tail[shapes.anchored] >= WIDTH])
        self._short = _Beginnings(self._texts, shapes, shapes.anchored[shapes.tail[shapes.anchored] < WIDTH])
        self._loose = np.setdiff1d(np.arange(len(patterns)), shapes.anchored)
        self._automaton = AhoCorasickMatcher([patterns[number] for number in self._loose])

    def find(self, data: bytes, words: Words) -> Matches:
        """Return all matches at word boundaries, and a few others."""
        padded = data + bytes(self._texts.longest + 2 * WIDTH)
        bytes_at = _eight_bytes(padded)
        place = np.flatnonzero(words.starts)
        length = np.flatnonzero(words.ends) + 1 - place
        key = _eight_bytes_at(padded, place)
        long = self._long.find(bytes_at, words.ends, place, key)
        short = self._short.find(bytes_at, words.ends, place, key & _MASKS.take(length, mode="clip"))
        pattern = np.concatenate([long[0], short[0]])
        start = np.concatenate([long[1], short[1]]) - self._shapes.anchor[pattern]
        inside = (start >= 0) & (start + self._texts.lengths[pattern] <= len(data))
        pattern, start = pattern[inside], start[inside]
        equal = self._texts.equal(bytes_at, pattern, start)
        pattern, start = pattern[equal], start[equal]
        return self._with_loose(Matches(pattern, start, start + self._texts.lengths[pattern]), data, words)

    def _with_loose(self, matches: Matches, data: bytes, words: Words) -> Matches:
        """Return the matches including those of patterns without a word."""
        if len(self._loose) == 0:
            return matches
        pattern, start, end = self._automaton.find(data, words)
        others = (self._loose[pattern], start, end)
        return Matches(*(np.concatenate(pair) for pair in zip(matches, others, strict=True)))


@dataclass(frozen=True, slots=True)
class _Shapes:
    """Where the first word of each pattern starts, and the bytes from there on.

    `anchored` are the patterns that hold a word. For every pattern: the place `anchor` where its first word
    starts, the length of that word, the length of the `tail` from there to its end, and whether it ends in a
    word (all 0 for a pattern without).
    """

    anchored: Ints
    anchor: Ints
    first_word: Ints
    tail: Ints
    ends_in_word: Bools


def _shapes(patterns: Sequence[bytes]) -> _Shapes:
    joined = b"\xff".join(patterns)
    lengths = np.array([len(pattern) for pattern in patterns], dtype=np.int64)
    words = words_of(joined)
    starts = np.append(np.flatnonzero(words.starts), len(joined))
    ends = np.append(np.flatnonzero(words.ends) + 1, len(joined))
    offset = np.cumsum(np.append(0, lengths + 1))[:-1]
    first = np.searchsorted(starts, offset)
    has_word = starts[first] < offset + lengths
    anchor = np.where(has_word, starts[first] - offset, 0)
    return _Shapes(
        anchored=np.flatnonzero(has_word),
        anchor=anchor,
        first_word=np.where(has_word, ends[first] - starts[first], 0),
        tail=np.where(has_word, lengths - anchor, 0),
        ends_in_word=words.word[offset + lengths - 1],
    )


class _Texts:
    """The bytes of patterns, in chunks of eight, the last one of each filled up."""

    def __init__(self, patterns: Sequence[bytes]) -> None:
        self.lengths = np.array([len(pattern) for pattern in patterns], dtype=np.int64)
        self.longest = max(map(len, patterns), default=0)
        counts = -(-self.lengths // WIDTH)
        sizes = (counts * WIDTH).tolist()
        self.padded = b"".join(text.ljust(size, b"\0") for text, size in zip(patterns, sizes, strict=True))
        self.first_chunk = np.cumsum(np.append(0, counts))[:-1]
        self.chunks = np.frombuffer(self.padded, dtype="<u8")

    def equal(self, bytes_at: Keys, pattern: Ints, start: Ints) -> Bools:
        """Return which positions match the pattern in every byte."""
        length, first = self.lengths[pattern], self.first_chunk[pattern]
        alike = np.ones(len(pattern), dtype=np.bool_)
        todo = np.arange(len(pattern))
        for chunk in range(-(-self.longest // WIDTH)):
            todo = todo[alike[todo] & (length[todo] > chunk * WIDTH)]
            if len(todo) == 0:
                break
            mask = _MASKS[np.minimum(length[todo] - chunk * WIDTH, WIDTH)]
            alike[todo] = (bytes_at[start[todo] + chunk * WIDTH] & mask) == self.chunks[first[todo] + chunk]
        return alike


class _Beginnings:
    """Patterns whose tails are all shorter than eight bytes, or none of them is."""

    def __init__(self, texts: _Texts, shapes: _Shapes, patterns: Ints) -> None:
        # A length and whether a word must end there, as one number.
        self._kind = 2 * shapes.tail + shapes.ends_in_word
        at = texts.first_chunk[patterns] * WIDTH + shapes.anchor[patterns]
        tail = shapes.tail[patterns]
        own = _eight_bytes(texts.padded + bytes(WIDTH))
        self._long = bool(tail.min(initial=WIDTH) >= WIDTH)
        known = np.where(self._long, WIDTH, np.minimum(shapes.first_word[patterns], WIDTH))
        self._kinds = _HashedGroups(own[at] & _MASKS[known], self._kind[patterns])
        self._patterns = _HashedGroups(self._span_keys(own, at, tail), patterns)

    def find(self, bytes_at: Keys, ends: Bools, place: Ints, key: Keys) -> tuple[Ints, Ints]:
        """Return candidate patterns with the positions at which their tails may begin."""
        at, kind = self._kinds.find(key)
        begin, length = place[at], kind >> 1
        likely = ends.take(begin + length - 1, mode="clip") | (kind & 1 == 0)
        begin, length, kind = begin[likely], length[likely], kind[likely]
        at, pattern = self._patterns.find(self._span_keys(bytes_at, begin, length))
        meant = self._kind[pattern] == kind[at]  # spans may be alike but for a NUL or how they may end
        return pattern[meant], begin[at[meant]]

    def _span_keys(self, bytes_at: Keys, begin: Ints, length: Ints) -> Keys:
        """Return one key for every span: its bytes, or its two ends and its length if it is longer."""
        keys: Keys = bytes_at[begin]
        if self._long:
            keys = (keys * _ODD ^ bytes_at[begin + length - WIDTH]) * _ODD + length.astype(np.uint64)
        else:
            keys = keys & _MASKS[length]
        return keys


class _HashedGroups:
    """Values by the hash of their keys: what is found may belong to another key, but nothing is missed.

    At most one hash in sixteen is taken.
    """

    def __init__(self, keys: Keys, values: Ints) -> None:
        self._bits = max(len(keys), 1).bit_length() + 4
        taken, row = np.unique(_hashed(keys, self._bits), return_inverse=True)
        self._taken = np.zeros(1 << self._bits, dtype=np.bool_)
        self._taken[taken] = True
        self._row = np.zeros(1 << self._bits, dtype=np.int32)
        self._row[taken] = np.arange(len(taken))
        row, values = np.unique(np.stack([row, values]), axis=1)
        self._values: Groups = group(row, values, len(taken))

    def find(self, keys: Keys) -> tuple[Ints, Ints]:
        """Return pairs of a key index and a candidate value."""
        hashed = _hashed(keys, self._bits)
        at = np.flatnonzero(self._taken.take(hashed, mode="clip"))
        index, value = self._values.expand(self._row[hashed[at]].astype(np.int64))
        return at[index], value


_ODD = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: multiplying by it spreads keys (Knuth, volume 3, section 6.4)."""


def _hashed(keys: Keys, bits: int) -> Ints:
    return ((keys * _ODD) >> np.uint64(64 - bits)).view(np.int64)


def _eight_bytes(padded: bytes) -> Keys:
    """Return the eight bytes at every place but the last seven, as little-endian numbers."""
    return np.ndarray((len(padded) - WIDTH + 1,), dtype="<u8", buffer=padded, strides=(1,))


def _eight_bytes_at(padded: bytes, places: Ints) -> Keys:
    """Return the eight bytes at rising places; numpy reads them faster from where they are aligned."""
    aligned = np.frombuffer(padded, dtype="<u8", count=len(padded) // WIDTH)
    block, shift = places >> 3, ((places & 7) << 3).astype(np.uint64)
    keys: Keys = aligned.take(block) >> shift
    keys |= aligned.take(block + 1) << (np.uint64(64) - shift)
    return keys
