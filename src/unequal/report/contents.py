"""What a study's report holds, for the page and for a paper alike: which model, its figures, its tables."""

from dataclasses import dataclass

import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.observations import MIXED
from unequal.report.figures.agreement import agreement_figure, true_false_figure
from unequal.report.figures.arms import interactions_figure, wording_figure
from unequal.report.figures.curves import curves_figure, frontier_figure
from unequal.report.figures.dose import dose_figure
from unequal.report.figures.factors import factors_figure
from unequal.report.figures.figure import COUNT_IN_CORPUS, Figure, Scales, level_names
from unequal.report.figures.levels import (
    cost_figure,
    formats_figure,
    known_figure,
    survival_figure,
)
from unequal.report.figures.methods import methods_figure
from unequal.report.figures.natural import (
    natural_figure,
    natural_known_figure,
)
from unequal.report.figures.sizes import sizes_figure
from unequal.report.sample import named_sample, scope_of
from unequal.report.tables.agreement import (
    attack_table,
    hidden_table,
    leak_table,
    nulls_table,
    order_table,
)
from unequal.report.tables.arms import interactions_table
from unequal.report.tables.cost import price_table
from unequal.report.tables.dose import slopes_table
from unequal.report.tables.factors import factor_levels_table, factors_table
from unequal.report.tables.known import known_table
from unequal.report.tables.methods import methods_table, missing_table, verdict_table, weightings_table
from unequal.report.tables.natural import natural_slopes_table, natural_table
from unequal.report.tables.sizes import size_slopes_table
from unequal.report.tables.table import Table

BESIDE = {
    "known": ("known_by_count",),
    "dose": ("slopes",),
    "factors": ("factors", "factor_levels"),
    "natural": ("natural_slopes", "natural"),
    "interactions": ("interactions",),
    "agreement": ("agreement", "nulls", "order", "leaks"),
    "sizes": ("size_slopes",),
    "cost": ("price",),
    "methods": ("methods", "weightings"),
}
"""The tables that stand below a figure, which show its sample."""


@dataclass(frozen=True)
class Contents:
    """What tables by model call the whole study, the sample in words, the scales, figures and tables."""

    scope: str
    sample: str
    scales: Scales
    figures: list[Figure]
    tables: dict[str, Table]


def contents_of(analysis: Analysis) -> Contents:
    """Return the figures and tables of an analysis."""
    scope, scales = scope_of(analysis), _scales(analysis)
    tables = [
        verdict_table(analysis),
        hidden_table(analysis),
        nulls_table(analysis),
        order_table(analysis, scope),
        leak_table(analysis, scope),
        attack_table(analysis, scope),
        methods_table(analysis),
        weightings_table(analysis),
        known_table(analysis, scales),
        slopes_table(analysis),
        size_slopes_table(analysis),
        price_table(analysis),
        factors_table(analysis),
        factor_levels_table(analysis),
        natural_table(analysis),
        natural_slopes_table(analysis),
        interactions_table(analysis),
        missing_table(analysis),
    ]
    return Contents(
        scope=scope,
        sample=named_sample(analysis),
        scales=scales,
        figures=_figures(analysis, scales),
        tables={one.table: one for one in tables},
    )


def main_model(analysis: Analysis) -> tuple[str, list[str]]:
    """Return the model with the most runs, the largest of such, re-rendered if any is, which the fact
    browser shows, and all models."""
    rerendered = (pl.col("wording") == "rerendered").any().alias("rerendered")
    counts = analysis.runs.group_by("model").agg(pl.len(), pl.col("n_params").max(), rerendered)
    order = ["len", "n_params", "rerendered", "model"]
    counts = counts.sort(order, descending=[True, True, True, False])
    return str(counts["model"][0]), counts["model"].to_list()


def _scales(analysis: Analysis) -> Scales:
    mixed = analysis.runs.filter(pl.col("target_kind") == MIXED)
    runs = mixed if mixed.height else analysis.runs
    names, dose = level_names(analysis.levels)
    return Scales(
        names=names,
        dose=dose,
        methods=runs.sort("plain", "method", descending=[True, False])["method"]
        .unique(maintain_order=True)
        .to_list(),
        steps=analysis.curves["step"].unique().sort().to_list(),
    )


def _figures(analysis: Analysis, scales: Scales) -> list[Figure]:
    """Return the figures in the order of the page; one that only some studies can have is left out where
    there is nothing to draw."""
    of_some = [
        natural_known_figure(analysis),
        natural_figure(analysis, scales),
        wording_figure(analysis, scales),
        interactions_figure(analysis),
        sizes_figure(analysis, scales),
    ]
    known_by_count, by_count, wording, interactions, by_size = (
        [one] if one.panels else [] for one in of_some
    )
    return [
        known_figure(analysis, scales),
        *(known_by_count if scales.dose != COUNT_IN_CORPUS else []),  # else the levels are the counts
        curves_figure(analysis, scales),
        dose_figure(analysis, scales),
        *([factors_figure(analysis)] if analysis.factors.height else []),  # else no factors were crossed
        *by_count,
        *wording,
        *interactions,
        survival_figure(analysis, scales),
        frontier_figure(analysis, scales),
        agreement_figure(analysis, scales),
        *by_size,
        formats_figure(analysis, scales),
        true_false_figure(analysis, scales),
        cost_figure(analysis, scales),
        methods_figure(analysis, scales),
    ]
