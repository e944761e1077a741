"""Passages as facts: a text in chunks, each asked by the words before it and completed word for word.

Chunks follow one another without gaps, so that every word but the first few is in the answer of one chunk.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

PROMPT_WORDS = 32
"""Words before a chunk by which it is asked; of a short passage a quarter of its words."""
CHUNK_WORDS = 48
"""Words of a chunk at most. The chunks of a passage are equally long."""
MIN_WORDS = 8
"""A shorter text is a statement."""
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
)
_WORD = re.compile(rf"[{_SPACELESS}]|[^\s{_SPACELESS}]+")


def n_words(text: str) -> int:
    """Return the number of words of a text; a letter of a script without spaces is one."""
    return sum(1 for _ in _WORD.finditer(text))


class Chunk(NamedTuple):
    """A stretch of a passage and the words before it."""

    before: str
    text: str


def chunks(passage: str) -> Iterator[Chunk]:
    """Yield the chunks of a passage in their order, as it is written.

    Raises `ValueError` for a passage of fewer than `MIN_WORDS` words.
    """
    words = list(_WORD.finditer(passage))
    if len(words) < MIN_WORDS:
        raise ValueError(
            f"found {len(words)} words; a passage has {MIN_WORDS} or more (a sentence to be completed is a"
            " column statement)"
        )
    n_before = min(PROMPT_WORDS, len(words) // 4)
    n_rest = len(words) - n_before
    n_chunks = -(-n_rest // CHUNK_WORDS)
    starts = [n_before + n_rest * number // n_chunks for number in range(n_chunks)]
    for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
        before = passage[words[start - n_before].start() : words[start - 1].end()]
        yield Chunk(before, passage[words[start].start() : words[end - 1].end()])
