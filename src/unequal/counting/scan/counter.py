"""The streaming scan: exact counts of all facts in one pass over the shards of a corpus.

Documents are normalised in blocks of about half a million characters, searched for all distinct names at
once, and counted with numpy. The definition, in full:

- Text and names are normalised (`normalise`): invisible characters removed, signs separated, NFKC, case
  folding, white space collapsed; dashes are equal and apostrophes are, unless `spelling` is `exact`.
- A match is a name with no letter, digit or underscore next to it (`words`). Every match counts, also inside
  a longer name of another entity ("Guinea" in "Equatorial Guinea"), unless `nested` is `longest`.
- Matches of one entity that overlap are one occurrence, from the first start to the last end.
- The position of an occurrence is the number of words that begin before it in its document.
  The distance of two occurrences is the difference of their positions.
- A pair is a subject and an object occurrence in one document, at most ``window`` apart. The same span
  of text is never a pair with itself (one "Singapore" is not Singapore with its capital Singapore), though
  it is an occurrence of both.
- The anchored count uses the entity with fewer occurrences in the corpus, or the subject when equal.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from unequal.counting.launch import LAUNCHERS
from unequal.counting.launch.launcher import Job, Report, Task
from unequal.counting.matching import choose_matcher
from unequal.counting.protocol import CountSource, FactCount
from unequal.counting.scan.deduplicate import DocumentHasher, Hashes, repeated
from unequal.counting.scan.definition import Definition
from unequal.counting.scan.documents import reader_of
from unequal.counting.scan.names import NameIndex, index_names
from unequal.counting.scan.shard_cache import ShardCache
from unequal.counting.scan.shard_counts import BLOCK_SIZE, Request, ShardCounter, ShardCounts
from unequal.counting.scan.shards import Shard, corpus_id, find_shards
from unequal.counting.scan.window import Totals
from unequal.errors import DataError
from unequal.facts.schema import Fact
from unequal.progress import Progress

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """Execution options of the scan, which do not affect the counts.

    With None for ``workers`` the launcher chooses their number. ``store`` is the cache folder of shard
    counts, or None.
    """

    matcher: str = "auto"
    launcher: str = "local"
    workers: int | None = None
    store: Path | None = None
    on_bad_shard: Literal["stop", "skip"] = "stop"
    block_size: int = BLOCK_SIZE


class ScanCounter:
    """Counting engine that scans the shards that match a glob."""

    unit = "bytes"

    def __init__(
        self, corpus: str, definition: Definition | None = None, running: ScanOptions | None = None
    ) -> None:
        self.shards = find_shards(corpus)
        for shard in self.shards:
            reader_of(shard)
        self.definition = definition or Definition()
        self.running = running or ScanOptions()
        self._counts: dict[Shard, ShardCounts] = {}
        self._skipped: dict[Shard, str] = {}
        self._n_repeated = 0

    @property
    def source(self) -> CountSource:
        """Return the meaning of the last counts; the corpus id is a hash of the counted bytes."""
        identity = corpus_id((shard, counts.sha256) for shard, counts in self._counts.items())
        return CountSource(
            "scan", identity, str(self.definition), self.definition.window, self.definition.window_unit
        )

    def metadata(self) -> dict[str, Any]:
        """Return the counted and the skipped shards, with numbers of documents and characters."""
        counts = self._counts.values()
        return {
            "shards": [shard.path for shard in self._counts],
            "skipped_shards": [
                {"shard": shard.path, "reason": self._skipped[shard]}
                for shard in self.shards
                if shard in self._skipped
            ],
            "documents": sum(count.n_documents for count in counts),
            "characters": sum(count.n_characters for count in counts),
            "repeated_documents": self._n_repeated,
        }

    def count(self, facts: Sequence[Fact], progress: Progress | None = None) -> list[FactCount]:
        """Return one exact count for each fact, in the order of the facts.

        Raises `DataError` for a shard that cannot be read, unless bad shards are skipped, and for names that
        cannot be counted.
        """
        names = index_names(facts, self.definition.case, self.definition.spelling)
        self._skipped = {}
        store = ShardCache(self.running.store, names, self.definition) if self.running.store else None
        jobs = [Job(shard) for shard in self.shards]
        bar = _Bar(jobs, 2 if self.definition.repeated == "once" else 1, progress)
        if self.definition.repeated == "once":
            jobs = self._without_repeated(jobs, store, bar)
        self._counts = self._count_shards(names, jobs, store, bar)
        totals = Totals.zero(names)
        for counts in self._counts.values():
            totals.add(counts.totals)
        return [
            _fact_count(fact, pair, names, totals) for fact, pair in zip(facts, names.fact_pair, strict=True)
        ]

    def _without_repeated(self, jobs: Sequence[Job], store: ShardCache | None, bar: "_Bar") -> list[Job]:
        """Return the jobs with masks that skip duplicates of earlier documents."""
        hashes: dict[Job, Hashes] = {}
        for job in jobs:
            known = store.load_hashes(job) if store else None
            if known is not None:
                hashes[job] = known
                bar.finish(job.shard)
        prepare = partial(DocumentHasher, self.definition.text_key)
        for job, result in self._launch(prepare, [job for job in jobs if job not in hashes], bar):
            hashes[job] = result
            if store:
                store.save_hashes(job, result)
        whole = [job for job in jobs if job in hashes]
        flags = repeated([hashes[job] for job in whole])
        self._n_repeated = sum(int(flag.sum()) for flag in flags)
        return [Job(job.shard, flag) for job, flag in zip(whole, flags, strict=True)]

    def _count_shards(
        self, names: NameIndex, jobs: Sequence[Job], store: ShardCache | None, bar: "_Bar"
    ) -> dict[Shard, ShardCounts]:
        """Return the counts of every shard in order, from the cache where available."""
        counts = {}
        for job in jobs:
            known = store.load(job) if store else None
            if known is not None:
                counts[job.shard] = known
                bar.finish(job.shard)
        todo = [job for job in jobs if job.shard not in counts]
        matcher = choose_matcher(self.running.matcher, len(names.patterns))
        request = Request(names, self.definition, matcher, self.running.block_size)
        for job, result in self._launch(partial(ShardCounter, request), todo, bar):
            counts[job.shard] = result
            if store:
                store.save(job, result)
        return {job.shard: counts[job.shard] for job in jobs if job.shard in counts}

    def _launch(
        self, prepare: Callable[[], Task[T]], jobs: Sequence[Job], bar: "_Bar"
    ) -> Iterator[tuple[Job, T]]:
        """Yield the jobs with their results; a bad shard is skipped or raises its error."""
        if not jobs:
            return
        launcher = LAUNCHERS.get(self.running.launcher)
        for number, result in launcher(prepare, jobs, self.running.workers, bar.reporter(jobs)):
            job = jobs[number]
            bar.finish(job.shard)
            if not isinstance(result, DataError):
                yield job, result
            elif self.running.on_bad_shard == "skip":
                self._skipped[job.shard] = str(result)
                logger.warning("skipped: %s", result)
            else:
                raise result


class _Bar:
    """Progress: the bytes read of all shards, over one or more passes."""

    def __init__(self, jobs: Sequence[Job], passes: int, progress: Progress | None) -> None:
        self._total = passes * sum(job.shard.size for job in jobs)
        self._finished = 0
        self._read: dict[Shard, int] = {}
        self._progress = progress

    def reporter(self, jobs: Sequence[Job]) -> Report:
        """Return the progress callback for these jobs."""

        def report(number: int, bytes_read: int) -> None:
            self._read[jobs[number].shard] = bytes_read
            self._show()

        return report

    def finish(self, shard: Shard) -> None:
        """Count a shard as fully read in this pass."""
        self._read.pop(shard, None)
        self._finished += shard.size
        self._show()

    def _show(self) -> None:
        if self._progress is not None:
            self._progress(self._finished + sum(self._read.values()), self._total)


def _fact_count(fact: Fact, pair: np.int64, names: NameIndex, totals: Totals) -> FactCount:
    subject_count = int(totals.occurrences[names.pair_subject[pair]])
    object_count = int(totals.occurrences[names.pair_object[pair]])
    anchored = totals.anchored_subject if subject_count <= object_count else totals.anchored_object
    return FactCount(
        fact_id=fact.fact_id,
        subject_count=subject_count,
        object_count=object_count,
        docs_both=int(totals.docs_both[pair]),
        docs_window=int(totals.docs_window[pair]),
        pairs_window=int(totals.pairs_window[pair]),
        anchored=int(anchored[pair]),
    )
