"""What a study's report holds, for the page and for a paper alike: which model, its figures, its tables."""

from dataclasses import dataclass

import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.dose_response import ALL_MODELS
from unequal.analysis.observations import MIXED
from unequal.report.agreement_figures import agreement_figure, sizes_figure, true_false_figure
from unequal.report.agreement_tables import attack_table, hidden_table, leak_table, order_table
from unequal.report.curve_figures import curves_figure, frontier_figure
from unequal.report.factor_figures import factors_figure
from unequal.report.factor_tables import factor_levels_table, factors_table
from unequal.report.figure import COUNT_IN_CORPUS, Figure, Scales, level_names
from unequal.report.known_table import known_table
from unequal.report.level_figures import (
    cost_figure,
    dose_figure,
    formats_figure,
    known_figure,
    methods_figure,
    survival_figure,
)
from unequal.report.method_tables import methods_table, missing_table, verdict_table
from unequal.report.table import Table


@dataclass(frozen=True)
class Contents:
    """The model that the figures show, the study's other models, its scales, figures and tables."""

    model: str
    other_models: list[str]
    scales: Scales
    figures: list[Figure]
    tables: dict[str, Table]


def contents_of(analysis: Analysis) -> Contents:
    """Return the figures and tables of an analysis."""
    model, models = main_model(analysis)
    scales = _scales(analysis)
    tables = [
        verdict_table(analysis),
        hidden_table(analysis),
        order_table(analysis, model),
        leak_table(analysis, model),
        attack_table(analysis, model),
        methods_table(analysis, model),
        *([known_table(analysis, scales, model)] if scales.dose == COUNT_IN_CORPUS else []),
        factors_table(analysis),
        factor_levels_table(analysis),
        missing_table(analysis),
    ]
    return Contents(
        model=model,
        other_models=[one for one in models if one != model],
        scales=scales,
        figures=_figures(analysis, scales, model, len(models) > 1),
        tables={one.table: one for one in tables},
    )


def main_model(analysis: Analysis) -> tuple[str, list[str]]:
    """Return the model with the most runs, the largest of such, which the pictures show, and all models."""
    counts = analysis.runs.group_by("model").agg(pl.len(), pl.col("n_params").max())
    counts = counts.sort("len", "n_params", "model", descending=[True, True, False])
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


def _figures(analysis: Analysis, scales: Scales, model: str, several: bool) -> list[Figure]:
    scope = ALL_MODELS if several else model
    by_size = sizes_figure(analysis, scales)
    return [
        known_figure(analysis, scales, model),
        curves_figure(analysis, scales, model),
        dose_figure(analysis, scales, model),
        *([factors_figure(analysis)] if analysis.factors.height else []),
        survival_figure(analysis, scales, model),
        frontier_figure(analysis, scales, model),
        agreement_figure(analysis, scales, model),
        *([by_size] if by_size.panels else []),
        formats_figure(analysis, scales),
        true_false_figure(analysis, scales, model),
        cost_figure(analysis, scales),
        methods_figure(analysis, scales, scope),
    ]
