"""Pictures over exposure levels: known before, dose-response, steps to forget, formats, the price, methods
compared."""

from typing import Any

import altair as alt
import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.dose_response import ALL_METHODS, NOTHING, START
from unequal.analysis.observations import MIXED
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.analysis.utility_cost import PRIMARY_TARGET
from unequal.report.curve_figures import with_level
from unequal.report.figure import (
    QUIET,
    ROWS,
    Control,
    Figure,
    Panel,
    Scales,
    data,
    records,
    share,
    spec,
)

TALL = 260
FORMAT_NAMES = {
    "paraphrase": "other wording (paraphrase)",
    "cloze": "statement (cloze)",
    "reverse": "reversed question",
}


def dodged(scales: Scales, field: str, title: str | None, whole: bool) -> Any:
    """Return points with 95% intervals, methods side by side within each level."""
    axis = alt.Axis(format="%", tickCount=5)
    base = alt.Chart(ROWS).encode(
        x=scales.levels_axis(),
        xOffset=alt.XOffset("method:N", sort=scales.methods),
        color=scales.method_colour(),
    )
    tip = [
        "method:N",
        alt.Tooltip("level:N", title=scales.dose),
        alt.Tooltip(f"{field}:Q", format=".3f"),
        alt.Tooltip("low:Q", format=".3f"),
        alt.Tooltip("high:Q", format=".3f"),
    ]
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(
        y=alt.Y("low:Q", title=title, axis=axis), y2="high:Q"
    )
    y = alt.Y(
        f"{field}:Q",
        title=title,
        axis=axis,
        scale=alt.Scale(domain=[0, 1]) if whole else alt.Scale(nice=True),
    )
    line = base.mark_line(strokeWidth=1.2, opacity=0.35).encode(y=y)
    points = base.mark_point(filled=True, size=44, opacity=1).encode(
        y=y, shape=scales.method_shape(), tooltip=tip
    )
    return alt.layer(line, bars, points)


def known_figure(analysis: Analysis, scales: Scales, model: str) -> Figure:
    """Return what was known before unlearning per level, by generation and by probability."""
    rows = analysis.known.filter(
        (pl.col("model") == model)
        & (pl.col("probe") == "question")
        & pl.col("role").is_in(["forget", "never_seen"])
    ).with_columns(
        pl.when(pl.col("role") == "never_seen")
        .then(pl.lit("never seen"))
        .otherwise(scales.level_name())
        .alias("level")
    )
    names = {"said": "by generation", "choice_accuracy": "by probability"}
    rows = rows.with_columns(pl.col("metric").replace_strict(names).alias("view"))
    values = records(rows, "level", "view", "value", "low", "high", "n_facts", "n_people")
    domain = list(names.values())
    colours = ["var(--method-0)", "var(--method-1)"]
    colour = alt.Color("view:N", scale=alt.Scale(domain=domain, range=colours), legend=None)
    base = alt.Chart(ROWS).encode(
        x=scales.levels_axis("never seen"),
        xOffset=alt.XOffset("view:N", sort=domain),
        color=colour,
    )
    tip = ["level:N", "view:N", alt.Tooltip("value:Q", format=".1%"), "n_facts:Q", "n_people:Q"]
    bars = base.mark_bar(opacity=0.8, cornerRadiusEnd=2).encode(y=share("value"), tooltip=tip)
    error = base.mark_rule(strokeWidth=1.5).encode(y=share("low"), y2="high:Q", color=alt.value("var(--ink)"))
    caption = (
        f"Share of facts the model knew before unlearning, by level ({scales.dose}); only facts known by "
        "generation can be forgotten, "
        "and the other pictures follow these. Greedy answer right, or right answer the most probable of its "
        "type; 95% intervals over "
        "people."
    )
    panels = [Panel("", spec(alt.layer(bars, error), TALL, values))] if values else []
    legend = list(zip(domain, colours, strict=True))
    return Figure("known", "Known before unlearning", caption, panels, [], legend, wide=True)


def dose_figure(analysis: Analysis, scales: Scales, model: str) -> Figure:
    """Return the dose-response: forgotten share per level and method, a panel per comparison."""
    rows = with_level(
        analysis.dose.filter((pl.col("model") == model) & (pl.col("target_kind") == MIXED)), scales
    )
    comparisons = sorted(rows["comparison"].unique(), key=lambda name: (name != EQUAL_STEPS, len(name), name))
    panels = []
    for comparison in comparisons:
        values = records(
            rows.filter(pl.col("comparison") == comparison), "method", "level", "value", "low", "high"
        )
        panels.append(Panel(comparison, spec(dodged(scales, "value", None, True), TALL, values)))
    caption = (
        "Share of the facts known before that were forgotten: averaged over the evaluated steps (equal "
        "steps), or read where the run has "
        "lost the stated part of its utility. Falling to the right means that what was seen more often is "
        "harder to unlearn."
    )
    return Figure(
        "dose", "Dose-response", caption, panels, [], scales.method_legend(), "method", wide=len(panels) == 1
    )


def survival_figure(analysis: Analysis, scales: Scales, model: str) -> Figure:
    """Return the median number of steps to forget per level and method; triangles lie beyond the end."""
    rows = with_level(
        analysis.survival.filter((pl.col("model") == model) & (pl.col("target_kind") == MIXED)), scales
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
        "medians sit on it."
    )
    panels = [Panel("", spec(alt.layer(bars, points), TALL, values))] if values else []
    legend = [(method, colour) for method, colour, _ in scales.method_legend()]
    return Figure("survival", "Steps to forget", caption, panels, [], legend, "method", wide=True)


