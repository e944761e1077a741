"""Table of the share known before, by natural count."""

import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.report.quantities import BY_GENERATION, MOST_PROBABLE
from unequal.report.sample import sample_name, scope_of
from unequal.report.scales import COUNT_IN_CORPUS, scales_of
from unequal.report.tables.table import COUNT, PERCENT, WORDS, Column, Row, Table

VIEWS = {
    "greedy": ("question", "said", f"Question, {BY_GENERATION}"),
    "choice": ("question", "choice_accuracy", f"Question, {MOST_PROBABLE}"),
    "cloze": ("cloze", "said", f"Statement, {BY_GENERATION}"),
    "cloze_choice": ("cloze", "choice_accuracy", f"Statement, {MOST_PROBABLE}"),
}
NEVER_SEEN = "never seen"


def known_table(analysis: Analysis) -> Table:
    """Return the share of facts to forget known before by each view, a row for each bucket of counts.

    Without rows where levels are not buckets.
    """
    columns = [
        Column("level", "Count in the corpus", WORDS),
        Column("n_facts", "Facts", COUNT),
        *(Column(name, title, PERCENT) for name, (_, _, title) in VIEWS.items()),
    ]
    scales = scales_of(analysis)
    known = analysis.known.filter((pl.col("model") == scope_of(analysis)) & (scales.dose == COUNT_IN_CORPUS))
    forget = known.filter(pl.col("role") == "forget")
    rows = [_row(known.filter(pl.col("role") == "never_seen"), NEVER_SEEN)] if known.height else []
    for level in sorted(scales.names) if known.height else ():
        rows.append(_row(forget.filter(pl.col("exposure") == level), scales.names[level]))
    note = (
        "Known before unlearning; 95% intervals over facts. Greedy answers decide what can be forgotten; the "
        "most probable answer of its type shows what else is known, above never-seen facts. "
        f"Sample: {sample_name(analysis)}."
    )
    return Table("known_by_count", "Known before, by count", columns, rows, note)


def _row(known: pl.DataFrame, level: str) -> Row:
    row: Row = {"level": level, "n_facts": None}
    for name, (probe, metric, _) in VIEWS.items():
        for found in known.filter((pl.col("probe") == probe) & (pl.col("metric") == metric)).to_dicts():
            row |= {name: found["value"], f"{name}_low": found["low"], f"{name}_high": found["high"]}
            row["n_facts"] = found["n_facts"] if row["n_facts"] is None else row["n_facts"]
    return row
