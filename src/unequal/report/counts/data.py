"""Data of the count report: counts beside their facts, the ranking measure, the most and least frequent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from unequal.counting.protocol import COUNT_SCHEMA
from unequal.facts.schema import Fact
from unequal.report.page import plural

ENDS = 15
SOURCE = ("engine", "corpus_id", "definition", "window", "window_unit")


@dataclass(frozen=True)
class Measure:
    """A number column in words: a table's heading, what one of it is called, and what it says."""

    column: str
    heading: str
    noun: str
    meaning: str


@dataclass(frozen=True)
class CountView:
    """Counts with the words of their facts; `main` is the number that ranks them, None without any."""

    table: pl.DataFrame
    measures: list[Measure]
    absent: list[Measure]
    main: Measure | None
    sources: list[dict[str, Any]]
    counted_at: str
    n_without_row: int
    n_without_words: int

    @property
    def ranked(self) -> pl.DataFrame:
        """Return the facts that have the main number, the most frequent first."""
        if self.main is None:
            return self.table.clear()
        order = [self.main.column, "subject_count", "object_count"]
        return self.table.drop_nulls(self.main.column).sort(
            order, descending=True, nulls_last=True, maintain_order=True
        )

    @property
    def found(self) -> pl.DataFrame:
        """Return the facts whose main number is above zero, the most frequent first."""
        return self.ranked if self.main is None else self.ranked.filter(pl.col(self.main.column) > 0)

    @property
    def estimated(self) -> pl.DataFrame:
        """Return the facts with numbers that are estimates, the most frequent first."""
        rows = self.table if self.main is None else self.table.sort(
            self.main.column, descending=True, nulls_last=True, maintain_order=True
        )  # fmt: skip
        return rows.filter("approx")


def measures_in_words(near: str) -> list[Measure]:
    """Return all number columns in words; ``near`` is the window, such as ``within 100 words``."""
    both = f"subject and object {near} of each other"
    return [
        Measure("subject_count", "Subject mentions", "occurrence", "occurrences of the subject's names"),
        Measure("object_count", "Object mentions", "occurrence", "occurrences of the object's names"),
        Measure(
            "docs_both", "Documents with both", "document",
            "documents with subject and object, at any distance",
        ),
        Measure("docs_window", f"Documents {near}", "document", f"documents with {both}"),
        Measure("pairs_window", f"Pairs {near}", "pair", f"pairs of {both}"),
        Measure(
            "anchored", f"Occurrences {near}", "occurrence",
            f"occurrences of the rarer of subject and object with the other {near}",
        ),
    ]  # fmt: skip


MAIN_FIRST = ("docs_window", "anchored", "pairs_window", "docs_both")
"""Which column ranks the facts: the first of these that the engine filled."""


def count_view(facts: Sequence[Fact], counts: pl.DataFrame) -> CountView:
    """Return the counts beside their facts; columns and facts that are missing are left empty."""
    counts = _whole(counts)
    words = pl.DataFrame(
        [(fact.fact_id, fact.subject, fact.relation, fact.object) for fact in facts],
        schema=dict.fromkeys(("fact_id", "subject", "relation", "object"), pl.String),
        orient="row",
    ).unique("fact_id", keep="first", maintain_order=True)
    table = counts.join(words, on="fact_id", how="left", maintain_order="left")
    sources = counts.select(SOURCE).unique(maintain_order=True).to_dicts()
    measures = measures_in_words(window_in_words(sources))
    filled = {one.column for one in measures if counts[one.column].null_count() < counts.height}
    main = next((column for column in MAIN_FIRST if column in filled), None)
    measures.sort(key=lambda one: one.column != main)
    return CountView(
        table=table,
        measures=[one for one in measures if one.column in filled],
        absent=[one for one in measures if one.column not in filled],
        main=measures[0] if main else None,
        sources=sources,
        counted_at=str(counts["counted_at"].drop_nulls().max() or ""),
        n_without_row=words.join(counts, on="fact_id", how="anti").height,
        n_without_words=table["subject"].null_count(),
    )


def window_in_words(sources: list[dict[str, Any]]) -> str:
    """Return the window, such as ``within 100 words``, or ``within the window`` when it is not one."""
    windows = {(one["window"], one["window_unit"]) for one in sources}
    if len(windows) != 1 or None in (only := next(iter(windows))):
        return "within the window"
    return f"within {only[0]:,} {only[1]}"


def _whole(counts: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of the count table, empty where the table has none."""
    columns = [
        (pl.col(name) if name in counts.columns else pl.lit(None)).cast(kind, strict=False).alias(name)
        for name, kind in COUNT_SCHEMA.items()
    ]
    return counts.select(columns).with_columns(pl.col("approx").fill_null(False))


def number(value: float | None) -> str:
    """Return a count with thousands separated, ``—`` for none, and a half only where there is one."""
    if value is None:
        return "—"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def have(n_facts: int) -> str:
    """Return the start of a sentence on some facts, such as ``1 fact has`` and ``3 facts have``."""
    return f"{plural(n_facts, 'fact')} {'has' if n_facts == 1 else 'have'}"


def rarest(view: CountView) -> pl.DataFrame:
    """Return the rarest facts that occur and are not among the most frequent, the rarest first."""
    rest = view.found.slice(ENDS)
    return rest.tail(ENDS).reverse()


def never_together(view: CountView) -> pl.DataFrame:
    """Return facts whose main number is zero, those first of which both names occur often."""
    if view.main is None:
        return view.table.clear()
    names = pl.min_horizontal("subject_count", "object_count")
    rows = view.table.filter(pl.col(view.main.column) == 0)
    return rows.sort(names, descending=True, nulls_last=True, maintain_order=True)


def summary(view: CountView) -> list[dict[str, str]]:
    """Return one row a number column: how many facts are above zero, the median, the largest, the sum."""
    rows = []
    for one in view.measures:
        values = view.table[one.column].drop_nulls()
        shown = {
            "n": number(values.len()),
            "positive": number(int((values > 0).sum())),
            "median": number(_number(values.median())),
            "largest": number(_number(values.max())),
            "total": number(int(values.sum())),
        }
        rows.append({"column": one.column, "heading": one.heading, "meaning": one.meaning, **shown})
    return rows


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def median(rows: pl.DataFrame, measure: Measure) -> float:
    """Return the median of a number over the rows that have it, zeros included; 0 without any."""
    return _number(rows[measure.column].median()) or 0.0
