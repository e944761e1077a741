"""Contents of a study's report, for the page and for a paper: the registries of figures and tables."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.report.figures.agreement import agreement_figure, true_false_figure
from unequal.report.figures.arms import interactions_figure, wording_figure
from unequal.report.figures.curves import curves_figure, frontier_figure
from unequal.report.figures.dose import dose_figure
from unequal.report.figures.factors import factors_figure
from unequal.report.figures.figure import Figure
from unequal.report.figures.levels import cost_figure, formats_figure, known_figure, survival_figure
from unequal.report.figures.methods import methods_figure
from unequal.report.figures.natural import natural_figure, natural_known_figure
from unequal.report.figures.sizes import sizes_figure
from unequal.report.sample import named_sample, scope_of
from unequal.report.scales import Scales, scales_of
from unequal.report.tables.agreement import attack_table, hidden_table, leak_table, nulls_table, order_table
from unequal.report.tables.arms import interactions_table
from unequal.report.tables.cost import cost_table
from unequal.report.tables.dose import slopes_table
from unequal.report.tables.factors import factor_levels_table, factors_table
from unequal.report.tables.known import known_table
from unequal.report.tables.methods import methods_table, missing_table, verdict_table, weightings_table
from unequal.report.tables.natural import natural_slopes_table, natural_table
from unequal.report.tables.sizes import size_slopes_table
from unequal.report.tables.table import Table

FIGURES: tuple[Callable[[Analysis, Scales], Figure], ...] = (
    known_figure,
    natural_known_figure,
    curves_figure,
    dose_figure,
    factors_figure,
    natural_figure,
    wording_figure,
    interactions_figure,
    survival_figure,
    frontier_figure,
    agreement_figure,
    sizes_figure,
    formats_figure,
    true_false_figure,
    cost_figure,
    methods_figure,
)
"""The figures in the order of the page: a new one is a line here."""

TABLES: dict[str, tuple[Callable[[Analysis], Table], ...]] = {
    "": (verdict_table, attack_table, missing_table),
    "known": (known_table,),
    "dose": (slopes_table,),
    "factors": (factors_table, factor_levels_table),
    "natural": (natural_slopes_table, natural_table),
    "interactions": (interactions_table,),
    "agreement": (hidden_table, nulls_table, order_table, leak_table),
    "sizes": (size_slopes_table,),
    "cost": (cost_table,),
    "methods": (methods_table, weightings_table),
}
"""The tables below each figure, which show its sample; first those in sections of their own."""


@dataclass(frozen=True)
class Contents:
    """What tables by model call the whole study, the sample in words, the scales, figures and tables."""

    scope: str
    sample: str
    scales: Scales
    figures: list[Figure]
    beside: dict[str, list[Table]]

    @property
    def tables(self) -> dict[str, Table]:
        """The tables by name."""
        return {one.table: one for tables in self.beside.values() for one in tables}


def contents_of(analysis: Analysis) -> Contents:
    """Return the figures and tables of an analysis, without figures that this study cannot have."""
    scales = scales_of(analysis)
    figures = [figure_of(analysis, scales) for figure_of in FIGURES]
    return Contents(
        scope=scope_of(analysis),
        sample=named_sample(analysis),
        scales=scales,
        figures=[one for one in figures if one.panels or not one.of_some],
        beside={name: [table_of(analysis) for table_of in tables] for name, tables in TABLES.items()},
    )


def main_model(analysis: Analysis) -> tuple[str, list[str]]:
    """Return the model with the most runs, the largest of such, re-rendered if any is, which the fact
    browser shows, and all models."""
    rerendered = (pl.col("wording") == "rerendered").any().alias("rerendered")
    counts = analysis.runs.group_by("model").agg(pl.len(), pl.col("n_params").max(), rerendered)
    order = ["len", "n_params", "rerendered", "model"]
    counts = counts.sort(order, descending=[True, True, True, False])
    return str(counts["model"][0]), counts["model"].to_list()
