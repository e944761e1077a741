"""Table of arms: the slope by family, size, wording, start and precision."""

import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.interactions import BOTH_KNEW, FACTORS
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.report.quantities import PER_DOUBLING, heading, with_points
from unequal.report.sample import sample_name
from unequal.report.tables.table import COUNT, EFFECT, MAGNITUDE, NUMBER, WORDS, Column, Table

SHOWN = tuple(factor for factor in FACTORS if factor != "method")  # methods have a picture of their own


def interactions_table(analysis: Analysis) -> Table:
    """Return per factor and value the slope, and its distance from the others' mean or from one of them."""
    columns = [
        Column("factor", "Factor", WORDS),
        Column("value_of_factor", "Value", WORDS),
        Column("slope", with_points(heading(PER_DOUBLING)), EFFECT),
        Column("against", "Against", WORDS),
        Column("difference", with_points("Difference"), EFFECT),
        Column("p_holm", "p (Holm)", NUMBER),
        Column("detectable", with_points("Detectable"), MAGNITUDE),
        Column("n_cells", "Methods × models", COUNT),
        Column("n_facts", "Facts", COUNT),
    ]
    compared = [EQUAL_STEPS, f"{EQUAL_STEPS}, {BOTH_KNEW}"]
    chosen = analysis.interactions.filter(
        pl.col("factor").is_in(SHOWN) & pl.col("comparison").is_in(compared)
    ).with_columns((pl.col("against") + ", on " + BOTH_KNEW).fill_null("the others’ mean"))
    ends = {"value": "difference", "low": "difference_low", "high": "difference_high"}
    note = (
        f"{heading(PER_DOUBLING)}, at equal steps, with 95% intervals, on the facts that models "
        "of a value knew before; beside the value that knew most, on those both knew. "
        "Detectable: the difference that a study of this standard error finds in 80% of cases; p is "
        f"corrected over the values of a factor in one comparison. Sample: {sample_name(analysis)}."
    )
    return Table("interactions", "The slope by factor", columns, chosen.rename(ends).to_dicts(), note)
