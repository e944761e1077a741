"""Figure of several studies: the slope of forgetting on exposure, method by method, study by study."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.dose_response import ALL_METHODS, NOTHING
from unequal.analysis.effects.pooled import together
from unequal.analysis.observations import MIXED
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.report.colours import method_colours
from unequal.report.figures.figure import (
    ROWS,
    Figure,
    Panel,
    comparison_control,
    comparisons,
    in_points,
    points_tip,
    points_with_intervals,
    records,
    spec,
    zero_line,
)
from unequal.report.quantities import PER_DOUBLING, heading, with_points

Named = tuple[str, Analysis]

ROW_HEIGHT = 12
COLUMNS = ("method", "comparison", "value", "low", "high", "n_facts")


def _slopes(analysis: Analysis) -> pl.DataFrame:
    """Return the unadjusted slopes of runs with mixed levels, over all models where there are several."""
    rows = analysis.slopes.filter((pl.col("adjusted_for") == NOTHING) & (pl.col("target_kind") == MIXED))
    return together(rows, "model").select(COLUMNS).drop_nulls("value").filter(pl.col("value").is_finite())


def slope_rows(studies: Sequence[Named]) -> list[dict[str, Any]]:
    """Return per method its slope at equal steps in each study, None where there is none."""
    found = [
        {row["method"]: row for row in _slopes(one).filter(pl.col("comparison") == EQUAL_STEPS).to_dicts()}
        for _, one in studies
    ]
    return [{"method": name, "by_study": [one.get(name) for one in found]} for name in _order(found)]


def _order(found: Sequence[dict[str, Any]]) -> list[str]:
    """Return all methods in the order of the studies, the mean of all methods last."""
    names = dict.fromkeys(name for one in found for name in one)
    return sorted(names, key=lambda name: name == ALL_METHODS)


def slopes_figure(studies: Sequence[Named]) -> Figure:
    """Return the slopes with their intervals, a row a method and a colour a study."""
    values = [
        {**row, "study": label}
        for label, one in studies
        for row in records(in_points(_slopes(one), "value", "low", "high"), *COLUMNS)
    ]
    labels = [label for label, _ in studies]
    colours = method_colours(len(labels))
    shown = pl.concat([_slopes(one) for _, one in studies])
    caption = (
        f"{heading(PER_DOUBLING)}, by method and study; left of 0 means that "
        "what was seen more often is forgotten less. Facts known before, unadjusted; 95% intervals over "
        "people and seeds of each study, so that two that overlap may still differ."
    )
    panels = [Panel("", _forest(values, labels, colours))] if values else []
    controls = [comparison_control(comparisons(shown))]
    legend = list(zip(labels, colours, strict=True))
    return Figure("slopes", "Dose-response slopes", caption, panels, controls, legend, "study", wide=True)


def _forest(values: list[dict[str, Any]], labels: list[str], colours: list[str]) -> dict[str, Any]:
    methods = _order([{row["method"]: row} for row in values])
    base = (
        alt.Chart(ROWS)
        .transform_filter("datum.comparison === comparison")
        .encode(
            y=alt.Y("method:N", sort=methods, title=None, axis=alt.Axis(ticks=False, domain=False)),
            yOffset=alt.YOffset("study:N", sort=labels),
            color=alt.Color("study:N", scale=alt.Scale(domain=labels, range=colours), legend=None),
        )
    )
    tip = ["study:N", "method:N", *points_tip("value", "low", "high"), "n_facts:Q"]
    axis, title = alt.Axis(format="+.1f"), with_points(PER_DOUBLING)
    marks = points_with_intervals(base, "x", tip, size=44, width=1.6, title=title, axis=axis)
    height = 40 + ROW_HEIGHT * len(methods) * (len(labels) + 1)
    chart = alt.layer(zero_line("x"), *marks).add_params(alt.param(name="comparison", value=EQUAL_STEPS))
    return spec(chart, height, values)
