"""Figures of two views that may differ: generation and probability, and true and false statements."""

import altair as alt
import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.report.figures.figure import (
    ROWS,
    Control,
    Figure,
    Panel,
    extreme,
    points_with_intervals,
    records,
    spec,
    zero_line,
)
from unequal.report.sample import sample_name, scope_of
from unequal.report.scales import Scales

CELL_NAMES = {
    "both": "known to both",
    "generation_only": "generation only",
    "probability_only": "probability only (hidden)",
    "neither": "known to neither",
}
CELL_COLOURS = ["var(--cell-both)", "var(--cell-generation)", "var(--cell-hidden)", "var(--cell-neither)"]
TIMES = {"before": "var(--method-0)", "after": "var(--method-1)"}


def agreement_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return the 2×2 of generation against probability over the steps, a panel per method."""
    rows = analysis.agreement.filter(
        (pl.col("model") == scope_of(analysis)) & (pl.col("sample") == "known both ways")
    )
    level = pl.when(pl.col("exposure").is_null()).then(pl.lit("all")).otherwise(scales.level_name())
    rows = rows.with_columns(level.alias("level")).rename(CELL_NAMES)
    present = set(rows["level"].unique())
    options = {"all": "all levels", **{level: level for level in scales.levels if level in present}}
    panels = [Panel(method, _cells(rows.filter(pl.col("method") == method))) for method in scales.methods]
    caption = (
        "Of the facts known both ways before, what generation (greedy answer right) and probability (right "
        "answer "
        "the most probable of its type) say at each step; the orange part is forgotten in words only. The "
        "table "
        f"reads each run at the step nearest to half forgotten. Sample: {sample_name(analysis)}."
    )
    legend = list(zip(CELL_NAMES.values(), CELL_COLOURS, strict=True))
    shown, controls = panels if rows.height else [], [Control("level", "Level", options)]
    return Figure("agreement", "Do generation and probability agree?", caption, shown, controls, legend)


def _cells(rows: pl.DataFrame) -> dict[str, object]:
    names = list(CELL_NAMES.values())
    values = records(rows, "level", "step", *names, "kappa")
    tip = [
        "cell:N",
        "step:O",
        alt.Tooltip("facts:Q", title="facts × seeds"),
        alt.Tooltip("kappa:Q", format=".2f"),
    ]
    chart = (
        alt.Chart(ROWS)
        .transform_filter("datum.level === level")
        .transform_fold(names, as_=["cell", "facts"])
        .transform_calculate(order=f"indexof({names!r}, datum.cell)")
        .mark_bar()
        .encode(
            x=alt.X("step:O", title="unlearning steps", axis=alt.Axis(labelAngle=0)),
            y=alt.Y(
                "facts:Q",
                stack="normalize",
                title="share of facts × seeds",
                axis=alt.Axis(format="%", tickCount=5),
            ),
            color=alt.Color("cell:N", scale=alt.Scale(domain=names, range=CELL_COLOURS), legend=None),
            order="order:Q",
            tooltip=tip,
        )
    )
    return spec(chart.add_params(alt.param(name="level", value="all")), rows=values)


def true_false_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return d′ of true against false statements per method, before and after unlearning."""
    wanted = (pl.col("model") == scope_of(analysis)) & pl.col("role").is_in(["forget", "never_seen"])
    rows = analysis.true_false.filter(wanted)
    ends = rows.filter((pl.col("step") == 0) | (pl.col("step") == pl.col("step").max().over("method")))
    never = pl.col("role") == "never_seen"
    ends = ends.with_columns(
        pl.when(never).then(pl.lit("0×")).otherwise(scales.level_name()).alias("level"),
        pl.when(pl.col("step") == 0).then(pl.lit("before")).otherwise(pl.lit("after")).alias("time"),
    )
    span = [min(0.0, extreme(ends["low"], "min", 0.0)), max(1.0, extreme(ends["high"], "max", 1.0))]
    panels = [
        Panel(method, _d_prime(ends.filter(pl.col("method") == method), scales, span))
        for method in scales.methods
    ]
    caption = (
        "How well the model separates true statements about a fact from false ones (d′, 0 is chance; 0× was "
        "never seen), "
        "before unlearning and at the last scored step; as many false as true statements, log-linear "
        "correction, "
        f"95% intervals. Sample: {sample_name(analysis)}."
    )
    legend = [("before unlearning", TIMES["before"]), ("after", TIMES["after"])]
    return Figure("true_false", "True or false?", caption, panels if ends.height else [], [], legend)


def _d_prime(rows: pl.DataFrame, scales: Scales, span: list[float]) -> dict[str, object]:
    values = records(rows, "level", "time", "step", "value", "low", "high")
    times = alt.Scale(domain=list(TIMES), range=list(TIMES.values()))
    base = alt.Chart(ROWS).encode(
        x=scales.levels_axis("0×"),
        xOffset=alt.XOffset("time:N", sort=list(TIMES)),
        color=alt.Color("time:N", scale=times, legend=None),
    )
    tip = ["level:N", "time:N", "step:Q", alt.Tooltip("value:Q", format=".2f")]
    look = {"size": 44, "width": 1.6, "scale": alt.Scale(domain=span)}
    marks = points_with_intervals(base, "y", tip, **look, title="d′")
    return spec(alt.layer(zero_line("y"), *marks), rows=values)
