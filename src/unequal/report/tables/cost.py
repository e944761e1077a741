"""Table of the utility cost: what unlearning the highest level costs beyond the lowest."""

import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.utility.cost import HIGH_MINUS_LOW, PRIMARY_TARGET
from unequal.report.quantities import UTILITY_LOST, heading, with_points
from unequal.report.sample import sample_name
from unequal.report.tables.table import COUNT, EFFECT, METHOD, Column, Table, estimate


def cost_table(analysis: Analysis) -> Table:
    """Return the utility lost at half forgotten, highest less lowest level, per method, as C7 has it."""
    columns = [
        METHOD,
        Column("difference", with_points(f"{heading(UTILITY_LOST)}, highest minus lowest level"), EFFECT),
        Column("n_not_reached", "Runs that never forgot half", COUNT),
    ]
    found = analysis.cost.filter(
        (pl.col("contrast") == HIGH_MINUS_LOW) & (pl.col("target_forgotten") == PRIMARY_TARGET)
    )
    rows = [
        {"method": row["method"], **estimate("difference", row), "n_not_reached": row["n_not_reached"]}
        for row in found.to_dicts()
    ]
    note = f"At half forgotten, in runs that unlearn one level alone. Sample: {sample_name(analysis)}."
    return Table("utility_cost", "The utility cost, highest against lowest level", columns, rows, note)
