"""Word boundaries in UTF-8 text: word characters, word starts and ends, and whole-word matches.

A word is a maximal run of letters, digits and underscores. A combining mark belongs to the character before
it. In scripts that are written without spaces, each letter is a word of its own.
All positions are byte offsets in UTF-8, because matchers search bytes.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OTHER, WORD, SPACELESS, MARK = 0, 1, 2, 3

SPACELESS_RANGES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark and zero
    (0x3021, 0x3029),  # Hangzhou numerals
    (0x3031, 0x3035),  # kana repeat marks
    (0x3038, 0x303C),  # more Hangzhou numerals and marks
    (0x3041, 0x30FF),  # Hiragana, Katakana
    (0x3105, 0x312F),  # Bopomofo
    (0x31A0, 0x31BF),  # Bopomofo extended
    (0x31F0, 0x31FF),  # Katakana phonetic extensions
    (0x3400, 0x4DBF),  # Han, extension A
    (0x4E00, 0x9FFF),  # Han
    (0xA9E0, 0xA9FF),  # Myanmar extended B
    (0xAA60, 0xAA7F),  # Myanmar extended A
    (0xF900, 0xFAFF),  # Han, compatibility
    (0x1AFF0, 0x1B16F),  # kana supplement and extensions
    (0x20000, 0x3FFFD),  # Han, further extensions
)


class Rank:
    """Rank queries on a bit vector: the number of set flags before a position."""

    def __init__(self, flags: Bools) -> None:
        bits = np.packbits(flags, bitorder="little")
        self._words = np.concatenate([bits, np.zeros(16 - len(bits) % 8, dtype=np.uint8)]).view("<u8")
        counts = np.bitwise_count(self._words)
        self._before = np.cumsum(counts, dtype=np.int64) - counts

    def __call__(self, places: Ints) -> Ints:
        """Return the number of set flags before each position."""
        block, bit = places >> 6, (places & 63).astype(np.uint64)
        below = self._words[block] & ((np.uint64(1) << bit) - np.uint64(1))
        counts: Ints = self._before[block] + np.bitwise_count(below)
        return counts


@dataclass(frozen=True)
class Words:
    """The word structure of n bytes; its arrays have n + 1 items, so that indices -1 and n are valid.

    `joined` flags the bytes that continue the character before them: later bytes of a character, and
    combining marks on a word character. No word begins or ends just before one. `wide` has the positions of
    non-ASCII bytes; only these and the bytes beside them can be spaceless or joined.
    """

    word: Bools
    spaceless: Bools
    joined: Bools
    wide: Ints

    @cached_property
    def starts(self) -> Bools:
        """The bytes at which a word begins, shape (n,)."""
        begins = self.word[:-1].copy()
        begins[1:] &= ~self.word[:-2]
        near = _beside(self.wide, len(begins))
        alone = ~self.word[near - 1] | self.spaceless[near] | self.spaceless[near - 1]
        begins[near] = self.word[near] & alone & ~self.joined[near]
        return begins

    @cached_property
    def ends(self) -> Bools:
        """The last bytes of words, shape (n,)."""
        finish = self.word[:-1] & ~self.word[1:]
        near = _beside(self.wide - 1, len(finish))
        alone = ~self.word[near + 1] | self.spaceless[near] | self.spaceless[near + 1]
        finish[near] = self.word[near] & alone & ~self.joined[near + 1]
        return finish

    def whole(self, start: Ints, end: Ints) -> Bools:
        """Return which spans [start, end) are whole words: no letter, digit or underscore is next to them.

        A neighbour is ignored if it, or the edge of the span, belongs to a script without spaces.
        """
        before, last = start - 1, end - 1
        left = ~self.word[before] | self.spaceless[before] | self.spaceless[start]
        right = ~self.word[end] | self.spaceless[end] | self.spaceless[last]
        return left & right & ~self.joined[start] & ~self.joined[end]


def words_of(data: bytes) -> Words:
    """Return the word structure of UTF-8 text; the byte 0xFF may separate documents."""
    values = np.frombuffer(data, dtype=np.uint8)
    word, spaceless, joined = (np.zeros(len(data) + 1, dtype=np.bool_) for _ in range(3))
    # Bytes wrap around, so one comparison says whether a byte lies in a range.
    word[:-1] = ((values | 32) - 97 < 26) | (values - 48 < 10) | (values == 95)
    wide = np.flatnonzero(values.view(np.int8) < -1)
    if len(wide) == 0:
        return Words(word, spaceless, joined, wide)
    own = values[wide]
    leads = own & 0xC0 != 0x80
    text = own.tobytes().decode("utf-8", "surrogatepass")
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    classes = _classes()[codes][np.cumsum(leads) - 1]
    joined[wide] = ~leads
    word[wide] = (classes == WORD) | (classes == SPACELESS)
    spaceless[wide] = classes == SPACELESS
    marks = wide[classes == MARK]
    if len(marks):
        base = _before(marks)
        word[marks] = word[base]
        spaceless[marks] = spaceless[base]
        joined[marks] |= word[base]
    return Words(word, spaceless, joined, wide)


def _beside(wide: Ints, n: int) -> Ints:
    """Return the wide positions and the positions after them, within range."""
    near = np.concatenate([wide, wide + 1])
    return near[(near >= 0) & (near < n)]


def _before(marks: Ints) -> Ints:
    """Return, for every byte of a run of marks, the position of the byte before the run."""
    heads = np.append(True, np.diff(marks) > 1)
    return marks[np.maximum.accumulate(np.where(heads, np.arange(len(marks)), 0))] - 1


def is_spaceless(character: str) -> bool:
    """Return whether a character is a letter of a script without spaces."""
    return bool(_classes()[ord(character)] == SPACELESS)


@cache
def word_characters() -> tuple[str, str, str]:
    """Return the word characters as parts of regular-expression classes: plain, spaceless, marks.

    A plain word is ``[plain][plain marks]*``, a letter of a script without spaces ``[spaceless][marks]*``.
    """
    return _ranges(WORD), _ranges(SPACELESS), _ranges(MARK)


def _ranges(wanted: int) -> str:
    inside = np.concatenate([[False], _classes() == wanted, [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1]).reshape(-1, 2).tolist()
    return "".join(f"\\U{first:08x}-\\U{end - 1:08x}" for first, end in edges)


@cache
def _classes() -> Bytes:
    """Return the class of every code point."""
    of_category = {"L": WORD, "N": WORD, "M": MARK}
    classes = np.fromiter(
        (of_category.get(unicodedata.category(chr(code))[0], OTHER) for code in range(0x110000)),
        dtype=np.uint8,
        count=0x110000,
    )
    classes[ord("_")] = WORD
    for first, last in SPACELESS_RANGES:
        part = classes[first : last + 1]
        decimal = [chr(code).isdecimal() for code in range(first, last + 1)]
        part[(part == WORD) & ~np.array(decimal)] = SPACELESS
    return classes
