"""Scales of a study: its levels, methods and steps, in the order and colours that every figure shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.known import counts_label
from unequal.analysis.observations import MIXED
from unequal.report.colours import level_colours, method_colours

TIMES_SHOWN, COUNT_IN_CORPUS = "times shown", "count in the corpus"
MARKS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-left")
"""Shapes of methods; seven, so that with eight colours no two of 56 methods look alike."""

Legend = Sequence[tuple[str, ...]]
"""Label, colour and, where marks differ in shape, the shape of each entry."""


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
        """Return the shape of methods, so that methods differ by more than colour."""
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


def scales_of(analysis: Analysis) -> Scales:
    """Return the scales of a study; methods with plain weights stand first."""
    mixed = analysis.runs.filter(pl.col("target_kind") == MIXED)
    runs = mixed if mixed.height else analysis.runs
    methods = runs.sort("plain", "method", descending=[True, False])["method"].unique(maintain_order=True)
    names, dose = level_names(analysis.levels)
    return Scales(names, methods.to_list(), analysis.curves["step"].unique().sort().to_list(), dose)
