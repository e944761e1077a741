"""How texts are compared: case, punctuation and white space do not count, nor does repeating the prompt."""

import re
import unicodedata
from functools import lru_cache

from unequal.evaluation.metrics.contract import ProbeRecord, generated

_NOT_WORDS = re.compile(r"[^\w]+")
COPY_WORDS = 3  # a shorter stretch may well be the answer's own, such as "University of"


def normalised_words(text: str) -> list[str]:
    """Return the words of a text after NFKC and case folding, without punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [word for word in _NOT_WORDS.split(folded) if word]


def word_spans(text: str) -> list[tuple[str, int, int]]:
    """Return the normalised words of a text with their start and end in the text as it is."""
    found = []
    for match in re.finditer(r"\w+", text):
        found += [(word, match.start(), match.end()) for word in normalised_words(match.group())]
    return found


@lru_cache(maxsize=100_000)
def without_copies(text: str, prompt: str) -> str:
    """Return a text without the stretches of three or more words that it copies from the prompt.

    A prompt may hold words of its answer ("the capital of Mexico"), so that its echo would score. A text
    that copies nothing comes back as it is, any other as normalised words.
    """
    words, given = normalised_words(text), normalised_words(prompt)
    length = min(COPY_WORDS, len(given)) or 1
    stretches = {tuple(given[start : start + length]) for start in range(len(given) - length + 1)}
    copied = {
        start + offset
        for start in range(len(words) - length + 1)
        if tuple(words[start : start + length]) in stretches
        for offset in range(length)
    }
    return " ".join(word for place, word in enumerate(words) if place not in copied) if copied else text


def own_text(record: ProbeRecord) -> str:
    """Return the generated text without what it copies from the prompt."""
    return without_copies(generated(record), record.probe.shown)


def own_words(record: ProbeRecord) -> list[str]:
    """Return the normalised words of the generated text without what it copies from the prompt."""
    return normalised_words(own_text(record))


def holds(words: list[str], part: list[str]) -> bool:
    """Return whether the words of ``part``, at least one, stand in ``words`` one after the other."""
    starts = range(len(words) - len(part) + 1)
    return bool(part) and any(words[start : start + len(part)] == part for start in starts)
