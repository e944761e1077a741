"""Figures of counts: their distribution, and single names against subject and object together."""

import math
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

from unequal.report.colours import DARK_SPAN, LIGHT_SPAN, viridis
from unequal.report.counts.data import CountView, Measure, median, number
from unequal.report.figures.figure import QUIET, Figure, Panel, data, spec

TALL = 300
MAX_POINTS = 2_000
"""Facts above which a picture shows how many facts fall into a square instead of a point for each."""
MIN_BINS, MAX_LABELS = 4, 14
DENSITIES = ((1, "1"), (9, "2–9"), (99, "10–99"), (999, "100–999"), (math.inf, "1,000 and more"))
KINDS = ("counted", "estimated")
KIND_COLOURS = ("var(--method-0)", "var(--method-1)")
LABELS = (
    "datum.value < 0 ? '0' : datum.value > 8.99 ? format(pow(10, datum.value - 9), ',.0f') + ' bn' : "
    "datum.value > 5.99 ? format(pow(10, datum.value - 6), ',.0f') + ' M' : "
    "format(pow(10, datum.value), ',.0f')"
)


@dataclass(frozen=True)
class LogAxis:
    """A logarithmic axis of counts with bins that double, and a place of its own for zero, left of one."""

    title: str
    n_bins: int
    zero: bool = True

    @property
    def slot(self) -> tuple[float, float]:
        """Return the ends of the place for zero."""
        width = max(math.log10(2), 0.045 * self.end)
        return -1.45 * width, -0.45 * width

    @property
    def end(self) -> float:
        """Return the end of the last bin."""
        return self.n_bins * math.log10(2)

    def edges(self, index: int) -> tuple[float, float]:
        """Return the ends of a bin; bin 0 is zero, bin n the counts from 2ⁿ⁻¹ below 2ⁿ."""
        return ((index - 1) * math.log10(2), index * math.log10(2)) if index else self.slot

    def place(self, count: float) -> float:
        """Return where a count lies."""
        low, high = self.slot
        if count == 0:
            return (low + high) / 2
        return math.log10(count) if count >= 1 else high / 2

    def domain(self) -> list[float]:
        """Return the ends of the axis, with a little air where points may lie on the edge."""
        return [self.slot[0] if self.zero else -0.06 * max(self.end, 1), self.end]

    def ticks(self) -> list[float]:
        """Return where labels stand: zero, and doublings or, on a long axis, powers of ten."""
        zero = [self.place(0)] if self.zero else []
        if self.n_bins <= 8:
            return zero + [index * math.log10(2) for index in range(self.n_bins + 1)]
        return zero + [float(power) for power in range(int(self.end) + 1)]

    def x(self, field: str, grid: bool = False) -> alt.X:
        """Return the channel across."""
        axis = alt.Axis(
            values=self.ticks(), labelExpr=LABELS, grid=grid, labelOverlap="greedy", labelSeparation=6
        )
        return alt.X(f"{field}:Q", title=self.title, scale=self._scale(), axis=axis)

    def y(self, field: str) -> alt.Y:
        """Return the channel upwards."""
        axis = alt.Axis(values=self.ticks(), labelExpr=LABELS, labelOverlap="greedy")
        return alt.Y(f"{field}:Q", title=self.title, scale=self._scale(), axis=axis)

    def _scale(self) -> alt.Scale:
        return alt.Scale(domain=self.domain(), nice=False, zero=False)


def bin_of(counts: pl.Series) -> pl.Series:
    """Return the bin of each count: 0 for zero, n for 2ⁿ⁻¹ ≤ count < 2ⁿ."""
    edges = pl.Series([2**power for power in range(62)])
    return edges.search_sorted(counts, side="right").cast(pl.Int64)


def bin_name(index: int) -> str:
    """Return the counts of a bin, such as ``0``, ``1`` and ``4–7``."""
    low, high = (2 ** (index - 1), 2**index - 1) if index else (0, 0)
    return number(low) if low == high else f"{number(low)}–{number(high)}"


def axis_of(counts: pl.Series, title: str, zero: bool | None = None) -> LogAxis:
    """Return the axis on which all counts lie."""
    largest = bin_of(counts).max() if counts.len() else None
    n_bins = max(int(largest) if isinstance(largest, int) else 0, MIN_BINS)
    return LogAxis(title, n_bins, bool((counts == 0).any()) if zero is None else zero)