def formats_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return the gap between other formats and the question per level, the method to choose."""
    rows = with_level(
        analysis.formats.filter(pl.col("exposure").is_not_null() & pl.col("value").is_not_null()), scales
    )
    methods = [name for name in (ALL_METHODS, *scales.methods) if name in rows["method"].unique()]
    names = {
        "choice_accuracy": "most probable of its type, above chance",
        "answer_prob": "answer probability, relative to before",
    }
    metrics = {metric: name for metric, name in names.items() if metric in rows["metric"].unique()}
    controls = [Control("method", "Method", {m: m for m in methods}), Control("metric", "Measure", metrics)]
    panels = [
        Panel(title, _gaps(rows.filter(pl.col("probe") == probe), scales, methods[0], next(iter(metrics))))
        for probe, title in FORMAT_NAMES.items()
        if metrics and probe in rows["probe"].unique()
    ]
    caption = (
        "Share left in another format minus share left in the question that was unlearned, same measure, "
        "facts known in both before, "
        "averaged over steps; above zero the fact survives in the other format. 95% intervals."
    )
    return Figure(
        "formats", "Is it still there in another format?", caption, panels, controls, wide=len(panels) == 1
    )


def _gaps(rows: pl.DataFrame, scales: Scales, method: str, metric: str) -> dict[str, Any]:
    values = records(rows, "method", "metric", "level", "value", "low", "high")
    base = alt.Chart(ROWS).transform_filter("datum.method === method && datum.metric === metric")
    base = base.encode(x=scales.levels_axis(), color=scales.level_colour())
    axis = alt.Axis(format="+.0%", tickCount=5)
    zero = alt.Chart(data([{"zero": 0}])).mark_rule(color=QUIET, strokeDash=[3, 3]).encode(y="zero:Q")
    bars = base.mark_rule(strokeWidth=1.8).encode(y=alt.Y("low:Q", title=None, axis=axis), y2="high:Q")
    tip = ["level:N", *[alt.Tooltip(f"{name}:Q", format="+.1%") for name in ("value", "low", "high")]]
    y = alt.Y("value:Q", title=None, axis=axis)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(y=y, tooltip=tip)
    params = [alt.param(name="method", value=method), alt.param(name="metric", value=metric)]
    return spec(alt.layer(zero, bars, points).add_params(*params), rows=values)


def cost_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return the utility lost at half forgotten in runs that unlearn one level alone."""
    rows = analysis.cost.filter(
        (pl.col("contrast") == "level") & (pl.col("target_forgotten") == PRIMARY_TARGET)
    )
    values = records(
        with_level(rows.drop_nulls("value"), scales),
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
        "dearer target. 95% intervals over people and seeds; a point without a line has none, as too few "
        "draws reach half."
    )
    panels = [Panel("", spec(dodged(scales, "value", None, False), TALL, values))] if values else []
    empty = "No runs that unlearn one level alone and reach half forgotten."
    return Figure(
        "cost",
        "The price at equal forgetting",
        caption,
        panels,
        [],
        scales.method_legend(),
        "method",
        empty,
        wide=True,
    )


def methods_figure(analysis: Analysis, scales: Scales, scope: str) -> Figure:
    """Return the slopes of all methods with 95% intervals, plain and adjusted for starting confidence."""
    rows = analysis.slopes.filter(
        (pl.col("model") == scope)
        & (pl.col("target_kind") == MIXED)
        & (pl.col("comparison") == EQUAL_STEPS)
        & pl.col("adjusted_for").is_in([NOTHING, START])
        & pl.col("value").is_not_null()
    )
    labels = {NOTHING: "not adjusted", START: "adjusted for starting log-probability"}
    rows = rows.with_columns(pl.col("adjusted_for").replace_strict(labels, default=None).alias("view"))
    values = records(rows, "method", "view", "value", "low", "high", "p", "n_facts", "n_people")
    order, views = [*scales.methods, ALL_METHODS], list(labels.values())
    colours = ["var(--method-0)", "var(--method-1)"]
    colour = alt.Color("view:N", scale=alt.Scale(domain=views, range=colours), legend=None)
    axis = alt.Axis(format="+.2f", tickCount=6)
    title = "change of the forgotten share per doubling of exposure"
    base = alt.Chart(ROWS).encode(
        y=alt.Y("method:N", sort=order, title=None), yOffset=alt.YOffset("view:N", sort=views), color=colour
    )
    zero = alt.Chart(data([{"zero": 0}])).mark_rule(color=QUIET, strokeDash=[3, 3]).encode(x="zero:Q")
    bars = base.mark_rule(strokeWidth=1.8).encode(x=alt.X("low:Q", title=title, axis=axis), x2="high:Q")
    tip = [
        "method:N",
        "view:N",
        *[alt.Tooltip(f"{name}:Q", format="+.4f") for name in ("value", "low", "high")],
        "n_facts:Q",
        "n_people:Q",
    ]
    points = base.mark_point(filled=True, size=56, opacity=1).encode(
        x=alt.X("value:Q", title=title, axis=axis), tooltip=tip
    )
    height = 44 * (rows["method"].n_unique() or 1) + 20
    caption = (
        "Slope of the forgotten share on log2(times shown), per method, with 95% interval; left of zero, "
        "facts seen more often are harder "
        "to unlearn. Orange compares facts of equal starting log-probability."
    )
    panels = [Panel("", spec(alt.layer(zero, bars, points), height, values))] if values else []
    legend = list(zip(views, colours, strict=True))
    return Figure("methods", "Methods compared", caption, panels, [], legend, wide=True)
