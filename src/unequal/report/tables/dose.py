"""Table of slopes on exposure: what C1, R2 and R3 rest on, by method."""

from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.dose_response import ANSWER, NOTHING, START
from unequal.analysis.outcomes import EQUAL_STEPS, UTILITY_BUDGETS, at_budget
from unequal.report.quantities import ADJUSTED, PER_DOUBLING, heading, with_points
from unequal.report.sample import sample_name, slope_rows
from unequal.report.tables.table import EFFECT, METHOD, Column, Row, Table, by_method, estimate

COLUMNS = {
    "plain": (EQUAL_STEPS, NOTHING, "at equal steps"),
    "start": (EQUAL_STEPS, START, ADJUSTED[START]),
    "answer": (EQUAL_STEPS, ANSWER, "adjusted for answers"),
    **{
        f"utility_{budget:.0%}": (at_budget(budget), NOTHING, f"at {at_budget(budget)}")
        for budget in UTILITY_BUDGETS
    },
}


def slopes_table(analysis: Analysis) -> Table:
    """Return per method the slopes that C1 and its rivals rest on, all methods together last."""
    columns = [METHOD]
    columns += [Column(key, with_points(heading(title)), EFFECT) for key, (_, _, title) in COLUMNS.items()]
    rows: dict[str, Row] = {}
    for key, (comparison, adjusted_for, _) in COLUMNS.items():
        for row in slope_rows(analysis, comparison, adjusted_for).to_dicts():
            found = rows.setdefault(row["method"], {"method": row["method"]})
            found.update(estimate(key, row))
    ordered = by_method(rows.values())
    note = (
        f"{heading(PER_DOUBLING)}, facts known before, with 95% intervals; the first column is what C1 rests "
        f"on, the second R2, the third ({ADJUSTED[ANSWER]}) R3. Sample: {sample_name(analysis)}."
    )
    return Table("slopes", "Slopes on exposure", columns, ordered, note)
