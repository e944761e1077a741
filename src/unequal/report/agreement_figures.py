"""Pictures of two views that may differ: generation and probability, and true and false statements."""

import altair as alt
import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.dose_response import ALL_METHODS
from unequal.report.figure import (
    QUIET,
    ROWS,
    Control,
    Figure,
    Panel,
    Scales,
    data,
    extreme,
    records,
    spec,
)

CELL_NAMES = {
    "both": "known to both",
    "generation_only": "generation only",
    "probability_only": "probability only (hidden)",
    "neither": "known to neither",
}
CELL_COLOURS = ["var(--cell-both)", "var(--cell-generation)", "var(--cell-hidden)", "var(--cell-neither)"]
INK = "var(--ink)"
TIMES = {"before": "var(--method-0)", "after": "var(--method-1)"}


def agreement_figure(analysis: Analysis, scales: Scales, model: str) -> Figure:
    """Return the 2×2 of generation against probability over the steps, a panel per method."""
    rows = analysis.agreement.filter((pl.col("model") == model) & (pl.col("sample") == "known both ways"))
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
        "reads each run at the step nearest to half forgotten."
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
            y=alt.Y("facts:Q", stack="normalize", title=None, axis=alt.Axis(format="%", tickCount=5)),
            color=alt.Color("cell:N", scale=alt.Scale(domain=names, range=CELL_COLOURS), legend=None),
            order="order:Q",
            tooltip=tip,
        )
    )
    return spec(chart.add_params(alt.param(name="level", value="all")), rows=values)


def sizes_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return what is hidden above never-seen facts by model size, a panel per reading."""
    rows = analysis.sizes.filter(pl.col("measure") == "excess").drop_nulls("value")
    rows = rows.with_columns((pl.col("n_params") / 1e6).alias("millions"))
    sizes = sorted(rows["millions"].unique().to_list())
    panels = [
        Panel(str(reading), _by_size(part, scales, sizes))
        for (reading,), part in rows.sort("reading", descending=True).group_by("reading", maintain_order=True)
    ]
    caption = (
        "Of the facts that generation calls forgotten, the share whose right answer is still the most "
        "probable of its type, minus that of never-seen facts, by model size; the black line is the mean of "
        "the methods. Only facts that every size knew both ways before. Each run is read at its step "
        "nearest to half forgotten, or at exactly half, between steps. 95% intervals over people and seeds; "
        "another pre-training of the same size may come out differently."
    )
    legend = [*scales.method_legend(), (ALL_METHODS, INK, "circle")]
    shown = panels if len(sizes) > 1 else []
    return Figure("sizes", "Does the disagreement grow with size?", caption, shown, [], legend, "method")


def _by_size(rows: pl.DataFrame, scales: Scales, sizes: list[float]) -> dict[str, object]:
    values = records(rows, "method", "model", "millions", "value", "low", "high")
    names = [*scales.methods, ALL_METHODS]
    colours = [*(colour for _, colour, _ in scales.method_legend()), INK]
    marks = [*(mark for _, _, mark in scales.method_legend()), "circle"]
    shape = alt.Shape("method:N", scale=alt.Scale(domain=names, range=marks), legend=None)
    axis = alt.Axis(values=sizes, format=".2~f", grid=False, labelOverlap="greedy")
    ends = [sizes[0] / 1.12, sizes[-1] * 1.12]  # room for the outer labels
    scale = alt.Scale(type="log", nice=False, domain=ends)
    x = alt.X("millions:Q", title="million parameters (log scale)", axis=axis, scale=scale)
    percent = alt.Axis(format="%", tickCount=5)
    base = alt.Chart(ROWS).encode(
        x=x, color=alt.Color("method:N", scale=alt.Scale(domain=names, range=colours), legend=None)
    )
    tip = [
        "method:N",
        "model:N",
        *[alt.Tooltip(f"{name}:Q", format=".3f") for name in ("value", "low", "high")],
    ]
    y = alt.Y("value:Q", title=None, axis=percent)
    zero = alt.Chart(data([{"zero": 0}])).mark_rule(color=QUIET, strokeDash=[3, 3]).encode(y="zero:Q")
    together = f"datum.method === {ALL_METHODS!r}"
    bars = (
        base.transform_filter(together)
        .mark_rule(strokeWidth=1.6)
        .encode(y=alt.Y("low:Q", title=None), y2="high:Q")
    )
    faint = base.transform_filter(f"!({together})").mark_line(strokeWidth=1.3, opacity=0.6).encode(y=y)
    strong = base.transform_filter(together).mark_line(strokeWidth=2.4).encode(y=y)
    points = base.mark_point(filled=True, size=44, opacity=1).encode(y=y, shape=shape, tooltip=tip)
    return spec(alt.layer(zero, bars, faint, strong, points), 260, values)


def true_false_figure(analysis: Analysis, scales: Scales, model: str) -> Figure:
    """Return d′ of telling true from false statements per method, before and after unlearning."""
    wanted = (pl.col("model") == model) & pl.col("role").is_in(["forget", "never_seen"])
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
        "How well the model tells true statements about a fact from false ones (d′, 0 is chance; 0× was "
        "never seen), "
        "before unlearning and at the last scored step; as many false as true statements, log-linear "
        "correction, "
        "95% intervals."
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
    zero = alt.Chart(data([{"zero": 0}])).mark_rule(color=QUIET, strokeDash=[3, 3]).encode(y="zero:Q")
    bars = base.mark_rule(strokeWidth=1.6).encode(y=alt.Y("low:Q", title="d′"), y2="high:Q")
    tip = ["level:N", "time:N", "step:Q", alt.Tooltip("value:Q", format=".2f")]
    y = alt.Y("value:Q", title="d′", scale=alt.Scale(domain=span))
    points = base.mark_point(filled=True, size=44, opacity=1).encode(y=y, tooltip=tip)
    return spec(alt.layer(zero, bars, points), rows=values)
