"""Figure of the methods compared: the slope of each, plain and adjusted for confidence."""

import altair as alt
import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.dose_response import ALL_METHODS, NOTHING, START
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.report.figures.figure import (
    ROWS,
    Figure,
    Panel,
    in_points,
    points_tip,
    points_with_intervals,
    records,
    spec,
    zero_line,
)
from unequal.report.quantities import ADJUSTED, PER_DOUBLING, heading, with_points
from unequal.report.sample import sample_name, slope_rows
from unequal.report.scales import Scales

COLOURS = ["var(--method-0)", "var(--method-1)"]
VIEWS = (NOTHING, START)


def methods_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return the slopes of all methods with 95% intervals, plain and adjusted for starting confidence."""
    rows = pl.concat([slope_rows(analysis, EQUAL_STEPS, adjusted_for) for adjusted_for in VIEWS])
    rows = in_points(rows.drop_nulls("value"), "value", "low", "high")
    rows = rows.with_columns(pl.col("adjusted_for").replace_strict(ADJUSTED).alias("view"))
    values = records(rows, "method", "view", "value", "low", "high", "p", "n_facts", "n_people")
    order, views = [*scales.methods, ALL_METHODS], [ADJUSTED[one] for one in VIEWS]
    colour = alt.Color("view:N", scale=alt.Scale(domain=views, range=COLOURS), legend=None)
    axis, title = alt.Axis(format="+.1f", tickCount=6), with_points(PER_DOUBLING)
    base = alt.Chart(ROWS).encode(
        y=alt.Y("method:N", sort=order, title=None), yOffset=alt.YOffset("view:N", sort=views), color=colour
    )
    tip = ["method:N", "view:N", *points_tip("value", "low", "high"), "n_facts:Q", "n_people:Q"]
    marks = points_with_intervals(base, "x", tip, title=title, axis=axis)
    height = 44 * (rows["method"].n_unique() or 1) + 20
    caption = (
        f"{heading(PER_DOUBLING)}, per method, with 95% interval; left of zero, facts seen more often are "
        "harder to unlearn. Orange compares facts of equal starting log-probability. "
        f"Sample: {sample_name(analysis)}."
    )
    panels = [Panel("", spec(alt.layer(zero_line("x"), *marks), height, values))] if values else []
    return Figure(
        "methods", "Methods compared", caption, panels, [], list(zip(views, COLOURS, strict=True)), wide=True
    )
