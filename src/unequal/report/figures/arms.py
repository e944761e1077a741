"""Figures of arms: the dose-response by wording, the slope by family, size, wording, start and precision."""

from typing import Any

import altair as alt
import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.report.figures.dose import dose_legend, dose_parts, dose_spec, level_ends
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
from unequal.report.sample import sample_name
from unequal.report.scales import Scales
from unequal.report.tables.arms import SHOWN

ROW_HEIGHT = 30
ENDS = ("slope", "slope_low", "slope_high")
WORDING = "wording arm"
WORDINGS = {
    "rerendered": "rerendered: new wording each time",
    "verbatim": "verbatim: the same words again",
    "epochs": "epochs: one wording, more passes",
}


def wording_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return the dose-response of each wording arm with the slope that R1 compares, a panel per arm."""
    methods = analysis.runs.select("method", "plain").unique("method")
    levels = analysis.arm_levels.join(methods, on="method", how="left", maintain_order="left")
    levels = levels.with_columns(pl.col("plain").fill_null(True))
    arms = [arm for arm in [*WORDINGS, *levels["wording"].unique().sort()] if arm in levels["wording"]]
    found = {arm: levels.filter(pl.col("wording") == arm) for arm in dict.fromkeys(arms)}
    ends = level_ends(list(found.values()))
    slopes = {row["value_of_factor"]: row for row in _slopes(analysis, WORDING).to_dicts()}
    panels = [
        Panel(WORDINGS.get(arm, arm), dose_spec(dose_parts(rows, slopes.get(arm), scales), scales, ends))
        for arm, rows in found.items()
    ]
    caption = (
        "Forgotten share of the facts known before, averaged over the evaluated steps, by times shown, in "
        "each wording arm. Black: the mean of the methods and models found in every arm, and the line with "
        "the arm's slope, which stands above it. If it falls as steeply where repetitions bring no new "
        "wording, it is frequency and not variety of wording that protects a fact. 95% intervals over "
        f"people and seeds. Sample: {sample_name(analysis)}, as far as they are found in every arm."
    )
    shown = panels if len(panels) > 1 else []
    legend, title = dose_legend(scales), "Is it variety of wording?"
    return Figure("wording", title, caption, shown, [], legend, "method", of_some=True)


def _slopes(analysis: Analysis, factor: str) -> pl.DataFrame:
    """Return each value's slope at equal steps, as rows of estimates."""
    rows = analysis.interactions.filter(
        (pl.col("factor") == factor) & (pl.col("comparison") == EQUAL_STEPS) & pl.col("against").is_null()
    ).drop_nulls("slope")
    return rows.select("value_of_factor", value="slope", low="slope_low", high="slope_high")


def interactions_figure(analysis: Analysis, _: Scales) -> Figure:
    """Return the slope on exposure by family, size, wording, start and precision, a panel per factor."""
    shown = pl.col("factor").is_in(SHOWN) & pl.col("against").is_null()
    rows = in_points(analysis.interactions.filter(shown).drop_nulls("slope"), *ENDS)
    ends = rows.select(pl.col("slope_low").min(), pl.col("slope_high").max()).row(0)
    panels = [
        Panel(f"by {factor}", _forest(rows.filter(pl.col("factor") == factor), ends))
        for factor in SHOWN
        if factor in rows["factor"]
    ]
    caption = (
        f"{heading(PER_DOUBLING)}, for each value of a factor, with 95% intervals; left of zero, facts seen "
        "more often are harder to unlearn. Values of a factor are compared on the methods and models found "
        "with all of them, each counting equally. Whether two values differ stands in the table: intervals "
        f"that overlap may still differ. Sample: {sample_name(analysis)}."
    )
    controls = [comparison_control(comparisons(rows))]
    title = "Does it hold for every architecture, size and start?"
    return Figure("interactions", title, caption, panels, controls, wide=len(panels) == 1, of_some=True)


def _forest(rows: pl.DataFrame, ends: tuple[Any, ...]) -> dict[str, Any]:
    order = rows["value_of_factor"].unique(maintain_order=True).to_list()
    columns = ("comparison", "value_of_factor", "slope", "slope_low", "slope_high", "n_facts", "n_cells")
    domain = [min(0.0, ends[0] or 0.0), max(0.0, ends[1] or 0.0)]
    x = {"axis": alt.Axis(format="+.1f", tickCount=5), "scale": alt.Scale(domain=domain, nice=True)}
    base = alt.Chart(ROWS).transform_filter("datum.comparison === comparison")
    base = base.encode(
        y=alt.Y("value_of_factor:N", sort=order, title=None), color=alt.value("var(--method-0)")
    )
    tip = ["value_of_factor:N", *points_tip(*ENDS), "n_facts:Q", "n_cells:Q"]
    title = with_points(PER_DOUBLING)
    marks = points_with_intervals(base, "x", tip, ENDS, title=title, **x)
    chart = alt.layer(zero_line("x"), *marks).add_params(alt.param(name="comparison", value=EQUAL_STEPS))
    return spec(chart, ROW_HEIGHT * len(order) + 20, records(rows, *columns))
