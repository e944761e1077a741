"""The interface of counting engines, and the count table that they produce."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol

import polars as pl
from pydantic import Field, field_validator

from unequal.errors import DataError
from unequal.facts.schema import Fact
from unequal.output_paths import Output
from unequal.progress import Progress
from unequal.strict import StrictModel


@dataclass(frozen=True, slots=True)
class CountSource:
    """The meaning of a set of counts; counts can be compared only if all fields are equal."""

    engine: str
    corpus_id: str
    definition: str
    window: int
    window_unit: str


@dataclass(frozen=True, slots=True)
class FactCount:
    """The counts of one fact; None for a number that the engine cannot measure.

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
    """The unit of progress: ``bytes`` or ``queries``."""

    @property
    def source(self) -> CountSource:
        """Return the meaning of this engine's counts."""
        ...

    def count(self, facts: Sequence[Fact], progress: Progress | None = None) -> list[FactCount]:
        """Return one count for each fact, in the order of the facts."""
        ...

    def metadata(self) -> dict[str, Any]:
        """Return further information on the last counts as JSON values, such as skipped shards."""
        ...


class CountSettings(StrictModel):
    """Settings of a count: facts, window and output; each engine adds its own. Unknown keys are refused."""

    running: ClassVar[frozenset[str]] = frozenset({"facts", "out", "report"})
    """Settings that do not affect the counts."""

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
        """Return the settings that affect the counts of given facts and text."""
        return self.model_dump(mode="json", exclude=set(self.running))

    def outputs(self) -> list[Output]:
        """Return the output files."""
        return [Output(self.out), *([Output(self.report, "--report")] if self.report else [])]

    def build(self) -> Counter:
        """Return the engine; raises `DataError` or `ConfigError` when it is not available."""
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
"""The count columns of the count table; they are null where an engine cannot measure them."""


def ranked_by(table: pl.DataFrame) -> str:
    """Return the column to rank facts by: `docs_window`, or `anchored` if the engine lacks it.

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
