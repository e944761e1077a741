"""What a figure is: panels drawn by Vega-Lite, controls, a legend and a caption; and the parts that all
charts share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import polars as pl

from unequal.analysis.known import counts_label
from unequal.report.colours import level_colours, method_colours
from unequal.report.quantities import with_points

PANEL_HEIGHT = 190
TIMES_SHOWN, COUNT_IN_CORPUS = "times shown", "count in the corpus"
QUIET = "var(--quiet)"
INK = "var(--ink)"
ROWS = alt.NamedData("rows")
"""The rows that `spec` is given, which all layers of a chart share."""
MARKS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-left")
"""Shapes of methods; seven, so that with eight colours no two of 56 methods look alike."""

Legend = Sequence[tuple[str, ...]]
"""Label, colour and, where marks differ in shape, the shape of each entry."""


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

    @property
    def columns(self) -> int:
        """Return how many panels stand side by side on a wide page, so that few rows end half empty."""
        n = len(self.panels)
        return max(n, 1) if n <= 3 else 4 if n % 4 in (0, 3) else 3


@dataclass(frozen=True)
class Scales:
    """The levels and methods of the study, in the order in which every figure shows them.

    Levels are exposures, or buckets of natural counts; ``names`` gives the name of each, ``dose`` says what
    they are levels of.
    """

    names: dict[int, str]
    methods: list[str]
    steps: list[int]
    dose: str = TIMES_SHOWN

    @property
    def levels(self) -> list[str]:
        """The names of the levels, the lowest first."""
        return [self.names[level] for level in sorted(self.names)]

    def level_name(self) -> pl.Expr:
        """Return the name of the level in the column ``exposure``."""
        other = pl.format("{}×", "exposure")
        return pl.col("exposure").replace_strict(self.names, default=other, return_dtype=pl.String)

    def levels_axis(self, *before: str) -> alt.X:
        """Return the x axis of the levels, with names that stand before them."""
        axis = alt.Axis(labelAngle=0, labelOverlap=True)
        return alt.X("level:N", sort=[*before, *self.levels], title=self.dose, axis=axis)

    def level_colour(self) -> alt.Color:
        """Return the colour of levels, without a legend in the chart."""
        scale = alt.Scale(domain=self.levels, range=level_colours(len(self.levels)))
        return alt.Color("level:N", scale=scale, legend=None)

    def method_colour(self) -> alt.Color:
        """Return the colour of methods, without a legend in the chart."""
        scale = alt.Scale(domain=self.methods, range=method_colours(len(self.methods)))
        return alt.Color("method:N", scale=scale, legend=None)

    def method_shape(self) -> alt.Shape:
        """Return the shape of methods, so that colour alone tells nothing."""
        scale = alt.Scale(domain=self.methods, range=self._marks())
        return alt.Shape("method:N", scale=scale, legend=None)

    def level_legend(self) -> Legend:
        """Return label and colour of each level."""
        return list(zip(self.levels, level_colours(len(self.levels)), strict=True))

    def method_legend(self) -> Legend:
        """Return label, colour and shape of each method."""
        return list(zip(self.methods, method_colours(len(self.methods)), self._marks(), strict=True))

    def _marks(self) -> list[str]:
        return [MARKS[index % len(MARKS)] for index in range(len(self.methods))]


def level_names(levels: pl.DataFrame) -> tuple[dict[int, str], str]:
    """Return each level's name, such as ``120×`` or the counts ``3–9``, and what they are levels of.

    ``levels`` comes from `level_inclusion`; levels of several models are one.
    """
    ends = [pl.col("count_low").min(), pl.col("count_high").max()]
    rows = levels.group_by("exposure").agg(ends).sort("exposure").to_dicts()
    counted = any(row["count_low"] is not None for row in rows)
    names = {row["exposure"]: counts_label(row) if counted else f"{row['exposure']}×" for row in rows}
    return names, COUNT_IN_CORPUS if counted else TIMES_SHOWN


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
