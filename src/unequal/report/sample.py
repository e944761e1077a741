"""The sample of figures, tables and sentences: all models of a study."""

import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.dose_response import ALL_METHODS, ALL_MODELS, NOTHING
from unequal.analysis.observations import MIXED
from unequal.report.tables.table import Row


def scope_of(analysis: Analysis) -> str:
    """Return what tables by model call the whole study: all models, or its only one."""
    models = analysis.runs["model"].unique().to_list()
    return ALL_MODELS if len(models) > 1 else str(models[0])


def sample_name(analysis: Analysis) -> str:
    """Return the sample of pictures and tables in words."""
    models = analysis.runs["model"].unique().to_list()
    return f"all {len(models)} models" if len(models) > 1 else str(models[0])


def named_sample(analysis: Analysis) -> str:
    """Return the sample with the name of each model."""
    models = analysis.runs["model"].unique().sort().to_list()
    return f"{sample_name(analysis)} ({'; '.join(models)})" if len(models) > 1 else str(models[0])


def pooled(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of all methods together, or of the only method."""
    together = rows.filter(pl.col("method") == ALL_METHODS)
    if together.height or "plain" not in rows.columns:
        return together if together.height or rows["method"].n_unique() > 1 else rows
    plain = rows.filter("plain")
    return plain if plain["method"].n_unique() == 1 else plain.clear()


def dose_rows(analysis: Analysis, comparison: str) -> pl.DataFrame:
    """Return the forgotten share by method and level in one comparison, over the whole study."""
    methods = analysis.runs.select("method", "plain").unique("method")
    rows = analysis.dose.filter(
        (pl.col("model") == scope_of(analysis))
        & (pl.col("target_kind") == MIXED)
        & (pl.col("comparison") == comparison)
    )
    return rows.join(methods, on="method", how="left", maintain_order="left").with_columns(
        pl.col("plain").fill_null(True)
    )


def pooled_levels(analysis: Analysis, comparison: str) -> pl.DataFrame:
    """Return the forgotten share by level over all methods and models, as the headline has it."""
    return pooled(dose_rows(analysis, comparison))


def slope_rows(analysis: Analysis, comparison: str, adjusted_for: str = NOTHING) -> pl.DataFrame:
    """Return the slopes of forgetting on exposure per method, over the whole study."""
    return analysis.slopes.filter(
        (pl.col("model") == scope_of(analysis))
        & (pl.col("target_kind") == MIXED)
        & (pl.col("comparison") == comparison)
        & (pl.col("adjusted_for") == adjusted_for)
    )


def pooled_slope(analysis: Analysis, comparison: str, adjusted_for: str = NOTHING) -> Row | None:
    """Return the slope of all methods together, or of the only one; None where there is none."""
    rows = pooled(slope_rows(analysis, comparison, adjusted_for)).drop_nulls("value")
    return rows.row(0, named=True) if rows.height == 1 else None
