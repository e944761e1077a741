"""Figure of crossed factors: what each explains, and what it changes, those that explain most first."""

from typing import Any

import altair as alt
import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.claims import SHARE_MATTERS
from unequal.analysis.effects.dose_response import NOTHING, START
from unequal.report.figures.figure import (
    QUIET,
    Figure,
    Panel,
    data,
    in_points,
    points_tip,
    points_with_intervals,
    records,
    share_tip,
    spec,
)
from unequal.report.quantities import ADJUSTED, FORGOTTEN, with_points
from unequal.report.sample import sample_name
from unequal.report.scales import Scales
from unequal.report.tables.factors import factor_rows, factor_sentence

VIEWS = {name: ADJUSTED[name] for name in (NOTHING, START)}
COLOURS = ["var(--method-0)", "var(--method-1)"]
ROW = 34
READING = (
    "Explained variance: how much of the differences between facts in the forgotten share each factor "
    "explains beyond all others, chance taken off. Change: how the forgotten share changes from the factor's "
    "first level to its second; left of zero, the second level is harder to unlearn, and between the dotted "
    "lines no effect is large enough to matter. Orange compares facts of equal starting log-probability. "
    "Facts known before, mean of the methods, 95% intervals."
)


def factors_figure(analysis: Analysis, _: Scales) -> Figure:
    """Return the factors by the variance that they explain, and by their effects."""
    rows = pl.concat([factor_rows(analysis, adjusted_for) for adjusted_for in VIEWS])
    rows = rows.drop_nulls("share").with_columns(pl.col("adjusted_for").replace_strict(VIEWS).alias("view"))
    first = rows.filter(pl.col("adjusted_for") == NOTHING)
    order = first["title"].to_list()
    caption = f"{factor_sentence(analysis)} {READING} Sample: {sample_name(analysis)}.".strip()
    panels = [
        Panel("explained variance", _shares(first, order)),
        Panel("change of the forgotten share", _effects(rows.drop_nulls("value"), order)),
    ]
    legend = list(zip(VIEWS.values(), COLOURS, strict=True))
    shown = panels if first.height else []
    return Figure(
        "factors",
        "What else makes facts hard to forget?",
        caption,
        shown,
        [],
        legend,
        of_some=analysis.factors.is_empty(),
    )


def _shares(rows: pl.DataFrame, order: list[str]) -> dict[str, Any]:
    values = records(rows, "title", "low_level", "high_level", "share", "share_low", "share_high", "verdict")
    axis = alt.Axis(format="%", tickCount=5)
    base = alt.Chart(data(values)).encode(
        y=alt.Y("title:N", sort=order, title=None, axis=_labels()), color=alt.value(COLOURS[0])
    )
    tip = ["title:N", "verdict:N", *share_tip(*_ENDS)]
    marks = points_with_intervals(base, "x", tip, _ENDS, title="share of the variance", axis=axis)
    return spec(alt.layer(*marks), ROW * len(order) + 20)


_ENDS = ("share", "share_low", "share_high")


def _effects(rows: pl.DataFrame, order: list[str]) -> dict[str, Any]:
    rows = in_points(rows, "value", "low", "high")
    values = records(rows, "title", "view", "low_level", "high_level", "value", "low", "high")
    names = list(VIEWS.values())
    axis = alt.Axis(format="+.0f", tickCount=6)
    base = alt.Chart(data(values)).encode(
        y=alt.Y("title:N", sort=order, title=None, axis=_labels()),
        yOffset=alt.YOffset("view:N", sort=names),
        color=alt.Color("view:N", scale=alt.Scale(domain=names, range=COLOURS), legend=None),
    )
    lines = [{"at": 0.0, "kind": "none"}, {"at": -100 * SHARE_MATTERS, "kind": "band"}]
    lines.append({"at": 100 * SHARE_MATTERS, "kind": "band"})
    zero = (
        alt.Chart(data(lines))
        .mark_rule(color=QUIET)
        .encode(
            x="at:Q",
            strokeDash=alt.StrokeDash(
                "kind:N", scale=alt.Scale(domain=["none", "band"], range=[[3, 3], [1, 4]]), legend=None
            ),
        )
    )
    title = with_points(f"{FORGOTTEN}, second level less first")
    tip = ["title:N", "low_level:N", "high_level:N", "view:N", *points_tip("value", "low", "high")]
    marks = points_with_intervals(base, "x", tip, title=title, axis=axis)
    return spec(alt.layer(zero, *marks), ROW * len(order) + 20)


def _labels() -> alt.Axis:
    return alt.Axis(labelLimit=190)
