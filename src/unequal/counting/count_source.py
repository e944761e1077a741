"""The source of a study's counts: an engine, a count table, or a column of the fact tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import polars as pl
from pydantic import BaseModel, BeforeValidator, Field, SerializeAsAny, ValidationError

from unequal.config import sentences
from unequal.counting import COUNTERS
from unequal.counting.protocol import CountSettings, ranked_by
from unequal.errors import ConfigError, DataError
from unequal.facts.schema import Fact
from unequal.strict import StrictModel

FACTS, TABLE = Path("facts.parquet"), Path("counts.parquet")
"""Placeholders for the files of the counting step, which replaces them by its own."""
COUNT = "count"


class CountTable(StrictModel):
    """An existing count table, from `unequal count` or another program."""

    table: Path = Field(description="count table (Parquet)")


class CountColumn(StrictModel):
    """A count column of the fact tables, such as ``published_count`` of the seed paper's sets."""

    column: str = Field(min_length=1, description="column of the fact tables")

    def counts(self, facts: list[Fact]) -> pl.DataFrame:
        """Return a count table of the facts with a count; its only number is ``count``.

        Raises `DataError` when no fact has a whole number in the column.
        """
        values = {fact.fact_id: _value(fact, self.column) for fact in facts}
        found = {fact_id: value for fact_id, value in values.items() if value is not None}
        if not found:
            raise DataError(f"no fact has a count in the column '{self.column}'; name another, or an engine")
        meaning = {"engine": "fact table", "corpus_id": "unknown", "definition": f"column {self.column}"}
        rows = [{"fact_id": fact_id, **meaning, COUNT: value} for fact_id, value in found.items()]
        return pl.DataFrame(rows)


def rank_column(counts: pl.DataFrame) -> str:
    """Return the default count column to rank facts by."""
    if COUNT in counts.columns and "docs_window" not in counts.columns:
        return COUNT
    return ranked_by(counts) if {"docs_window", "anchored"} <= set(counts.columns) else "docs_window"


def _value(fact: Fact, column: str) -> int | None:
    value = fact.model_dump().get(column)
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError) as error:
        found = f"found {value!r}; a whole number is required"
        raise DataError(f"fact '{fact.fact_id}': column {column}: {found}") from error


def _choose(value: Any) -> Any:
    """Return the settings of an engine, a table or a column from a TOML table."""
    if not isinstance(value, Mapping):
        return value
    kinds: dict[str, type[BaseModel]] = {"table": CountTable, "column": CountColumn}
    kind = next((kind for name, kind in kinds.items() if name in value), None)
    if kind is None:
        try:
            kind = COUNTERS.get(str(value.get("engine", "scan")))
        except ConfigError as error:
            raise ValueError(str(error)) from error
        given = {"facts": FACTS, "out": TABLE}
        for name, standard in given.items():
            if name in value and Path(str(value[name])) != standard:
                raise ValueError(f"'{name}' is not for a study to set; its steps have files of their own")
        value = {**value, **given}
    try:
        return kind.model_validate(dict(value))
    except ValidationError as error:
        raise ValueError("; ".join(sentences(error, kind))) from error


CountChoice = Annotated[SerializeAsAny[CountTable | CountColumn | CountSettings], BeforeValidator(_choose)]
"""Counts in a run file: ``{engine = "infinigram-api", index = …}``, ``{table = …}`` or ``{column = …}``."""
