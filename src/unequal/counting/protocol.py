"""The contract of every counting engine, and the count table that all of them fill."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol

import polars as pl
from pydantic import Field, field_validator

from unequal.errors import DataError
from unequal.facts.schema import Fact
from unequal.places import Output
from unequal.progress import Progress
from unequal.strict import StrictModel

"""Called with how much is done and how much there is in all, in the counter's `unit`."""


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
    a subject and an object occurrence within the window; `anchored` occurrences of the rarer of the two with
    at least one occurrence of the other within the window, which is what infini-gram's AND counts.
    """

    fact_id: str
    subject_count: int | None = None
    object_count: int | None = None
    docs_both: int | None = None
    docs_window: int | None = None
    pairs_window: int | None = None
    anchored: int | None = None
    approx: bool = False
    queries: int = 0


class Counter(Protocol):
    """An engine bound to one corpus, one definition and one window."""

    unit: str
    """What progress counts: ``bytes`` or ``queries``."""

    @property
    def source(self) -> CountSource:
        """Return what the counts of this engine mean."""
        ...

    def count(self, facts: Sequence[Fact], progress: Progress | None = None) -> list[FactCount]:
        """Return one count for each fact, in the order of the facts."""
        ...

    def metadata(self) -> dict[str, Any]:
        """Return what a reader of the last counts must know besides, such as shards left out (JSON)."""
        ...


class CountSettings(StrictModel):
    """What to count and where to write it; each engine adds its own. Unknown keys are refused."""

    running: ClassVar[frozenset[str]] = frozenset({"facts", "out", "report"})
    """Settings that do not determine the counts of given facts."""

    engine: str = Field(description="counting engine; see: unequal list engines")
    facts: Path = Field(
        description="fact table (.jsonl, .csv, .parquet), or country-capital, the packaged one"
    )
    out: Path = Field(description="count table to write (Parquet)")
    window: Annotated[int, Field(ge=0)] = Field(
        default=100, description="largest distance between subject and object of a pair"
    )
    report: Path | None = Field(default=None, description="HTML page with figures of the counts to write")

    @field_validator("out", "report")
    @classmethod
    def _names_a_file(cls, path: Path | None) -> Path | None:
        if path is not None and path.name in ("", ".."):
            raise ValueError(f"{path} is a folder; name a file, such as counts.parquet")
        return path

    def determines(self) -> dict[str, Any]:
        """Return the settings on which the counts of given facts and given text depend."""
        return self.model_dump(mode="json", exclude=set(self.running))

    def outputs(self) -> list[Output]:
        """Return what is written."""
        return [Output(self.out), *([Output(self.report, "--report")] if self.report else [])]

    def build(self) -> Counter:
        """Return the engine; raises `DataError` or `ConfigError` when it cannot be had."""
        raise NotImplementedError


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
    "anchored": pl.Int64,
    "approx": pl.Boolean,
    "queries": pl.Int64,
    "counted_at": pl.String,
}

NUMBERS = ("subject_count", "object_count", "docs_both", "docs_window", "pairs_window", "anchored")
"""The columns of the count table that hold counts; an engine leaves empty what it cannot measure."""


def ranked_by(table: pl.DataFrame) -> str:
    """Return the column that ranks the facts: `docs_window`, or where an engine lacks it `anchored`.

    Raises `DataError` when the table has neither.
    """
    columns = [name for name in ("docs_window", "anchored") if name in table.columns]
    if not columns:
        raise DataError(
            "the count table has neither a column docs_window nor anchored; make one with: unequal count"
        )
    return next((name for name in columns if table[name].count()), columns[-1])


def count_table(counter: Counter, facts: Sequence[Fact], progress: Progress | None = None) -> pl.DataFrame:
    """Return the count table: one row a fact, in the order of the facts, stamped with the UTC time."""
    counts = counter.count(facts, progress)
    stamp = {"counted_at": datetime.now(UTC).isoformat(timespec="seconds")}
    source = asdict(counter.source)
    return pl.DataFrame([asdict(count) | source | stamp for count in counts], schema=COUNT_SCHEMA)
