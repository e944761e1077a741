"""Figures of natural counts: what was known before, and how forgetting falls with the count."""

import math
from typing import Any

import altair as alt
import numpy as np
import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.dose_response import ALL_METHODS, ANSWER, NOTHING
from unequal.analysis.effects.dose_response import COUNT as NATURAL_COUNT
from unequal.analysis.observations import MIXED
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.report.figures.figure import (
    ROWS,
    Figure,
    Panel,
    comparison_control,
    comparisons,
    extreme,
    records,
    share,
    share_tip,
    spec,
)
from unequal.report.figures.levels import known_bars, view_legend
from unequal.report.quantities import BY_GENERATION, FORGOTTEN, MOST_PROBABLE, heading
from unequal.report.sample import sample_name, scope_of
from unequal.report.scales import COUNT_IN_CORPUS, Scales
from unequal.report.tables.natural import MEASURES
from unequal.report.tables.table import Row

TALL = 260
LABELS = alt.Axis(labelAngle=0, labelOverlap=True)
POINT, FIT = "var(--method-0)", "var(--method-1)"
TICKS = [0, *(step * 10**power for power in range(9) for step in (1, 3))]


def natural_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return the forgotten share by natural count with the fitted slope of C2, a panel per method."""
    rows = analysis.count_levels.filter(pl.col("model") == scope_of(analysis)).drop_nulls("value")
    slopes, adjusted_for = _slopes(analysis, scope_of(analysis))
    methods = [name for name in (ALL_METHODS, *scales.methods) if name in rows["method"].unique()]
    ends = (extreme(rows["log10_count"], "min", 0.0), extreme(rows["log10_count"], "max", 1.0))
    panels = [
        Panel(method, _fitted(_parts(rows.filter(pl.col("method") == method), slopes, method), ends))
        for method in methods
    ]
    adjusted = "" if adjusted_for == NOTHING else f", adjusted for {adjusted_for}"
    caption = (
        f"{heading(FORGOTTEN)} of the facts known before, by how often the corpus holds the fact: "
        "groups of about equally many facts at their mean log10(1 + count), with 95% intervals over people "
        f"and seeds. The line has the slope per tenfold count, within base models{adjusted}, through the "
        "mean of the groups; the band is the 95% interval of the slope. Counts were not assigned: what "
        f"goes with them is not ruled out. Sample: {sample_name(analysis)}."
    )
    legend = [("a group of facts", POINT, "circle"), ("fitted slope", FIT, "square")]
    controls = [comparison_control(comparisons(rows))]
    title = "Forgotten by natural count"
    wide = len(panels) == 1
    return Figure("natural", title, caption, panels, controls, legend, wide=wide, of_some=True)


def _slopes(analysis: Analysis, model: str) -> tuple[list[Row], str]:
    """Return the slopes on natural counts, and what they are adjusted for: as C2 is, where that can be."""
    rows = analysis.effects.filter(
        (pl.col("dose") == NATURAL_COUNT) & (pl.col("model") == model) & (pl.col("target_kind") == MIXED)
    ).drop_nulls(["value", "low", "high"])
    adjusted_for = ANSWER if ANSWER in rows["adjusted_for"] else NOTHING
    return rows.filter(pl.col("adjusted_for") == adjusted_for).to_dicts(), adjusted_for


def _parts(rows: pl.DataFrame, slopes: list[Row], method: str) -> list[dict[str, Any]]:
    """Return the groups' rows, and for each comparison the ends of its line and of the band around it."""
    found = records(rows, "comparison", "counts", "log10_count", "value", "low", "high", "n_facts")
    values = [{**row, "part": "group"} for row in found]
    for slope in slopes:
        groups = rows.filter(pl.col("comparison") == slope["comparison"])
        if slope["method"] != method or groups.height < 2:
            continue
        at_groups, heights, weights = groups.select("log10_count", "value", "n_facts").to_numpy().T
        middle, height = np.average(at_groups, weights=weights), np.average(heights, weights=weights)
        labels = {"comparison": slope["comparison"], "counts": "", "n_facts": None, "part": "fit"}
        for at in (at_groups.min(), middle, at_groups.max()):
            low, high = sorted(height + slope[end] * (at - middle) for end in ("low", "high"))
            line = {
                "log10_count": at,
                "value": height + slope["value"] * (at - middle),
                "low": low,
                "high": high,
            }
            values.append({**labels, **{name: round(float(one), 4) for name, one in line.items()}})
    return values


def _fitted(values: list[dict[str, Any]], ends: tuple[float, float]) -> dict[str, Any]:
    ticks = [math.log10(1 + tick) for tick in TICKS]
    within = [tick for tick in ticks if ends[0] - 0.5 <= tick <= ends[1] + 0.5]
    axis = alt.Axis(
        values=within,
        labelExpr="format(round(pow(10, datum.value) - 1), ',')",
        labelOverlap="greedy",
        grid=False,
    )
    scale = alt.Scale(domain=[ends[0] - 0.1, ends[1] + 0.1], nice=False)
    x = alt.X("log10_count:Q", title="occurrences in the corpus (log scale)", axis=axis, scale=scale)
    base = alt.Chart(ROWS).transform_filter("datum.comparison === comparison").encode(x=x)
    fit, group = (
        base.transform_filter("datum.part === 'fit'"),
        base.transform_filter("datum.part === 'group'"),
    )
    band = fit.mark_area(opacity=0.16, color=FIT, clip=True).encode(y=share("low", FORGOTTEN), y2="high:Q")
    line = fit.mark_line(strokeWidth=1.8, color=FIT, clip=True).encode(y=share("value", FORGOTTEN))
    bars = group.mark_rule(strokeWidth=1.5, color=POINT).encode(y=share("low", FORGOTTEN), y2="high:Q")
    numbers = share_tip("value", "low", "high")
    tip = [alt.Tooltip("counts:N", title="occurrences"), *numbers, alt.Tooltip("n_facts:Q", title="facts")]
    points = group.mark_point(filled=True, size=52, opacity=1, color=POINT).encode(
        y=share("value", FORGOTTEN), tooltip=tip
    )
    chosen = alt.param(name="comparison", value=EQUAL_STEPS)
    return spec(alt.layer(band, line, bars, points).add_params(chosen), rows=values)


def natural_known_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return what was known before unlearning by natural count, by each way of asking."""
    rows = analysis.count_known.filter(pl.col("model") == scope_of(analysis)).sort("group")
    groups = rows["counts"].unique(maintain_order=True).to_list()
    present = [measure for measure in MEASURES if measure in rows["measure"].unique()]
    names = [MEASURES[measure] for measure in present]
    rows = rows.with_columns(pl.col("measure").replace_strict(MEASURES).alias("view"))
    values = records(rows, "counts", "view", "value", "low", "high", "n_facts", "n_people")
    caption = (
        "Share of the facts to forget that the model knew before unlearning, by how often the corpus holds "
        f"them; groups of about equally many facts: {BY_GENERATION}, {MOST_PROBABLE}, and the same where a "
        f"statement is to be ended. 95% intervals over people. Sample: {sample_name(analysis)}."
    )
    axis = alt.X("counts:N", sort=groups, title="occurrences in the corpus", axis=LABELS)
    panels = [Panel("", known_bars(values, "counts", axis, names))] if values else []
    shown = panels if scales.dose != COUNT_IN_CORPUS else []  # else the levels are the counts
    title, legend = "Known before, by natural count", view_legend(names)
    return Figure("natural_known", title, caption, shown, [], legend, wide=True, of_some=True)
