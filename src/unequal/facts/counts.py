"""Counts of facts from a count table with a single definition."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from unequal.errors import SHOWN, DataError, did_you_mean, listed
from unequal.facts.schema import Fact

SOURCE = ("engine", "corpus_id", "definition", "window", "window_unit")
"""The columns that define the meaning of a count; facts can be ranked only if all are equal."""
NO_COUNTS = {"window", "queries"}


def counts_by_fact(facts: Sequence[Fact], counts: pl.DataFrame, by: str) -> dict[str, dict[str, Any]]:
    """Return ``count`` and ``count_approx`` of every fact; raises `DataError` if they cannot be ranked."""
    _check_ids(counts)
    _check_one_source(counts)
    _check_column(counts, by)
    repeated = counts.filter(pl.col("fact_id").is_duplicated())["fact_id"].unique().sort().to_list()
    if repeated:
        raise DataError(f"the count table counts {len(repeated)} facts more than once: {listed(repeated)}")
    below = counts.filter(pl.col(by) < 0).select("fact_id", by)
    if not below.is_empty():
        fact_id, value = below.row(0)
        raise DataError(
            f"{by} is below 0 for {below.height} facts of the count table, first for '{fact_id}' ({value});"
            " a count is 0 or more: count again with unequal count"
        )
    has_approx = counts.schema.get("approx") == pl.Boolean
    approx = pl.col("approx").fill_null(False) if has_approx else pl.lit(False)
    frame = counts.select("fact_id", pl.col(by).alias("count"), approx.alias("count_approx"))
    found = {row.pop("fact_id"): row for row in frame.iter_rows(named=True)}
    missing = [fact.fact_id for fact in facts if fact.fact_id not in found]
    if missing:
        raise DataError(
            f"the count table lacks {len(missing)} of {len(facts)} facts ({listed(missing)});"
            " count them with: unequal count"
        )
    empty = [fact.fact_id for fact in facts if found[fact.fact_id]["count"] is None]
    if empty:
        raise DataError(f"{by} is empty for {len(empty)} of {len(facts)} facts: {listed(empty)}")
    return found


def _check_ids(counts: pl.DataFrame) -> None:
    kind = counts.schema.get("fact_id")
    if kind != pl.String:
        found = "is missing" if kind is None else f"is of type {kind}"
        raise DataError(f"column fact_id of the count table {found}; it must hold the ids of facts, as texts")


def _check_one_source(counts: pl.DataFrame) -> None:
    held = {column: _different(counts[column]) for column in SOURCE if column in counts.columns}
    mixed = {column: values for column, values in held.items() if len(values) > 1}
    if mixed:
        found = "; ".join(
            f"{column} holds {', '.join(values[:SHOWN])}{' and others' if len(values) > SHOWN else ''}"
            for column, values in mixed.items()
        )
        raise DataError(f"never mix definitions in one ranking: the count table's {found}; keep one of each")


def _different(column: pl.Series) -> list[str]:
    """Return the distinct values of a column as texts for a message."""
    if column.dtype.is_numeric() or column.dtype in (pl.String, pl.Boolean):
        column = column.unique().sort()
    return list(dict.fromkeys(str(value) for value in column.to_list()))


def _check_column(counts: pl.DataFrame, by: str) -> None:
    """Check that a column holds counts; raises `DataError`, which lists the columns that do."""
    usable = [
        column
        for column, kind in counts.schema.items()
        if kind.is_integer() and column not in NO_COUNTS and counts[column].null_count() < counts.height
    ]
    if by in usable:
        return
    known = f"columns with counts: {', '.join(usable) or 'none'}"
    if by not in counts.columns:
        raise DataError(f"the count table has no column '{by}'{did_you_mean(by, usable)} ({known})")
    reason = (
        "is empty; its engine does not measure it"
        if counts[by].null_count() == counts.height
        else "is no count"
    )
    raise DataError(f"column {by} of the count table {reason} ({known})")
