"""The table of general utility: one row a measure of a model that is about no fact, such as perplexity."""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

GENERAL_SCHEMA: dict[str, type[pl.DataType]] = {
    "kind": pl.String,  # text, generation or task
    "measure": pl.String,  # perplexity, bits_per_byte, degenerate_share, or a metric of lm-eval
    "of": pl.String,  # the text, answers, open prompts, or a task of lm-eval
    "value": pl.Float64,
    "standard_error": pl.Float64,  # of tasks
    "n": pl.Int64,  # tokens, texts or documents
    "higher_is_better": pl.Boolean,
    "reason": pl.String,  # why a value is missing; null when it is there
}
PERPLEXITY, BITS, DEGENERATE = "perplexity", "bits_per_byte", "degenerate_share"


def no_general() -> pl.DataFrame:
    """Return the table without rows."""
    return pl.DataFrame(schema=GENERAL_SCHEMA)


def changes(before: pl.DataFrame, after: pl.DataFrame) -> list[dict[str, Any]]:
    """Return one row a measure of two models: ``before``, ``after`` and their ``ratio`` after / before."""
    keys = ["kind", "measure", "of"]
    both = before.join(
        after.select(*keys, "value", "reason"), on=keys, suffix="_after", maintain_order="left"
    )
    return both.select(
        *keys,
        pl.col("value").alias("before"),
        pl.col("value_after").alias("after"),
        pl.when(pl.col("value") > 0).then(pl.col("value_after") / pl.col("value")).alias("ratio"),
        "n",
        "higher_is_better",
        pl.coalesce("reason", "reason_after"),
    ).to_dicts()


def loss_of(row: Mapping[str, Any]) -> float | None:
    """Return the share of a measure that was lost, by a row of `changes`; below 0 is a gain.

    Where lower is better, as for perplexity, it is the share by which the measure rose; of degenerate texts
    it is the share that was added. None if not known.
    """
    if row["kind"] == "generation" and row["after"] is not None:
        return float(row["after"] - row["before"])
    if row["ratio"] is None:
        return None
    return float(1 - row["ratio"] if row["higher_is_better"] else row["ratio"] - 1)


def sentences(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a few words on each measure, such as ``perplexity of held-out text 23.1 → 24.0``.

    The rows are those of a table, or of `changes`.
    """
    return [_sentence(row) for row in rows if row["measure"] != BITS]


def _sentence(row: Mapping[str, Any]) -> str:
    what, digits = {
        "text": ("perplexity of held-out text", ".1f"),
        "generation": (f"degenerate {row['of']}", ".0%"),
        "task": (f"{row['measure']} of {row['of']}", ".3f"),
    }[str(row["kind"])]
    values = [row[name] for name in ("value", "before", "after") if name in row]
    if None in values:
        return f"{what} not measured: {row['reason'] or 'no value'}"
    return f"{what} {' → '.join(format(value, digits) for value in values)}"
