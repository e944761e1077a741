"""Figures by the steps of unlearning: forgetting curves and the frontier of forgetting and utility."""

import altair as alt
import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.report.figures.figure import (
    QUIET,
    ROWS,
    Control,
    Figure,
    Panel,
    extreme,
    records,
    share,
    share_tip,
    spec,
    step_axis,
)
from unequal.report.quantities import ANSWER_PROBABILITY, BY_GENERATION, MOST_PROBABLE, UTILITY_KEPT
from unequal.report.sample import sample_name, scope_of
from unequal.report.scales import Scales

METRIC_NAMES = {
    "said": BY_GENERATION,
    "rouge_l_recall": "ROUGE-L recall of the generation",
    "answer_prob": ANSWER_PROBABILITY,
    "choice_accuracy": MOST_PROBABLE,
    "choice_prob": "probability among answers of its type",
}


def with_level(frame: pl.DataFrame, scales: Scales) -> pl.DataFrame:
    """Return the frame with the level's name beside its exposure."""
    return frame.with_columns(scales.level_name().alias("level"))


def curves_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return the forgetting curves, a panel per method, every probe and metric to choose from."""
    rows = analysis.curves.filter(pl.col("model") == scope_of(analysis)).with_columns(
        pl.concat_str("probe", "metric", separator="|").alias("measure")
    )
    measures = _measures(rows)
    samples = {"known": "facts known before", "all": "all forget facts"}
    controls = [Control("measure", "Measure", measures), Control("sample", "Facts", samples)]
    panels = [
        Panel(method, _curve(rows.filter(pl.col("method") == method), scales, measures))
        for method in scales.methods
    ]
    caption = (
        f"Share of facts still there (or mean score) as unlearning goes on, one line a level ({scales.dose});"
        " the grey dashed line is what the same model says about facts it never saw. Runs with all levels in "
        "one forget set; bands are 95% intervals over people and seeds. "
        f"Sample: {sample_name(analysis)}."
    )
    shown = panels if measures else []
    legend = [*scales.level_legend(), ("never seen", QUIET)]
    return Figure("curves", "Forgetting curves", caption, shown, controls, legend, scales.dose)


def _measures(rows: pl.DataFrame) -> dict[str, str]:
    found = rows.filter(pl.col("sample") == "known").select("probe", "metric").unique().rows()
    order = {name: index for index, name in enumerate(METRIC_NAMES)}
    ranked = sorted(found, key=lambda one: (one[0] != "question", one[0], order.get(one[1], 9)))
    return {f"{probe}|{metric}": f"{probe}: {METRIC_NAMES.get(metric, metric)}" for probe, metric in ranked}


def _curve(rows: pl.DataFrame, scales: Scales, measures: dict[str, str]) -> dict[str, object]:
    columns = ("measure", "sample", "level", "step", "value", "low", "high", "n_facts")
    values = records(with_level(rows, scales), *columns)
    first = next(iter(measures), "")
    measure, sample = alt.param(name="measure", value=first), alt.param(name="sample", value="known")
    chosen = "datum.measure === measure && datum.sample === sample"
    base = alt.Chart(ROWS).transform_filter(chosen).encode(x=step_axis(scales.steps))
    tip = [
        alt.Tooltip("level:N", title=scales.dose),
        alt.Tooltip("step:Q"),
        *share_tip("value", "low", "high"),
        alt.Tooltip("n_facts:Q", title="facts"),
    ]
    band = base.mark_area(opacity=0.16).encode(y=share("low"), y2="high:Q", color=scales.level_colour())
    line = base.mark_line(point=alt.OverlayMarkDef(size=22), strokeWidth=1.8).encode(
        y=share("value"), color=scales.level_colour(), tooltip=tip
    )
    never = (
        alt.Chart(ROWS)
        .transform_filter("datum.measure === measure && datum.sample === 'never seen'")
        .mark_line(color=QUIET, strokeDash=[4, 3], strokeWidth=1.4)
        .encode(x=step_axis(scales.steps), y=share("value"))
    )
    return spec(alt.layer(band, never, line).add_params(measure, sample), rows=values)


def frontier_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return the forget–utility frontier, a panel per method, utility facts or neighbours to choose from."""
    rows = with_level(analysis.frontier.filter(pl.col("model") == scope_of(analysis)), scales)
    roles = [role for role in ("utility", "neighbour") if role in rows["role"].unique()]
    names = {"utility": "people never touched", "neighbour": "other facts of the same people"}
    controls = [Control("role", "Utility of", {role: names[role] for role in roles})]
    lowest = extreme(rows["utility"], "min", 0.0) if rows.height else 0.0
    scale = alt.Scale(domain=[max(0.0, lowest - 0.02), max(1.0, extreme(rows["utility"], "max", 1.0))])
    first = roles[0] if roles else ""
    panels = [
        Panel(method, _path(rows.filter(pl.col("method") == method), scales, scale, first))
        for method in scales.methods
    ]
    caption = (
        "Each line runs from before unlearning (top right) through the evaluated steps: downwards facts are "
        "forgotten, to the left "
        "utility is lost; the best corner is bottom right. Remaining share of facts known before against "
        "right answers kept, "
        f"relative to step 0. Sample: {sample_name(analysis)}."
    )
    shown = panels if roles else []
    return Figure(
        "frontier", "Forgetting against utility", caption, shown, controls, scales.level_legend(), scales.dose
    )


def _path(rows: pl.DataFrame, scales: Scales, scale: alt.Scale, first_role: str) -> dict[str, object]:
    values = records(rows, "role", "level", "step", "remaining", "utility")
    utility = alt.X("utility:Q", title=UTILITY_KEPT, axis=alt.Axis(format="%", tickCount=4), scale=scale)
    tip = [
        "level:N",
        "step:Q",
        *[alt.Tooltip(f"{name}:Q", format=".1%") for name in ("remaining", "utility")],
    ]
    chart = (
        alt.Chart(ROWS)
        .transform_filter("datum.role === role")
        .mark_line(point=alt.OverlayMarkDef(size=24), strokeWidth=1.6)
        .encode(
            x=utility,
            y=share("remaining", "share left"),
            order="step:Q",
            color=scales.level_colour(),
            tooltip=tip,
        )
    )
    return spec(chart.add_params(alt.param(name="role", value=first_role)), rows=values)
