"""Figures by exposure level: known before, steps to forget, other formats, the utility cost."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.analysis.observations import MIXED
from unequal.analysis.utility.cost import PRIMARY_TARGET
from unequal.report.colours import level_colours
from unequal.report.figures.curves import with_level
from unequal.report.figures.figure import (
    INK,
    ROWS,
    Control,
    Figure,
    Panel,
    in_points,
    points_tip,
    points_with_intervals,
    records,
    share,
    spec,
    zero_line,
)
from unequal.report.quantities import (
    ANSWER_PROBABILITY,
    BY_GENERATION,
    MOST_PROBABLE,
    UTILITY_LOST,
    with_points,
)
from unequal.report.sample import sample_name, scope_of
from unequal.report.scales import Scales
from unequal.report.tables.table import Row

TALL = 260
ALL_LEVELS = "all levels"
SHARE_KNOWN = "share known before"
FORMAT_NAMES = {
    "paraphrase": "other wording (paraphrase)",
    "cloze": "statement (cloze)",
    "reverse": "reversed question",
}


def known_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return what was known before unlearning per level, by generation and by probability."""
    rows = analysis.known.filter(
        (pl.col("model") == scope_of(analysis))
        & (pl.col("probe") == "question")
        & pl.col("role").is_in(["forget", "never_seen"])
    ).with_columns(
        pl.when(pl.col("role") == "never_seen")
        .then(pl.lit("never seen"))
        .otherwise(scales.level_name())
        .alias("level")
    )
    names = {"said": BY_GENERATION, "choice_accuracy": MOST_PROBABLE}
    rows = rows.with_columns(pl.col("metric").replace_strict(names).alias("view"))
    values = records(rows, "level", "view", "value", "low", "high", "n_facts", "n_people")
    caption = (
        f"Share of facts known before unlearning, by level ({scales.dose}); only facts {BY_GENERATION} (the "
        "greedy answer) can be forgotten, and the other pictures follow these. 95% intervals over people. "
        f"Sample: {sample_name(analysis)}."
    )
    views, axis = list(names.values()), scales.levels_axis("never seen")
    panels = [Panel("", known_bars(values, "level", axis, views))] if values else []
    return Figure("known", "Known before unlearning", caption, panels, [], view_legend(views), wide=True)


def view_legend(views: Sequence[str]) -> list[tuple[str, str]]:
    """Return label and colour of several ways to test a fact."""
    return [(view, f"var(--method-{place})") for place, view in enumerate(views)]


def known_bars(values: list[Row], group: str, axis: alt.X, views: list[str]) -> dict[str, Any]:
    """Return bars of the share known before by group, one for each way to test a fact, with intervals."""
    colours = [colour for _, colour in view_legend(views)]
    base = alt.Chart(ROWS).encode(
        x=axis,
        xOffset=alt.XOffset("view:N", sort=views),
        color=alt.Color("view:N", scale=alt.Scale(domain=views, range=colours), legend=None),
    )
    tip = [f"{group}:N", "view:N", alt.Tooltip("value:Q", format=".1%"), "n_facts:Q", "n_people:Q"]
    bars = base.mark_bar(opacity=0.8, cornerRadiusEnd=2).encode(y=share("value", SHARE_KNOWN), tooltip=tip)
    error = base.mark_rule(strokeWidth=1.5).encode(
        y=share("low", SHARE_KNOWN), y2="high:Q", color=alt.value(INK)
    )
    return spec(alt.layer(bars, error), TALL, values)