def spread_figure(view: CountView) -> Figure:
    """Return how many facts have which count: bars that double in width, zero with a bar of its own."""
    caption = (
        "How many facts have which number. Each bar to the right stands for numbers twice as large; "
        "facts with zero have the bar on the left. The triangle above the bars marks the "
        "median over all facts, zeros included."
    )
    title = "How often the facts occur"
    empty = "No fact has a number for subject and object together."
    if view.main is None or not view.ranked.height:
        return Figure("spread", title, caption, [], empty=empty, wide=True)
    axis = axis_of(view.ranked[view.main.column], view.main.meaning, zero=True)
    bars = _stacked(view.ranked, axis, view.main.column)
    chart = _bars(bars, axis, median(view.ranked, view.main))
    return Figure(
        "spread", title, caption, [Panel("", spec(chart, TALL))], [], _legend(view), empty=empty, wide=True
    )


def _bars(bars: list[dict[str, Any]], axis: LogAxis, middle: float) -> alt.LayerChart:
    tip = [
        alt.Tooltip("counts:N", title="number"),
        alt.Tooltip("facts:Q", title="facts", format=","),
        alt.Tooltip("kind:N", title="how"),
    ]
    scale = alt.Scale(domain=list(KINDS), range=list(KIND_COLOURS))
    colour = alt.Color("kind:N", scale=scale, legend=None)
    highest = max(bar["to"] for bar in bars)
    room = alt.Scale(domain=[0, 1.12 * highest], nice=False)
    axis_y = alt.Axis(tickCount=min(5, highest), format=",.0f")
    y = alt.Y("from:Q", title="number of facts", axis=axis_y, scale=room)
    # The line around a bar has the bar's colour: a single fact among thousands stays visible.
    rects = (
        alt.Chart(data(bars))
        .mark_rect(strokeWidth=1)
        .encode(
            x=axis.x("left"),
            x2="right:Q",
            y=y,
            y2="to:Q",
            color=colour,
            stroke=alt.Stroke("kind:N", scale=scale, legend=None),
            tooltip=tip,
        )
    )
    tops = {bar["left"]: {"middle": (bar["left"] + bar["right"]) / 2, "top": bar["to"]} for bar in bars}
    labels = (
        alt.Chart(data(list(tops.values())))
        .mark_text(dy=-7, fontSize=10.5, color="var(--soft)")
        .encode(x="middle:Q", y="top:Q", text=alt.Text("top:Q", format=","))
    )
    parts = [rects, labels] if len(tops) <= MAX_LABELS else [rects]
    return alt.layer(*parts, *_median_mark(axis, middle))


def _median_mark(axis: LogAxis, middle: float) -> list[alt.Chart]:
    at = alt.Chart(data([{"at": axis.place(middle), "words": f"median {number(middle)}"}]))
    place = {"x": alt.X("at:Q"), "y": alt.value(0)}
    mark = at.mark_point(shape="triangle-down", filled=True, size=60, color="var(--soft)", opacity=1)
    word = at.mark_text(align="left", dx=9, fontSize=11.5, color="var(--soft)")
    return [mark.encode(**place), word.encode(**place, text="words:N")]


def _stacked(rows: pl.DataFrame, axis: LogAxis, column: str) -> list[dict[str, Any]]:
    """Return one bar for each bin and kind, estimated on top of counted."""
    binned = rows.select(bin_of(rows[column]).alias("bin"), "approx")
    sizes = binned.group_by("bin", "approx").len().sort("bin", "approx")
    bars: list[dict[str, Any]] = []
    gap = 0.003 * (axis.end - axis.slot[0])
    tops: dict[int, int] = {}
    for index, approx, n in sizes.iter_rows():
        left, right = axis.edges(index)
        bottom = tops.get(index, 0)
        tops[index] = bottom + n
        bars.append(
            {
                "left": round(left + gap, 4),
                "right": round(right - gap, 4),
                "from": bottom,
                "to": bottom + n,
                "facts": n,
                "counts": bin_name(index),
                "kind": KINDS[int(approx)],
            }
        )
    return bars


def names_figure(view: CountView) -> Figure:
    """Return the counts of subject and of object against the main number, a panel each."""
    title = "Frequent names, frequent facts?"
    dense = view.ranked.height > MAX_POINTS
    shown = (
        "Each square holds facts whose two numbers lie in the same two doublings; its colour says how many."
        if dense
        else "Each point is a fact; stronger where points lie on each other."
    )
    caption = (
        f"How often the subject (left) and the object (right) occur by themselves, against how often "
        f"they occur together. {shown} Both axes are logarithmic with zero beside them; "
        "the dashed line is where both numbers are equal."
    )
    panels = []
    if view.main is not None:
        for one in view.measures:
            if one.column in ("subject_count", "object_count"):
                rows = view.ranked.drop_nulls(one.column)
                panels.append(
                    Panel(
                        f"{one.heading}{_correlation(rows, one, view.main)}",
                        _pair(rows, one, view.main, dense),
                    )
                )
    legend = density_legend(view.ranked.height) if dense else _legend(view)
    empty = "The engine gave no counts of subject and object by themselves."
    legend_title = "facts in a square" if dense else ""
    return Figure("names", title, caption, panels, [], legend, legend_title, empty)


