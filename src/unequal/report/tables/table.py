"""Tables: columns, number formats and rows, for HTML, CSV and LaTeX alike."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.analysis.units import in_points
from unequal.report.page import number, percent

Row = dict[str, Any]

WORDS, COUNT, PERCENT, NUMBER, STEPS = "words", "count", "percent", "number", "steps"
EFFECT, MAGNITUDE = "effect", "magnitude"
DASH = "—"
WRITE: dict[str, Callable[[Any], str]] = {
    WORDS: str,
    COUNT: lambda value: f"{value:,}",
    PERCENT: percent,
    NUMBER: number,
    STEPS: lambda value: number(value, 0),
    EFFECT: in_points,
    MAGNITUDE: lambda value: number(100 * value, 1),
}


@dataclass(frozen=True)
class Column:
    """One column: the key of its values in the rows, its heading and how values are written.

    ``PERCENT`` is for shares, ``EFFECT`` and ``MAGNITUDE`` are differences of shares in points.

    Rows may hold ``<key>_low`` and ``<key>_high``, the 95% interval, and ``<key>_step``, where it was read.
    """

    key: str
    title: str
    kind: str = NUMBER
    none: str = DASH

    def value(self, row: Row) -> str:
        """Return the value as text."""
        value = row.get(self.key)
        return self.none if value is None else WRITE[self.kind](value)

    def beside(self, row: Row) -> str:
        """Return the interval and the step at which the value was read; empty when there is neither."""
        low, high, step = (row.get(f"{self.key}_{end}") for end in ("low", "high", "step"))
        if row.get(self.key) is None:
            return ""
        parts = []
        if low is not None and high is not None:
            parts.append(f"[{WRITE[self.kind](low)}, {WRITE[self.kind](high)}]")
        return " ".join([*parts, *([f"step {step}"] if step is not None else [])])


METHOD = Column("method", "Method", WORDS)


@dataclass(frozen=True)
class Table:
    """A table of the report; ``note`` says how to read it."""

    table: str
    title: str
    columns: list[Column]
    rows: list[Row]
    note: str = ""

    def is_total(self, row: Row) -> bool:
        """Return whether the row holds all methods together."""
        return row.get("method") == ALL_METHODS

    def frame(self) -> pl.DataFrame:
        """Return the unrounded values with the ends of their intervals, a row a row."""
        keys = [f"{column.key}{end}" for column in self.columns for end in ("", "_low", "_high", "_step")]
        shown = {column.key for column in self.columns}
        kept = [key for key in keys if key in shown or any(row.get(key) is not None for row in self.rows)]
        rows = [{key: row.get(key) for key in kept} for row in self.rows]
        return pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame(schema=kept)


def by_method(rows: Iterable[Row]) -> list[Row]:
    """Return the rows in the order of their methods, all methods together last."""
    return sorted(rows, key=lambda row: (row["method"] == ALL_METHODS, row["method"]))


def estimate(key: str, found: Row | None, value: str = "value") -> Row:
    """Return a value with its interval as the cells of column ``key``; empty when nothing was found."""
    if found is None:
        return {}
    return {key: found[value], f"{key}_low": found.get("low"), f"{key}_high": found.get("high")}