def survival_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return the median number of steps to forget per level and method; triangles lie beyond the end."""
    rows = with_level(
        analysis.survival.filter((pl.col("model") == scope_of(analysis)) & (pl.col("target_kind") == MIXED)),
        scales,
    )
    rows = rows.with_columns(
        pl.col("value").is_null().alias("censored"),
        pl.col("value").fill_null(pl.col("last_step")).alias("shown"),
        pl.col("low").fill_null(pl.col("last_step")).alias("from"),
        pl.col("high").fill_null(pl.col("last_step")).alias("to"),
    )
    values = records(rows, "method", "level", "shown", "from", "to", "censored", "forgotten_share", "n_facts")
    scale = alt.Scale(type="symlog", constant=1, zero=False)
    axis = alt.Axis(values=scales.steps, format="d", labelOverlap="greedy")
    base = alt.Chart(ROWS).encode(
        x=scales.levels_axis(),
        xOffset=alt.XOffset("method:N", sort=scales.methods),
        color=scales.method_colour(),
    )
    tip = [
        "method:N",
        "level:N",
        alt.Tooltip("shown:Q", title="median steps"),
        "from:Q",
        "to:Q",
        "censored:N",
    ]
    tip += [alt.Tooltip("forgotten_share:Q", format=".0%")]
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(
        y=alt.Y("from:Q", title="median steps", scale=scale, axis=axis), y2="to:Q"
    )
    shape = alt.Shape(
        "censored:N", scale=alt.Scale(domain=[False, True], range=["circle", "triangle-up"]), legend=None
    )
    points = base.mark_point(filled=True, size=52, opacity=1).encode(
        y=alt.Y("shown:Q", title="median steps", scale=scale, axis=axis), shape=shape, tooltip=tip
    )
    caption = (
        "Evaluated steps until half of the facts known before stay wrong for good (Kaplan–Meier median, 95% "
        "interval); a triangle at the "
        "top means that fewer than half were forgotten by the last step. Steps are evaluated on a grid, so "
        "medians sit on it. "
        f"Sample: {sample_name(analysis)}."
    )
    panels = [Panel("", spec(alt.layer(bars, points), TALL, values))] if values else []
    legend = [(method, colour) for method, colour, _ in scales.method_legend()]
    return Figure("survival", "Steps to forget", caption, panels, [], legend, "method", wide=True)


def formats_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return the gap between other formats and the question per level, the method to choose."""
    rows = with_level(
        in_points(analysis.formats.drop_nulls("value"), "value", "low", "high"), scales
    ).with_columns(
        pl.when(pl.col("exposure").is_null()).then(pl.lit(ALL_LEVELS)).otherwise("level").alias("level")
    )
    methods = [name for name in (ALL_METHODS, *scales.methods) if name in rows["method"].unique()]
    names = {
        "choice_accuracy": f"{MOST_PROBABLE}, above never-seen",
        "answer_prob": f"{ANSWER_PROBABILITY}, relative to before",
    }
    metrics = {metric: name for metric, name in names.items() if metric in rows["metric"].unique()}
    controls = [Control("method", "Method", {m: m for m in methods}), Control("metric", "Measure", metrics)]
    panels = [
        Panel(title, _gaps(rows.filter(pl.col("probe") == probe), scales, methods[0], next(iter(metrics))))
        for probe, title in FORMAT_NAMES.items()
        if metrics and probe in rows["probe"].unique()
    ]
    caption = (
        "How much more of a fact survives when it is asked another way: +22 means that 22 points more is "
        "left in the other format than in the unlearned question, by the same measure. Facts known in both "
        "formats before, averaged over the evaluated steps, for all levels together and for each. "
        f"95% intervals. Sample: {sample_name(analysis)}."
    )
    return Figure(
        "formats", "Is it still there in another format?", caption, panels, controls, wide=len(panels) == 1
    )


def _gaps(rows: pl.DataFrame, scales: Scales, method: str, metric: str) -> dict[str, Any]:
    values = records(rows, "method", "metric", "level", "value", "low", "high")
    base = alt.Chart(ROWS).transform_filter("datum.method === method && datum.metric === metric")
    base = base.encode(x=scales.levels_axis(ALL_LEVELS), color=_with_all_levels(scales))
    axis = alt.Axis(format="+.0f", tickCount=5)
    title = with_points("left in the other format minus left in the question")
    tip = ["level:N", *points_tip("value", "low", "high")]
    marks = points_with_intervals(base, "y", tip, size=60, title=title, axis=axis)
    params = [alt.param(name="method", value=method), alt.param(name="metric", value=metric)]
    return spec(alt.layer(zero_line("y"), *marks).add_params(*params), rows=values)


def _with_all_levels(scales: Scales) -> alt.Color:
    """Return the colour of levels, and of all of them together."""
    colours = [INK, *level_colours(len(scales.levels))]
    return alt.Color(
        "level:N", scale=alt.Scale(domain=[ALL_LEVELS, *scales.levels], range=colours), legend=None
    )


def cost_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return the utility lost at half forgotten in runs that unlearn one level alone, methods side by
    side."""
    rows = analysis.cost.filter(
        (pl.col("contrast") == "level") & (pl.col("target_forgotten") == PRIMARY_TARGET)
    )
    values = records(
        with_level(in_points(rows.drop_nulls("value"), "value", "low", "high"), scales),
        "method",
        "level",
        "value",
        "low",
        "high",
        "n_not_reached",
    )
    caption = (
        "Utility lost at the step at which half of the facts known before are forgotten, in runs that "
        "unlearn one level alone; higher is a "
        "costlier target. 95% intervals over people and seeds; a point without a line has none, as too few "
        f"draws reach half. Sample: {sample_name(analysis)}."
    )
    panels = [Panel("", spec(_costs(scales), TALL, values))] if values else []
    empty = "No runs that unlearn one level alone and reach half forgotten."
    return Figure(
        "cost",
        "The utility cost at equal forgetting",
        caption,
        panels,
        [],
        scales.method_legend(),
        "method",
        empty,
        wide=True,
    )


def _costs(scales: Scales) -> Any:
    """Return points with 95% intervals, methods side by side within each level."""
    base = alt.Chart(ROWS).encode(
        x=scales.levels_axis(),
        xOffset=alt.XOffset("method:N", sort=scales.methods),
        color=scales.method_colour(),
    )
    title, axis = with_points(UTILITY_LOST), alt.Axis(format="+.0f", tickCount=5)
    tip = ["method:N", alt.Tooltip("level:N", title=scales.dose), *points_tip("value", "low", "high")]
    scale = alt.Scale(nice=True)
    y = alt.Y("value:Q", title=title, axis=axis, scale=scale)
    line = base.mark_line(strokeWidth=1.2, opacity=0.35).encode(y=y)
    look = {"size": 44, "width": 1.5, "shape": scales.method_shape(), "rule": {"opacity": 0.7}}
    marks = points_with_intervals(base, "y", tip, **look, scale=scale, title=title, axis=axis)
    return alt.layer(line, *marks)
