"""Table of slopes on model size: what C5 and R5 rest on."""

import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.dose_response import NOTHING
from unequal.report.quantities import ABOVE_NEVER_SEEN, heading, with_points
from unequal.report.sample import pooled, sample_name
from unequal.report.tables.table import COUNT, EFFECT, METHOD, WORDS, Column, Table, estimate


def size_slopes_table(analysis: Analysis) -> Table:
    """Return the slopes on size over all methods: the disagreement of C5, and both of R5."""
    columns = [
        METHOD,
        Column("measure", "Per doubling of parameters", WORDS),
        Column("slope", with_points("Change"), EFFECT),
        Column("n_sizes", "Sizes", COUNT),
        Column("n_facts", "Facts", COUNT),
    ]
    trends = analysis.size_trends.filter(pl.col("adjusted_for") == NOTHING)
    trends = trends.with_columns(pl.format("{}, {}", pl.lit(ABOVE_NEVER_SEEN), "reading").alias("measure"))
    rows = [
        {key: row[key] for key in ("method", "measure", "n_sizes", "n_facts")} | estimate("slope", row)
        for frame in (trends, analysis.size_effects)
        for _, part in frame.group_by("measure", maintain_order=True)
        for row in pooled(part).to_dicts()
    ]
    note = (
        f"{heading(ABOVE_NEVER_SEEN)}: C5; the others: R5. Of facts that every size knew before. "
        f"Sample: {sample_name(analysis)}."
    )
    return Table("size_slopes", "Slopes on size", columns, rows, note)
