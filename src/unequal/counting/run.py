"""The count command: from a fact table and a corpus to a count table on disk."""

from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from unequal.counting import COUNTERS
from unequal.counting.protocol import Progress, count_table
from unequal.facts.packaged import resolve_corpus, resolve_facts
from unequal.facts.table import read_facts
from unequal.files import atomic_path


class CountSettings(BaseModel):
    """What to count, where, and how; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    facts: Path = Field(description="fact table, or the packaged 'country-capital'")
    corpus: str = Field(min_length=1, description="glob of shards, or the packaged 'factbook'")
    out: Path = Field(description="count table to write (Parquet)")
    window: Annotated[int, Field(ge=0)] = Field(
        default=100, description="largest distance of a pair in words"
    )
    text_key: str = Field(default="text", min_length=1, description="key or column that holds the text")
    engine: str = Field(default="scan", description="counting engine")


def count_facts(settings: CountSettings, progress: Progress | None = None) -> pl.DataFrame:
    """Return the count table, one row a fact, after writing it to ``settings.out``.

    Raises `ConfigError` for an unknown engine and `DataError` for facts or shards that cannot be read.
    """
    factory = COUNTERS.get(settings.engine)
    facts = read_facts(resolve_facts(settings.facts))
    corpus = resolve_corpus(settings.corpus)
    with atomic_path(settings.out) as beside:
        counter = factory(corpus=corpus, window=settings.window, text_key=settings.text_key)
        table = count_table(counter, facts, progress)
        table.write_parquet(beside)
    return table
