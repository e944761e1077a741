"""Text normalisation of documents and names, so that equal names have equal bytes.

Normalisation removes invisible characters and separates signs (`characters`), applies NFKC and case folding,
and collapses white space. NFKC is applied again after folding, because folding can undo it. Case folding
makes ß equal to ss; İ becomes i with a combining dot, which is not the letter i. `normalise` does this for
one text. `Normaliser` gives the same result for a block of documents, with vectorised paths for ASCII.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from unequal.counting.characters import Spelling, is_invisible, prepared
from unequal.counting.words import Bools, Ints

NORMAL_FORM = "nfkc-casefold without invisible characters, signs apart"
BORDER = b"\xff"
"""The byte between documents; it never occurs in UTF-8."""

MOST_KNOWN_RUNS = 1 << 16
LONGEST_KNOWN_RUN = 32
PADDING = b"\xfe"


def normalise(text: str, spelling: Spelling = "loose") -> str:
    """Return the normal form of a text."""
    return _collapsed(_folded(prepared(text, spelling)))


class NormalisedText(NamedTuple):
    """A normalised text with the source span [begin, end) of each character; spaces are not collapsed."""

    text: str
    begin: Sequence[int]
    end: Sequence[int]


def normalise_with_spans(text: str) -> NormalisedText:
    """Return the normal form, without collapsed white space, and the source span of each character."""
    if text.isascii():
        return NormalisedText(
            _WHITE_SPACE.sub(" ", _folded(prepared(text, "loose"))), range(len(text)), range(1, len(text) + 1)
        )
    starts = [place for place, character in enumerate(text) if place == 0 or not _continues(character)]
    pieces: list[str] = []
    begins: list[int] = []
    ends: list[int] = []
    for begin, end in pairwise([*starts, len(text)]):
        piece = _WHITE_SPACE.sub(" ", _folded(prepared(text[begin:end], "loose")))
        pieces.append(piece)
        begins += [begin] * len(piece)
        ends += [end] * len(piece)
    return NormalisedText("".join(pieces), begins, ends)


@lru_cache(maxsize=1 << 12)
def _continues(character: str) -> bool:
    """Return whether a character is invisible or NFKC may join it with the one before it."""
    first = unicodedata.normalize("NFKD", character)[0]
    is_mark = unicodedata.category(first)[0] == "M"
    return is_mark or is_invisible(character) or "\u1161" <= first <= "\u11ff"


def utf8(text: str) -> bytes:
    """Return the text as UTF-8; lone surrogates, which JSON can hold, are encoded too and match nothing."""
    return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Block:
    """Normalised documents, concatenated with `BORDER` between them.

    `cased` is the same text without case folding, aligned to `data` byte by byte (see `aligned`); it is empty
    unless requested. Document d has the bytes [``first[d]``, ``first[d + 1] - 1``).
    """

    data: bytes
    cased: bytes
    first: Ints


class Normaliser:
    """Normalises documents into blocks, with a cache for short runs of non-ASCII text."""

    def __init__(self, keep_case: bool = False, spelling: Spelling = "loose") -> None:
        self.keep_case = keep_case
        self.spelling = spelling
        self._known: dict[bytes, Change | None] = {}

    def block(self, documents: Sequence[str]) -> Block:
        """Return the block of one or more documents."""
        text = BORDER.join([utf8(text.strip()) for text in documents])
        cased = text.translate(_SPACES[self.spelling]) if self.keep_case else b""
        data = text.translate(_LOWER[self.spelling])
        data, cased = self._with_runs_changed(data, cased)
        data, cased = _without_repeated_spaces(data, cased)
        borders = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == BORDER[0])
        return Block(data, cased, np.concatenate([[0], borders + 1, [len(data) + 1]]))

    def _with_runs_changed(self, data: bytes, cased: bytes) -> tuple[bytes, bytes]:
        """Return both texts with non-ASCII runs normalised, folded and cased respectively."""
        source = cased or data
        spans: list[tuple[int, int]] = []
        changes: list[Change] = []
        for begin, end in _runs(data):
            change = self._change(source[begin:end])
            if change and change.joins and begin > 0 and data[begin - 1] != BORDER[0]:
                begin -= 1
                change = self._change(source[begin:end])
            if change is not None:
                spans.append((begin, end))
                changes.append(change)
        if not spans:
            return data, cased
        folded = _replaced(data, spans, [change.folded for change in changes])
        return folded, _replaced(cased, spans, [change.cased for change in changes]) if cased else b""

    def _change(self, run: bytes) -> "Change | None":
        """Return the replacement of a run, or None if it is unchanged."""
        if len(run) > LONGEST_KNOWN_RUN:
            return self._changed(run)
        if run not in self._known:
            if len(self._known) >= MOST_KNOWN_RUNS:
                self._known.clear()
            self._known[run] = self._changed(run)
        return self._known[run]

    def _changed(self, run: bytes) -> "Change | None":
        text = prepared(run.decode("utf-8", "surrogatepass"), self.spelling)
        folded = _WHITE_SPACE.sub(" ", _folded(text))
        joins = text != "" and unicodedata.combining(unicodedata.normalize("NFKD", text[0])[0]) != 0
        if not self.keep_case:
            normal = utf8(folded)
            return Change(normal, b"", joins) if joins or normal != run else None
        cased = aligned(folded, _WHITE_SPACE.sub(" ", unicodedata.normalize("NFKC", text)))
        return Change(utf8(folded), cased, joins)


class Change(NamedTuple):
    """The replacement of a run, and whether it may join with the character before it."""

    folded: bytes
    cased: bytes
    joins: bool


def aligned(folded: str, cased: str) -> bytes:
    """Return a cased text as UTF-8, each character truncated or padded to the length of its folded form.

    So a match in folded text has the same byte positions in the cased text. Where folding
    changes the order of combining marks, they are aligned together with their base character.
    """
    for parts in (list(cased), _with_marks(cased)):
        pairs = [(utf8(_folded(part)), utf8(part)) for part in parts]
        if b"".join(fold for fold, _ in pairs) == utf8(folded):
            return b"".join(own.ljust(len(fold), PADDING)[: len(fold)] for fold, own in pairs)
    return utf8(cased).ljust(len(utf8(folded)), PADDING)[: len(utf8(folded))]


def _with_marks(text: str) -> list[str]:
    """Return the characters of a text, each with its combining marks."""
    starts = [place for place, character in enumerate(text) if not unicodedata.combining(character)]
    return [text[begin:end] for begin, end in pairwise([0, *starts, len(text)]) if begin < end]


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _collapsed(text: str) -> str:
    return " ".join(text.split())


def _runs(data: bytes) -> list[tuple[int, int]]:
    """Return the spans of maximal runs of bytes that are neither ASCII nor a border."""
    wide = np.flatnonzero(np.frombuffer(data, dtype=np.int8) < -1)
    breaks = np.flatnonzero(np.diff(wide) > 1)
    begins = wide[np.append(0, breaks + 1)] if len(wide) else wide
    ends = wide[np.append(breaks, len(wide) - 1)] + 1 if len(wide) else wide
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


def _replaced(text: bytes, spans: Sequence[tuple[int, int]], pieces: Sequence[bytes]) -> bytes:
    """Return the text with the sorted spans [begin, end) replaced by the pieces."""
    parts: list[bytes] = []
    done = 0
    for (begin, end), piece in zip(spans, pieces, strict=True):
        parts += (text[done:begin], piece)
        done = end
    return b"".join([*parts, text[done:]])


def _without_repeated_spaces(data: bytes, cased: bytes) -> tuple[bytes, bytes]:
    """Return both texts without the bytes at which the first has a space after a space or a border."""
    values = np.frombuffer(data, dtype=np.uint8)
    space: Bools = values == ord(" ")
    repeated = np.flatnonzero(space[:-1] & (space[1:] | (values[1:] == BORDER[0])))
    if len(repeated) == 0:
        return data, cased
    spans = list(zip([0, *(repeated + 1).tolist()], [*repeated.tolist(), len(data)], strict=True))
    shorter = b"".join([data[begin:end] for begin, end in spans])
    return shorter, b"".join([cased[begin:end] for begin, end in spans]) if cased else b""


_WHITE_SPACE = re.compile(r"\s")
_WHITE = bytes(ord(" ") if code < 128 and chr(code).isspace() else code for code in range(256))
_SPACES = {"exact": _WHITE, "loose": _WHITE.replace(b"`", b"'")}
_LOWER = {
    spelling: bytes(ord(chr(code).lower()) if code < 128 else code for code in table)
    for spelling, table in _SPACES.items()
}
