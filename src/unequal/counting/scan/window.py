"""Pair counts from occurrences: subjects and objects in one document, and within the window."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from unequal.counting.scan.names import NameIndex
from unequal.counting.scan.occurrences import Occurrences
from unequal.counting.words import Bools, Ints


@dataclass(frozen=True, slots=True)
class Totals:
    """Count totals: occurrences by entity, the others by pair.

    `anchored_subject` counts occurrences of the subject with an object within the window, `anchored_object`
    occurrences of the object with a subject.
    """

    occurrences: Ints
    docs_both: Ints
    docs_window: Ints
    pairs_window: Ints
    anchored_subject: Ints
    anchored_object: Ints

    @classmethod
    def zero(cls, names: NameIndex) -> Self:
        """Return totals of zero."""
        n_pairs = len(names.pair_subject)
        sizes = (names.n_entities, *[n_pairs] * 5)
        return cls(*(np.zeros(size, dtype=np.int64) for size in sizes))

    def add(self, other: "Totals") -> None:
        """Add other totals to these, in place."""
        for field in fields(self):
            getattr(self, field.name)[:] += getattr(other, field.name)

    def add_block(self, found: Occurrences, names: NameIndex, window: int) -> None:
        """Add the counts of one block, in place."""
        np.add.at(self.occurrences, found.entity, 1)
        together = _together(found, names)
        np.add.at(self.docs_both, together.pair, 1)
        subject, row = together.expand_subjects()
        close = _close(found, subject, together.object_begin[row], together.object_end[row], window)
        close -= _same_stretch(found, subject, names.pair_object[together.pair[row]])
        near = close > 0
        np.add.at(self.pairs_window, together.pair[row], close)
        np.add.at(self.anchored_subject, together.pair[row[near]], 1)
        np.add.at(self.docs_window, together.pair[np.unique(row[near])], 1)
        object_, row = together.expand_objects()
        close = _close(found, object_, together.subject_begin[row], together.subject_end[row], window)
        close -= _same_stretch(found, object_, names.pair_subject[together.pair[row]])
        np.add.at(self.anchored_object, together.pair[row[close > 0]], 1)


def near_pairs(found: Occurrences, names: NameIndex, window: int) -> tuple[Ints, Ints]:
    """Return the distinct combinations of pair and document within the window, as two arrays.

    ``docs_window`` is their number by pair.
    """
    together = _together(found, names)
    subject, row = together.expand_subjects()
    close = _close(found, subject, together.object_begin[row], together.object_end[row], window)
    close -= _same_stretch(found, subject, names.pair_object[together.pair[row]])
    near = np.unique(row[close > 0])
    return together.pair[near], found.document[together.subject_begin[near]]


@dataclass(frozen=True, slots=True)
class _Together:
    """Each pair and document with both entities, and the ranges [begin, end) of their occurrences."""

    pair: Ints
    subject_begin: Ints
    subject_end: Ints
    object_begin: Ints
    object_end: Ints

    def expand_subjects(self) -> tuple[Ints, Ints]:
        """Return every subject occurrence with its row."""
        return _ranges(self.subject_begin, self.subject_end)

    def expand_objects(self) -> tuple[Ints, Ints]:
        """Return every object occurrence with its row."""
        return _ranges(self.object_begin, self.object_end)


def _together(found: Occurrences, names: NameIndex) -> _Together:
    n_documents = len(found.document_first)
    key = found.entity * n_documents + found.document
    begin = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.zeros(0, dtype=np.int64)
    end = np.append(begin[1:], len(key))[: len(begin)]
    present = key[begin]
    entity, document = np.divmod(present, n_documents)
    subject, pair = names.subject_pairs.expand(entity)
    object_, there = _find(present, names.pair_object[pair] * n_documents + document[subject])
    subject, pair, object_ = subject[there], pair[there], object_[there]
    return _Together(pair, begin[subject], end[subject], begin[object_], end[object_])


def _ranges(begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Return all integers of the ranges [begin, end), and the index of the range of each."""
    lengths = end - begin
    row = np.repeat(np.arange(len(begin)), lengths)
    before = np.cumsum(lengths) - lengths
    return begin[row] + np.arange(len(row)) - before[row], row


def _close(found: Occurrences, own: Ints, begin: Ints, end: Ints, window: int) -> Ints:
    """Return how many occurrences of [begin, end), in the same document, are within the window."""
    n_places = int(found.document_first[-1]) + 1
    reach = min(window, n_places)
    shift = found.entity[begin] * n_places if len(begin) else begin
    starts, stops = found.entity * n_places + found.first, found.entity * n_places + found.last
    behind = np.searchsorted(starts, shift + np.minimum(found.last[own] + reach, n_places - 1), side="right")
    first = np.searchsorted(stops, shift + np.maximum(found.first[own] - reach, 0), side="left")
    close: Ints = np.clip(behind, begin, end) - np.clip(first, begin, end)
    return close


def _same_stretch(found: Occurrences, own: Ints, other: Ints) -> Ints:
    """Return 1 where the other entity has an occurrence with the same span of bytes, else 0."""
    n_bytes = int(found.end.max(initial=0)) + 1
    at, there = _find(found.entity * n_bytes + found.start, other * n_bytes + found.start[own])
    same: Ints = (there & (found.end[at] == found.end[own])).astype(np.int64) if len(at) else at
    return same


def _find(rising: Ints, wanted: Ints) -> tuple[Ints, Bools]:
    """Return the insertion point of each wanted number among the sorted ones, and whether it is present."""
    if len(rising) == 0:
        return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=np.bool_)
    at = np.minimum(np.searchsorted(rising, wanted), len(rising) - 1)
    return at, rising[at] == wanted
