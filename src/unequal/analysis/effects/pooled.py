"""Pooling over methods and models: tables of each, and of all together."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from unequal.analysis.observations import Observations
from unequal.analysis.stats.bootstrap import Resampler, aligned_means, group_intervals, index_groups

ALL_METHODS, ALL_MODELS = "all methods", "all models"
Source = pl.DataFrame | Observations


def as_one_model(source: Source) -> Source:
    """Return the rows with all models under one name."""
    name = pl.lit(ALL_MODELS).alias("model")
    if isinstance(source, pl.DataFrame):
        return source.with_columns(name)
    scores, runs, forget = (one.with_columns(name) for one in (source.scores, source.runs, source.forget))
    return replace(source, scores=scores, runs=runs, forget=forget)


def with_all_models(table_of: Callable[..., pl.DataFrame], *sources: Source) -> pl.DataFrame:
    """Return a table by model, and where the first source holds several models, the same of all as one."""
    first = sources[0]
    models = first["model"] if isinstance(first, pl.DataFrame) else first.runs["model"]
    own = table_of(*sources)
    if models.n_unique() < 2:
        return own
    return pl.concat([own, table_of(*[as_one_model(one) for one in sources])], how="vertical_relaxed")


def together(rows: pl.DataFrame, column: str = "method") -> pl.DataFrame:
    """Return the rows of all methods (or models) together, or all rows where there are none."""
    pooled = rows.filter(pl.col(column).is_in([ALL_METHODS, ALL_MODELS]))
    return pooled if pooled.height else rows


def with_all_methods(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows, with plain methods repeated under the name of all methods if they are several."""
    plain = rows.filter("plain")
    if plain["method"].n_unique() < 2:
        return rows
    return pl.concat([rows, plain.with_columns(pl.lit(ALL_METHODS).alias("method"))])


def mean_of_cells(
    resampler: Resampler, rows: pl.DataFrame, cells: list[str], keys: list[str]
) -> pl.DataFrame:
    """Return per group the mean over cells, each counting equally, of the forgotten share in each cell.

    With its 95% interval and sample sizes; a cell without rows in a group takes no part in it.
    """
    table = index_groups(rows, keys)[0]
    if rows.is_empty():
        return pl.concat([table, group_intervals(np.empty((resampler.draws + 1, 0)))], how="horizontal")
    parts = rows.group_by(cells, maintain_order=True)
    each = np.stack([aligned_means(resampler, part, keys, "forgotten", table) for _, part in parts])
    here = np.isfinite(each[:, :1])
    means = np.where(here, each, 0.0).sum(axis=0) / here.sum(axis=0)
    return pl.concat([table, group_intervals(means)], how="horizontal")
