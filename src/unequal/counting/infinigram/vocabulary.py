"""Tokenisation of normalised text into 16-bit ids for the index, such that equal ids mean equal text.

A word is one token, and so is every other character: a punctuation mark, or a letter of a script without
spaces. Tokens outside the vocabulary are spelled: a begin marker, their UTF-8 bytes, an end
marker. The single space between two words is omitted, every other space is a token. The omitted spaces can
be restored, so the encoding is reversible.

A suffix array of 16-bit ids needs no table of all ids, which for 32 bits takes 32 GiB. Ids from 0xFF00 on are
never given: infini-gram looks for its document border, the bytes FF FF, at odd addresses too, and would find
one between an id that ends in FF and one that begins with FF.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from unequal.counting.words import Bools, words_of

DOCUMENT_BORDER = 0xFFFF
"""The token before every document; infini-gram uses the highest id."""

N_IDS = 0xFF00

OTHER, WORD, SPACELESS = 0, 1, 2
"""Kinds of tokens: not a word; a word; a letter of a script without spaces."""

_SPACE = b" "
_BEGIN = 256  # + kind; the ids below are bytes
_END = 259  # + kind
_SPACE_ID = 262
_FIRST_TOKEN = 263

LARGEST_VOCABULARY = N_IDS - _FIRST_TOKEN


def split(text: str) -> list[bytes]:
    """Return the tokens of a normalised text as UTF-8."""
    data = text.encode("utf-8", "surrogatepass")
    structure = words_of(data)
    word, spaceless = structure.word, structure.spaceless
    glued = word & np.roll(word, 1) & ~spaceless & ~np.roll(spaceless, 1)
    begins = ~(structure.joined | glued)[: len(data)]
    plain = word & ~spaceless
    spaces = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord(_SPACE))
    between_words = np.zeros(len(data), dtype=np.bool_)
    between_words[spaces] = plain[spaces - 1] & plain[spaces + 1]
    starts = np.flatnonzero(begins)
    kept = ~between_words[starts]
    ends = np.append(starts[1:], len(data))
    pairs = zip(starts[kept].tolist(), ends[kept].tolist(), strict=True)
    return [data[start:end] for start, end in pairs]


def most_frequent(texts: Iterable[str], limit: int = LARGEST_VOCABULARY) -> list[bytes]:
    """Return the most frequent tokens of normalised texts, at most `limit`, in a deterministic order."""
    counts = Counter(chain.from_iterable(split(text) for text in texts))
    del counts[_SPACE]
    return sorted(counts, key=lambda token: (-counts[token], token))[:limit]


class Vocabulary:
    """The token ids; tokens outside the list are spelled, so every text can be encoded."""

    def __init__(self, tokens: Sequence[bytes]) -> None:
        self._ids = {token: _FIRST_TOKEN + number for number, token in enumerate(tokens)}
        self._ids[_SPACE] = _SPACE_ID
        self.kind = np.zeros(1 << 16, dtype=np.uint8)
        """The kind of each id; a spelled token has its kind at its first and last id."""
        self.kind[_FIRST_TOKEN : _FIRST_TOKEN + len(tokens)] = _kinds(tokens)
        for kind in (OTHER, WORD, SPACELESS):
            self.kind[[_BEGIN + kind, _END + kind]] = kind
        self.begins_word: Bools = self.kind != OTHER
        """Whether a word begins at an id."""
        self.begins_word[_END : _END + 3] = False

    def encode(self, text: str) -> list[int]:
        """Return the ids of a normalised text."""
        ids: list[int] = []
        known = self._ids
        for token in split(text):
            number = known.get(token)
            if number is None:
                ids.extend(_spell(token))
            else:
                ids.append(number)
        return ids


@lru_cache(maxsize=1 << 16)
def _spell(token: bytes) -> tuple[int, ...]:
    kind = int(_kinds([token])[0])
    return (_BEGIN + kind, *token, _END + kind)


def _kinds(tokens: Sequence[bytes]) -> NDArray[np.uint8]:
    """Return the kinds of tokens, by their first characters."""
    structure = words_of(b"\xff".join(tokens))
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    first = np.cumsum(lengths + 1) - lengths - 1
    kinds = np.full(len(tokens), OTHER, dtype=np.uint8)
    kinds[structure.word[first]] = WORD
    kinds[structure.spaceless[first]] = SPACELESS
    return kinds
