"""Figure of model size: the hidden share above never-seen facts, by method."""

import json
from typing import Any

import altair as alt
import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.difficulty.predictor import in_millions
from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.report.figures.figure import (
    INK,
    ROWS,
    Figure,
    Panel,
    in_points,
    points_tip,
    records,
    spec,
    zero_line,
)
from unequal.report.quantities import ABOVE_NEVER_SEEN, with_points
from unequal.report.sample import sample_name
from unequal.report.scales import Scales


def sizes_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return what is hidden above never-seen facts by model size, a panel per reading."""
    rows = analysis.sizes.filter(pl.col("measure") == "excess").drop_nulls("value")
    rows = in_points(rows, "value", "low", "high").with_columns((pl.col("n_params") / 1e6).alias("millions"))
    names = size_names(analysis)
    panels = [
        Panel(str(reading), _by_size(part, scales, names))
        for (reading,), part in rows.sort("reading", descending=True).group_by("reading", maintain_order=True)
    ]
    caption = (
        "Of the facts that generation calls forgotten, the share whose right answer is still the most "
        "probable of its type, minus the share of never-seen facts, by model size; the black line is the "
        "mean of the methods. Only facts that every size knew both ways before. Each run is read at its step "
        "nearest to half forgotten, or at exactly half, between steps. 95% intervals over people and seeds; "
        "another pre-training of the same size may come out differently. A model stands where all its "
        "parameters put it, under its name and their number; names of our own shapes count the layers "
        f"alone. Sample: {sample_name(analysis)}."
    )
    legend = [*scales.method_legend(), (ALL_METHODS, INK, "circle")]
    shown = panels if len(names) > 1 else []
    title = "Does the disagreement grow with size?"
    return Figure("sizes", title, caption, shown, [], legend, "method", of_some=True)


def size_names(analysis: Analysis) -> dict[float, list[str]]:
    """Return the lines under each place of the size axis, in millions: the size's name, and all its
    parameters where the name does not say them."""
    sizes = dict(analysis.runs.select("model", "size").unique().iter_rows())
    places = analysis.sizes.filter(pl.col("measure") == "excess").drop_nulls(["value", "n_params"])
    found: dict[float, dict[str, None]] = {}
    for model, n_params in places.select("model", "n_params").unique().sort("n_params", "model").iter_rows():
        found.setdefault(n_params / 1e6, {})[str(sizes.get(model) or "")] = None
    names = {}
    for millions, own in found.items():
        counted = in_millions(round(millions * 1e6))
        other = [name for name in own if name and name.casefold() != counted.casefold()]
        names[round(millions, 4)] = [", ".join(other), f"{counted} in all"] if other else [counted]
    return names


def _by_size(rows: pl.DataFrame, scales: Scales, names: dict[float, list[str]]) -> dict[str, Any]:
    values = records(rows, "method", "model", "millions", "value", "low", "high")
    methods = [*scales.methods, ALL_METHODS]
    colours = [*(colour for _, colour, _ in scales.method_legend()), INK]
    marks = [*(mark for _, _, mark in scales.method_legend()), "circle"]
    shape = alt.Shape("method:N", scale=alt.Scale(domain=methods, range=marks), legend=None)
    colour = alt.Color("method:N", scale=alt.Scale(domain=methods, range=colours), legend=None)
    base = alt.Chart(ROWS).encode(x=_size_axis(names), color=colour)
    tip = ["method:N", "model:N", alt.Tooltip("millions:Q", format=".2f", title="million parameters")]
    tip += points_tip("value", "low", "high")
    title, axis = with_points(ABOVE_NEVER_SEEN), alt.Axis(format="+.0f", tickCount=5)
    y = alt.Y("value:Q", title=title, axis=axis)
    together = f"datum.method === {ALL_METHODS!r}"
    bars = (
        base.transform_filter(together)
        .mark_rule(strokeWidth=1.6)
        .encode(y=alt.Y("low:Q", title=title), y2="high:Q")
    )
    faint = base.transform_filter(f"!({together})").mark_line(strokeWidth=1.3, opacity=0.6).encode(y=y)
    strong = base.transform_filter(together).mark_line(strokeWidth=2.4).encode(y=y)
    points = base.mark_point(filled=True, size=44, opacity=1).encode(y=y, shape=shape, tooltip=tip)
    return spec(alt.layer(zero_line("y"), bars, faint, strong, points), 260, values)


def _size_axis(names: dict[float, list[str]]) -> alt.X:
    """Return the axis of sizes: a tick for each at its number of parameters, named as the model is."""
    places = list(names)
    lines = " : ".join(
        f"abs(datum.value - {place}) < 1e-9 ? {json.dumps(own)}" for place, own in names.items()
    )
    axis = alt.Axis(values=places, labelExpr=f"{lines} : ''", grid=False, labelOverlap="greedy")
    ends = [places[0] / 1.12, places[-1] * 1.12] if places else [1, 2]  # room for the outer labels
    scale = alt.Scale(type="log", nice=False, domain=ends)
    return alt.X("millions:Q", title="model size (log scale of all parameters)", axis=axis, scale=scale)
