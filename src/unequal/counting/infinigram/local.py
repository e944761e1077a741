"""Counting engine on a local infini-gram index: exact counts from the positions of names in a suffix array.

The package finds the positions of a name, and the counts are computed from them here. The package's own AND
query is not used: it misses an occurrence near a document border if another term on the other side of the
border is as close, counts overlapping aliases separately, and estimates above a frequency limit.

The definition is the default one of the scan, in full:

- Text and names are normalised, with equal dashes and equal apostrophes (`normalise`). The index does not
  store case, so facts with case-sensitive names are refused.
- A match is a name with no letter, digit or underscore next to it; every match counts, also inside a longer
  name of another entity ("Guinea" in "Equatorial Guinea").
- Matches of one entity that overlap are one occurrence, from the first start to the last end.
- The position of an occurrence is the number of words that begin before it in its document. The distance of
  two occurrences is the difference of their positions.
- A pair is a subject and an object occurrence in one document, at most ``window`` apart; the same span of
  text is never a pair with itself.
- `anchored` counts the occurrences in pairs of the entity that occurs less often in the corpus, or of the
  subject when equal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from unequal.counting.characters import spellings
from unequal.counting.infinigram.index import LocalIndex
from unequal.counting.infinigram.index_build import build_index, file_sizes
from unequal.counting.normalise import normalise
from unequal.counting.protocol import CountSource, FactCount
from unequal.counting.scan.definition import Definition
from unequal.counting.scan.documents import reader_of
from unequal.counting.scan.shards import Shard, corpus_id, find_shards
from unequal.counting.words import Ints
from unequal.errors import DataError
from unequal.facts.schema import Fact
from unequal.progress import Progress

CHUNK = 1 << 20
CACHED_ENTITIES = 256
"""Number of entities with cached occurrences, at 32 bytes an occurrence."""

Names = tuple[str, ...]
"""The sorted distinct normal forms of all names of one subject or object."""


@dataclass(frozen=True, slots=True)
class Occurrences:
    """The occurrences of one entity in order: tokens [start, end), document, words before."""

    start: Ints
    end: Ints
    document: Ints
    place: Ints


class LocalCounter:
    """Counting engine with a local infini-gram index of the shards that match a glob."""

    unit = "queries"

    def __init__(self, *, corpus: str, window: int, index_dir: Path, text_key: str = "text") -> None:
        self.shards = find_shards(corpus)
        for shard in self.shards:
            reader_of(shard)
        self.window = window
        self.index_dir = index_dir.expanduser()
        self.text_key = text_key

    @cached_property
    def source(self) -> CountSource:
        """Return the meaning of the counts; hashes the shards once for the corpus id."""
        definition = Definition(window=self.window, text_key=self.text_key)
        return CountSource(
            "infinigram-local", corpus_id(self._hashed), str(definition), self.window, definition.window_unit
        )

    @cached_property
    def index(self) -> LocalIndex:
        """Return the index, after building it if necessary."""
        return LocalIndex(build_index(self._hashed, self.text_key, self.index_dir))

    @cached_property
    def _hashed(self) -> list[tuple[Shard, str]]:
        """The shards with their SHA-256, computed once."""
        return [(shard, _sha256(shard)) for shard in self.shards]

    def count(self, facts: Sequence[Fact], progress: Progress | None = None) -> list[FactCount]:
        """Return one exact count for each fact, in their order; `queries` is the number of its names.

        Raises `DataError` for a broken shard or index, for a name that is empty after normalisation, and
        for a fact with case-sensitive names.
        """
        entities = [(_names(fact, "subject"), _names(fact, "object")) for fact in facts]
        total = sum(len(subject) + len(object_) for subject, object_ in entities)
        index = self.index
        occurrences = lru_cache(CACHED_ENTITIES)(lambda names: find_occurrences(index, names))
        done = 0
        counts = []
        for fact, (subject, object_) in zip(facts, entities, strict=True):
            queries = len(subject) + len(object_)
            counts.append(_count(fact.fact_id, subject, object_, occurrences, self.window))
            done += queries
            if progress is not None:
                progress(done, total)
        return counts

    def metadata(self) -> dict[str, Any]:
        """Return further information on the counts."""
        return {
            "shards": [shard.path for shard in self.shards],
            "index": str(self.index.folder),
            "index_bytes": sum(file_sizes(self.index.folder).values()),
            "index_tokens": self.index.n_tokens,
            "index_documents": self.index.n_documents,
        }


def find_occurrences(index: LocalIndex, names: Names) -> Occurrences:
    """Return the occurrences of an entity: the matches of all its names, overlapping ones merged."""
    matches = [index.find(name) for name in names]
    start = np.concatenate([first for first, _ in matches])
    end = np.concatenate([behind for _, behind in matches])
    order = np.argsort(start, kind="stable")
    start, end = start[order], np.maximum.accumulate(end[order])
    opens = np.ones(len(start), dtype=np.bool_)
    opens[1:] = start[1:] >= end[:-1]
    closes = np.append(opens[1:], np.ones(min(1, len(start)), dtype=np.bool_))
    start, end = start[opens], end[closes]
    return Occurrences(start, end, index.documents(start), index.words_before(start))


def _count(
    fact_id: str, subject: Names, object_: Names, occurrences: Callable[[Names], Occurrences], window: int
) -> FactCount:
    subjects, objects = occurrences(subject), occurrences(object_)
    close = objects_close_to(subjects, objects, window)
    if len(objects.start) < len(subjects.start):
        anchored = np.count_nonzero(objects_close_to(objects, subjects, window))
    else:
        anchored = np.count_nonzero(close)
    return FactCount(
        fact_id=fact_id,
        subject_count=len(subjects.start),
        object_count=len(objects.start),
        docs_both=len(np.intersect1d(subjects.document, objects.document)),
        docs_window=len(np.unique(subjects.document[close > 0])),
        pairs_window=int(close.sum()),
        anchored=int(anchored),
        queries=len(subject) + len(object_),
    )


def objects_close_to(subjects: Occurrences, objects: Occurrences, window: int) -> Ints:
    """Return the number of object occurrences within the window of each subject occurrence in its document.

    The same span of text is not a pair with itself.
    """
    highest = max(occurrences.place.max(initial=0) for occurrences in (subjects, objects))
    window = min(window, int(highest))
    # Documents are moved apart by more than the window, so that no distance reaches across a border.
    subject = subjects.place + subjects.document * (window + 1)
    object_ = objects.place + objects.document * (window + 1)
    first = np.searchsorted(object_, subject - window, side="left")
    behind = np.searchsorted(object_, subject + window, side="right")
    _, same_subject, same_object = np.intersect1d(
        subjects.start, objects.start, assume_unique=True, return_indices=True
    )
    close: Ints = behind - first
    close[same_subject] -= subjects.end[same_subject] == objects.end[same_object]
    return close


def _names(fact: Fact, side: str) -> Names:
    """Return the names of the subject or the object; raises `DataError` for one that cannot be counted."""
    if fact.case_sensitive:
        raise DataError(
            f"fact '{fact.fact_id}': {fact.case_sensitive[0]!r} is case-sensitive, but the index of"
            " infinigram-local is case folded; count with --engine scan or empty the fact's case_sensitive"
        )
    names = [getattr(fact, side), *getattr(fact, f"{side}_aliases")]
    normal = {own: normalise(own) for name in names for own in spellings(name, "loose")}
    for name, form in normal.items():
        if not form:
            raise DataError(
                f"fact '{fact.fact_id}': nothing is left of the name {name!r} after normalisation;"
                " give it a visible character or remove it"
            )
    return tuple(sorted(set(normal.values())))


def _sha256(shard: Shard) -> str:
    digest = sha256()
    try:
        with shard.open() as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise DataError(f"cannot read {shard}: {error.strerror or error}") from error
    return digest.hexdigest()
