"""Least squares within strata: one slope, adjusted for covariates, in every bootstrap draw."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unequal.analysis.stats.bootstrap import FORGOTTEN, Array, Resampler, ratio

SINGULAR = 1e-10  # share of a column's scatter below which the others explain it wholly


def slope_within(
    frame: pl.DataFrame,
    dose: str,
    outcome: str,
    covariates: Sequence[str],
    strata: Sequence[str],
    resampler: Resampler,
) -> Array:
    """Return the slope of ``outcome`` on ``dose`` given the covariates, shape (1 + draws,).

    Every stratum has an intercept of its own. Rows that lack a value are excluded; a covariate that does not
    vary, or that others make up, adjusts for nothing. NaN where the dose does not vary within strata beyond
    the covariates. Each draw solves the normal equations anew (Frisch and Waugh 1933).
    """
    names = [dose, outcome, *covariates]
    rows = frame.drop_nulls(names)
    if rows.is_empty():
        return np.full(resampler.draws + 1, np.nan)
    groups = stratum_numbers(rows, strata)
    values = rows.select(names).to_numpy().astype(np.float64)
    values -= values.mean(axis=0)
    values[:, 2:] /= np.where(values[:, 2:].std(axis=0) > 0, values[:, 2:].std(axis=0), 1.0)
    return _partial_slope(scatter_within(rows, values, groups, resampler, outcome == FORGOTTEN))


def stratum_numbers(rows: pl.DataFrame, strata: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of each row's stratum, from 0."""
    return rows.select(pl.struct(strata).rank("dense")).to_series().to_numpy().astype(np.int64) - 1


def scatter_within(
    rows: pl.DataFrame, values: Array, groups: np.ndarray, resampler: Resampler, is_read: bool = False
) -> Array:
    """Return the columns' cross products about their stratum means, (1 + draws, columns, columns).

    ``is_read`` says that column 1 is what each draw reads where its own people put it, but for its own
    square, which no slope needs.
    """
    k = values.shape[1]
    left, right = np.triu_indices(k)
    moments = np.column_stack([np.ones(len(values)), values, values[:, left] * values[:, right]])
    own = np.zeros_like(values)
    own[:, 1] = float(is_read)
    crossed = values[:, left] * own[:, right] + own[:, left] * values[:, right]
    gains = np.column_stack([np.zeros(len(values)), own, crossed])
    sums = resampler.sums_as_read(rows, groups, moments, gains, int(groups.max()) + 1)
    n, totals, products = sums[..., :1], sums[..., 1 : k + 1], sums[..., k + 1 :]
    means = np.nan_to_num(ratio(totals[..., left] * totals[..., right], n))
    scatter = np.zeros((len(sums), k, k))
    scatter[:, left, right] = scatter[:, right, left] = (products - means).sum(axis=1)
    return scatter


def _partial_slope(scatter: Array) -> Array:
    dose, both = scatter[:, 0, 0], scatter[:, 0, 1]
    with_dose, with_outcome = scatter[:, 2:, 0], scatter[:, 2:, 1]
    inverse = np.linalg.pinv(scatter[:, 2:, 2:], rcond=SINGULAR, hermitian=True)
    explained = np.einsum("di,dij->dj", with_dose, inverse)
    left = dose - (explained * with_dose).sum(axis=1)
    left = np.where(left > SINGULAR * dose, left, 0.0)
    return ratio(both - (explained * with_outcome).sum(axis=1), left)
