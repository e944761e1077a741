"""The contract of every counting engine, and the count table that all of them fill."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Protocol

import polars as pl

from unequal.facts.schema import Fact

Progress = Callable[[int, int], None]
"""Called with the bytes of the corpus that are done and the bytes in all."""


@dataclass(frozen=True, slots=True)
class CountSource:
    """What produced a set of counts; two rankings may be mixed only when all of it is equal."""

    engine: str
    corpus_id: str
    definition: str
    window: int
    window_unit: str


@dataclass(frozen=True, slots=True)
class FactCount:
    """How often one fact occurs; None where an engine cannot measure a number.

    `subject_count` and `object_count` are occurrences; `docs_both` documents in which both occur, at any
    distance; `docs_window` documents with at least one pair within the window; `pairs_window` all pairs of
    a subject and an object occurrence within the window.
    """

    fact_id: str
    subject_count: int | None
    object_count: int | None
    docs_both: int | None
    docs_window: int | None
    pairs_window: int | None
    approx: bool = False
    queries: int = 0


class Counter(Protocol):
    """An engine bound to one corpus, one definition and one window."""

    @property
    def source(self) -> CountSource:
        """Return what the counts of this engine mean."""
        ...

    def count(self, facts: Sequence[Fact], progress: Progress | None = None) -> list[FactCount]:
        """Return one count for each fact, in the order of the facts."""
        ...


class CounterFactory(Protocol):
    """Makes an engine: what the counter registry holds."""

    def __call__(self, *, corpus: str, window: int, text_key: str) -> Counter:
        """Return the engine for a corpus (a glob of shards, or the name of an index)."""
        ...


COUNT_SCHEMA: dict[str, type[pl.DataType]] = {
    "fact_id": pl.String,
    "engine": pl.String,
    "corpus_id": pl.String,
    "definition": pl.String,
    "window": pl.Int64,
    "window_unit": pl.String,
    "subject_count": pl.Int64,
    "object_count": pl.Int64,
    "docs_both": pl.Int64,
    "docs_window": pl.Int64,
    "pairs_window": pl.Int64,
    "approx": pl.Boolean,
    "queries": pl.Int64,
    "counted_at": pl.String,
}


def count_table(counter: Counter, facts: Sequence[Fact], progress: Progress | None = None) -> pl.DataFrame:
    """Return the count table: one row a fact, in the order of the facts, stamped with the UTC time."""
    counts = counter.count(facts, progress)
    stamp = {"counted_at": datetime.now(UTC).isoformat(timespec="seconds")}
    source = asdict(counter.source)
    return pl.DataFrame([asdict(count) | source | stamp for count in counts], schema=COUNT_SCHEMA)
