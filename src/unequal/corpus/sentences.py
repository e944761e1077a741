"""Sentence splitting of English text, with care for abbreviations and initials."""

import re
from collections.abc import Iterator

_ABBREVIATION = re.compile(
    r"""(?ix)(?: st|mt|ft|dr|mrs?|ms|jr|sr|prof|gen|col|capt|lt|sgt|rev|hon|gov|sen|rep|pres|nos?|vol|eds?|pp
    |fig|ca|cf|vs|approx|dept|univ|inc|ltd|co|corp|bros | u\.s|u\.k|u\.n|d\.c|e\.g|i\.e|b\.c|a\.d|a\.m|p\.m
    |jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec | (?-i:[A-Z]) )"""
)
_ENDS = re.compile(r"""[.!?]+["'”’)\]]*(?=\s+["'“‘(\[]?[A-Z0-9À-Þ])|[。！？]+|\n+""")
_LAST_WORD = re.compile(r"[\w.]+$")


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text without the white space around them; a line end ends one too."""
    begin = 0
    for end in _ENDS.finditer(text):
        if end[0].startswith(".") and _goes_on(text[begin : end.start()]):
            continue
        if piece := text[begin : end.end()].strip():
            yield piece
        begin = end.end()
    if piece := text[begin:].strip():
        yield piece


def passages(text: str, most_words: int) -> Iterator[str]:
    """Yield runs of whole sentences of at most ``most_words`` words, or a longer sentence alone."""
    held: list[str] = []
    n_words = 0
    for sentence in sentences(text):
        length = len(sentence.split())
        if held and n_words + length > most_words:
            yield " ".join(held)
            held, n_words = [], 0
        held.append(sentence)
        n_words += length
    if held:
        yield " ".join(held)


def _goes_on(before: str) -> bool:
    """Return whether a full stop after this text belongs to an abbreviation or an initial."""
    found = _LAST_WORD.search(before)
    return found is not None and _ABBREVIATION.fullmatch(found[0]) is not None
