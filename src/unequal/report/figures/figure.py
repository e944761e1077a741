"""Figures: panels drawn by Vega-Lite with controls, legend and caption; and the marks that charts share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import polars as pl

from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.report.quantities import with_points
from unequal.report.scales import Legend

PANEL_HEIGHT = 190
QUIET = "var(--quiet)"
INK = "var(--ink)"
ROWS = alt.NamedData("rows")
"""The rows that `spec` is given, which all layers of a chart share."""


@dataclass(frozen=True)
class Panel:
    """One chart: its heading and its Vega-Lite specification."""

    title: str
    spec: dict[str, Any]


@dataclass(frozen=True)
class Control:
    """A choice that sets one signal in every panel of a figure: value → label."""

    signal: str
    label: str
    options: dict[str, str]


@dataclass(frozen=True)
class Figure:
    """A figure of the report; without panels, ``empty`` says why there is nothing to draw."""

    figure: str
    title: str
    caption: str
    panels: list[Panel]
    controls: list[Control] = field(default_factory=list)
    legend: Legend = ()
    legend_title: str = ""
    empty: str = "The study holds no data for this picture."
    wide: bool = False
    of_some: bool = False
    """Excluded from the page where there is nothing to draw, as only some studies have it."""

    @property
    def columns(self) -> int:
        """Return how many panels stand side by side on a wide page, so that few rows end half empty."""
        n = len(self.panels)
        return max(n, 1) if n <= 3 else 4 if n % 4 in (0, 3) else 3


def records(frame: pl.DataFrame, *columns: str) -> list[dict[str, Any]]:
    """Return the columns as rows for a chart, numbers rounded to four digits to keep the file small."""
    return frame.select(columns).with_columns(pl.selectors.float().round(4)).to_dicts()


def in_points(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Return the frame with differences of shares in points, as pictures and tables show them."""
    return frame.with_columns(pl.col(columns) * 100)


def points_tip(*fields: str) -> list[alt.Tooltip]:
    """Return tooltips of differences in points."""
    return [alt.Tooltip(f"{name}:Q", format="+.1f", title=with_points(name)) for name in fields]


def share_tip(*fields: str) -> list[alt.Tooltip]:
    """Return tooltips of shares."""
    return [alt.Tooltip(f"{name}:Q", format=".1%") for name in fields]


def extreme(values: pl.Series, which: str, otherwise: float) -> float:
    """Return the "min" or "max" of the values, or ``otherwise`` when there are none."""
    present = values.drop_nulls().to_list()
    return float({"min": min, "max": max}[which](present)) if present else otherwise


def comparisons(rows: pl.DataFrame) -> list[str]:
    """Return the comparisons of the rows, equal steps first."""
    return sorted(rows["comparison"].unique(), key=lambda name: (name != EQUAL_STEPS, len(name), name))


def comparison_control(names: Sequence[str]) -> Control:
    """Return the choice of a comparison."""
    return Control("comparison", "At", {name: name for name in names})


def zero_line(channel: str) -> alt.Chart:
    """Return the dashed line at zero, across (``y``) or upright (``x``)."""
    line = alt.Chart(data([{"zero": 0}])).mark_rule(color=QUIET, strokeDash=[3, 3])
    return line.encode(**{channel: "zero:Q"})


def points_with_intervals(
    base: alt.Chart,
    channel: str,
    tip: list[Any],
    keys: tuple[str, str, str] = ("value", "low", "high"),
    size: float = 56,
    width: float = 1.8,
    shape: alt.Shape | None = None,
    scale: alt.Scale | None = None,
    rule: dict[str, Any] | None = None,
    **how: Any,
) -> list[alt.Chart]:
    """Return a rule from the low to the high end of each estimate along ``x`` or ``y``, and its point.

    ``how`` describes the axis: its title and format; ``rule`` the look of the rules.
    """
    value, low, high = keys
    place = {"x": alt.X, "y": alt.Y}[channel]
    marks = {"shape": shape} if shape else {}
    scaled = {"scale": scale} if scale else {}
    rules = base.mark_rule(strokeWidth=width, **(rule or {}))
    points = base.mark_point(filled=True, size=size, opacity=1)
    return [
        rules.encode(**{channel: place(f"{low}:Q", **how), f"{channel}2": f"{high}:Q"}),
        points.encode(**{channel: place(f"{value}:Q", **how, **scaled)}, tooltip=tip, **marks),
    ]


def data(rows: list[dict[str, Any]]) -> alt.InlineData:
    """Return rows as inline data; for few rows, since every layer copies and checks them."""
    return alt.InlineData(values=rows)


def share(field_name: str, title: str | None = None, domain: tuple[float, float] | None = (0, 1)) -> alt.Y:
    """Return a y axis in per cent."""
    scale = alt.Scale(domain=list(domain)) if domain else alt.Scale(zero=False)
    return alt.Y(f"{field_name}:Q", title=title, scale=scale, axis=alt.Axis(format="%", tickCount=5))


def step_axis(steps: list[int], fixed: bool = False) -> alt.X:
    """Return the x axis of unlearning steps, evenly spread by log(1 + step), with the evaluated steps as
    ticks; ``fixed``, whatever the data."""
    axis = alt.Axis(values=steps, format="d", labelOverlap="greedy", labelFlush=False, grid=False)
    ends = {"domain": [steps[0], steps[-1]]} if fixed and steps else {}
    scale = alt.Scale(type="symlog", constant=1, **ends)
    return alt.X("step:Q", title="unlearning steps", scale=scale, axis=axis)


def spec(chart: Any, height: int = PANEL_HEIGHT, rows: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the Vega-Lite specification of a chart as wide as its place on the page, with its `ROWS`."""
    sized = chart.properties(
        width="container", height=height, autosize=alt.AutoSizeParams(type="fit-x", contains="padding")
    )
    out: dict[str, Any] = sized.to_dict(validate=False)  # checked when its parts were made
    out.pop("config", None)
    return out if rows is None else {**out, "datasets": {**out.get("datasets", {}), ROWS.name: rows}}
