"""Figure of the dose-response: the mean of all methods, its fitted line, and each method behind."""

from typing import Any

import altair as alt
import numpy as np
import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.analysis.observations import MIXED
from unequal.analysis.units import points_of
from unequal.report.figures.curves import with_level
from unequal.report.figures.figure import (
    INK,
    ROWS,
    Figure,
    Panel,
    comparisons,
    extreme,
    records,
    share,
    share_tip,
    spec,
)
from unequal.report.quantities import FORGOTTEN, heading
from unequal.report.sample import dose_rows, pooled, pooled_slope, sample_name
from unequal.report.scales import Legend, Scales
from unequal.report.tables.table import Row

TALL = 260
MEAN, FIT, METHOD, WORDS_OF_FIT = "mean", "fit", "method", "words"
TOGETHER = "mean of all methods"


def dose_figure(analysis: Analysis, scales: Scales) -> Figure:
    """Return the forgotten share by level over all models, a panel per comparison, with C1's fitted line."""
    mixed = analysis.dose.filter(pl.col("target_kind") == MIXED)
    found = {name: dose_rows(analysis, name) for name in comparisons(mixed)}
    ends = level_ends(list(found.values()))
    panels = [
        Panel(name, dose_spec(dose_parts(rows, pooled_slope(analysis, name), scales), scales, ends))
        for name, rows in found.items()
    ]
    caption = (
        f"{heading(FORGOTTEN)} of the facts known before, by {scales.dose}: averaged over the evaluated "
        "steps (equal steps), or read where the run has lost the stated part of its utility. Black: the mean "
        "of the methods and models, each counting equally, with 95% intervals; the grey line has the slope "
        "of the headline, which stands above it, through their mean. Behind, each method. Falling to the "
        f"right means that what was seen more often is harder to unlearn. Sample: {sample_name(analysis)}."
    )
    wide = len(panels) == 1
    return Figure("dose", "Dose-response", caption, panels, [], dose_legend(scales), "method", wide=wide)


def dose_legend(scales: Scales) -> Legend:
    """Return the methods, and what they are together."""
    return [*scales.method_legend(), (TOGETHER, INK, "circle")]


def level_ends(found: list[pl.DataFrame]) -> tuple[float, float]:
    """Return the ends of an axis that shows all of these shares and intervals, in steps of ten points."""
    columns = ("value", "low", "high")
    rows = pl.concat([rows.select(columns) for rows in found]) if found else pl.DataFrame({"value": []})
    if rows.is_empty():
        return 0.0, 1.0
    low = min(extreme(rows[name], "min", 1.0) for name in columns)
    high = max(extreme(rows[name], "max", 0.0) for name in columns)
    return max(0.0, np.floor(low * 10) / 10), min(1.0, np.ceil(high * 10) / 10)


def dose_parts(rows: pl.DataFrame, slope: Row | None, scales: Scales) -> list[dict[str, Any]]:
    """Return the rows of a picture: each method's levels, their mean, and the fitted line where it has one.

    ``rows`` hold the forgotten share per method and exposure; the line goes through the mean of the levels.
    """
    rows = with_level(rows.drop_nulls("value"), scales)
    together = pooled(rows).sort("exposure")
    columns = ("method", "level", "value", "low", "high")
    one_by_one = records(rows.filter(pl.col("method") != ALL_METHODS), *columns)
    values = [{"part": METHOD, **row} for row in one_by_one]
    values += [{"part": MEAN, **row, "method": TOGETHER} for row in records(together, *columns)]
    if slope is None or together.height < 2 or scales.dose != "times shown":
        return values
    doses = np.log2(together["exposure"].to_numpy())
    height = float(together["value"].mean())  # type: ignore[arg-type]
    for level, at in zip(together["level"], doses - doses.mean(), strict=True):
        ends = [height + slope[end] * at for end in ("low", "high")] if slope["low"] is not None else []
        fitted = {"value": height + slope["value"] * at, "low": min(ends, default=None)}
        fitted["high"] = max(ends, default=None)
        rounded = {name: None if one is None else round(float(one), 4) for name, one in fitted.items()}
        values.append({"part": FIT, "method": TOGETHER, "level": level, **rounded})
    labels = {"part": WORDS_OF_FIT, "method": slope_words(slope), "level": values[-1]["level"]}
    return [*values, {**labels, "value": None, "low": None, "high": None}]


def slope_words(slope: Row) -> str:
    """Return the slope as a picture shows it, such as ``−1.8 points [−3.1, −0.4] per doubling``."""
    return f"{points_of(slope['value'], slope['low'], slope['high'])} per doubling"


def dose_spec(values: list[dict[str, Any]], scales: Scales, ends: tuple[float, float]) -> dict[str, Any]:
    """Return the picture of rows that `dose_parts` made."""
    base = alt.Chart(ROWS).encode(x=scales.levels_axis())
    parts = {name: base.transform_filter(f"datum.part === {name!r}") for name in (METHOD, MEAN, FIT)}
    said = alt.Chart(ROWS).transform_filter(f"datum.part === {WORDS_OF_FIT!r}")
    y = share("value", FORGOTTEN, ends)
    numbers = share_tip("value", "low", "high")
    tip = ["method:N", alt.Tooltip("level:N", title=scales.dose), *numbers]
    colour = scales.method_colour()
    behind = parts[METHOD].mark_line(strokeWidth=1.2, opacity=0.35).encode(y=y, color=colour)
    dots = parts[METHOD].mark_point(filled=True, size=26, opacity=0.55)
    dots = dots.encode(y=y, color=colour, shape=scales.method_shape(), tooltip=tip)
    band = parts[FIT].mark_area(opacity=0.14, color=INK, clip=True)
    band = band.encode(y=share("low", FORGOTTEN, ends), y2="high:Q")
    line = parts[FIT].mark_line(strokeWidth=2, opacity=0.45, color=INK, clip=True).encode(y=y)
    bars = parts[MEAN].mark_rule(strokeWidth=1.8, color=INK)
    bars = bars.encode(y=share("low", FORGOTTEN, ends), y2="high:Q")
    means = parts[MEAN].mark_point(filled=True, size=60, opacity=1, color=INK).encode(y=y, tooltip=tip)
    words = said.mark_text(align="right", baseline="top", fontSize=12, color=INK)
    words = words.encode(x=alt.value("width"), y=alt.value(2), text="method:N")
    return spec(alt.layer(band, line, behind, dots, bars, means, words), TALL, values)