def _correlation(rows: pl.DataFrame, one: Measure, main: Measure) -> str:
    if rows.height < 10 or rows[one.column].n_unique() < 2 or rows[main.column].n_unique() < 2:
        return ""
    value = rows.select(pl.corr(one.column, main.column, method="spearman")).item()
    return f" (rank correlation {value:+.2f})".replace("-", "−")


def _pair(rows: pl.DataFrame, one: Measure, main: Measure, dense: bool) -> dict[str, Any]:
    x = axis_of(rows[one.column], one.meaning)
    y = axis_of(rows[main.column], main.heading.lower())
    marks = _squares(rows, x, y, one, main) if dense else _points(rows, x, y, one, main)
    end = min(x.end, y.end)
    same: list[dict[str, Any]] = [{"x": 0, "y": 0}, {"x": end, "y": end}]
    line = alt.Chart(data(same)).mark_line(color=QUIET, strokeDash=[4, 3], strokeWidth=1.2)
    return spec(alt.layer(marks, line.encode(x="x:Q", y="y:Q")), TALL)


def _points(rows: pl.DataFrame, x: LogAxis, y: LogAxis, one: Measure, main: Measure) -> alt.Chart:
    values = [
        {
            "x": round(x.place(row[one.column]), 3),
            "y": round(y.place(row[main.column]), 3),
            "fact": " · ".join(row[key] or "" for key in ("subject", "relation", "object"))
            if row["subject"]
            else row["fact_id"],
            "alone": row[one.column],
            "together": row[main.column],
            "kind": KINDS[int(row["approx"])],
        }
        for row in rows.iter_rows(named=True)
    ]
    tip = [
        "fact:N",
        alt.Tooltip("alone:Q", title=one.heading.lower(), format=","),
        alt.Tooltip("together:Q", title="together", format=","),
        alt.Tooltip("kind:N", title="how"),
    ]
    kinds = list(KINDS)
    return (
        alt.Chart(data(values))
        .mark_point(filled=True, size=36, opacity=0.5)
        .encode(
            x=x.x("x", grid=True),
            y=y.y("y"),
            color=alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=list(KIND_COLOURS)), legend=None),
            shape=alt.Shape(
                "kind:N", scale=alt.Scale(domain=kinds, range=["circle", "diamond"]), legend=None
            ),
            tooltip=tip,
        )
    )


def _squares(rows: pl.DataFrame, x: LogAxis, y: LogAxis, one: Measure, main: Measure) -> alt.Chart:
    binned = pl.DataFrame({"bx": bin_of(rows[one.column]), "by": bin_of(rows[main.column])})
    values = []
    for bx, by, n in binned.group_by("bx", "by").len().sort("bx", "by").iter_rows():
        (left, right), (low, high) = x.edges(bx), y.edges(by)
        values.append(
            {
                "left": round(left, 4),
                "right": round(right, 4),
                "low": round(low, 4),
                "high": round(high, 4),
                "facts": n,
                "alone": bin_name(bx),
                "together": bin_name(by),
                "density": DENSITIES[_density(n)][1],
            }
        )
    names = [name for _, name in DENSITIES]
    colours = [f"var(--density-{index})" for index in range(len(DENSITIES))]
    tip = [
        alt.Tooltip("alone:N", title=one.heading.lower()),
        alt.Tooltip("together:N", title="together"),
        alt.Tooltip("facts:Q", format=","),
    ]
    return (
        alt.Chart(data(values))
        .mark_rect(stroke="var(--page)", strokeWidth=0.6)
        .encode(
            x=x.x("left", grid=True),
            x2="right:Q",
            y=y.y("low"),
            y2="high:Q",
            color=alt.Color("density:N", scale=alt.Scale(domain=names, range=colours), legend=None),
            tooltip=tip,
        )
    )


def _density(n: int) -> int:
    return next(index for index, (limit, _) in enumerate(DENSITIES) if n <= limit)


def density_legend(n_facts: int) -> list[tuple[str, str]]:
    """Return label and colour of how many facts a square holds, as far as so many facts can reach."""
    last = _density(max(n_facts, 1))
    return [(name, f"var(--density-{index})") for index, (_, name) in enumerate(DENSITIES[: last + 1])]


def density_palette(dark: bool) -> dict[str, str]:
    """Return CSS variables ``--density-0…``: viridis, more facts further from the colour of the page."""
    low, high = DARK_SPAN if dark else reversed(LIGHT_SPAN)
    step = (high - low) / (len(DENSITIES) - 1)
    return {f"--density-{index}": viridis(low + step * index) for index in range(len(DENSITIES))}


def _legend(view: CountView) -> list[tuple[str, str]]:
    return list(zip(KINDS, KIND_COLOURS, strict=True)) if view.estimated.height else []
