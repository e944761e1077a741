"""Explained variance: the effects of several terms at once, and the share that each explains alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unequal.analysis.stats.bootstrap import LEVEL, UNDEFINED_SHARE, Array, Resampler
from unequal.analysis.stats.least_squares import scatter_within

SINGULAR = 1e-9  # share of a column's scatter below which the others explain it wholly


@dataclass(frozen=True)
class Share:
    """A share of the variance in [0, 1] with its 95% interval, and p against none; null if unknown."""

    share: float | None
    low: float | None
    high: float | None
    p: float | None


NO_SHARE = Share(None, None, None, None)


@dataclass(frozen=True)
class Regression:
    """Least squares of an outcome on columns, within strata, in the sample and in every draw.

    ``slopes`` is (1 + draws, columns), NaN for columns that others make up. Of the sample alone: ``inverse``
    of the columns' scatter, ``total`` scatter of the outcome, ``covariance`` of the slopes if clusters are
    independent, and what the fit leaves of each row, ``left``, (rows,).
    """

    slopes: Array
    inverse: Array
    total: float
    covariance: Array
    left: Array

    @property
    def varies(self) -> bool:
        """Whether the outcome differs at all within strata, so that there is something to explain."""
        return self.total > SINGULAR * len(self.left)


def regress(
    rows: pl.DataFrame,
    values: Array,
    strata: NDArray[np.int64],
    clusters: NDArray[np.int64],
    resampler: Resampler,
) -> Regression:
    """Return the regression of the first column of ``values`` (rows, 1 + columns) on the others.

    ``strata`` and ``clusters`` number the strata, which have an intercept each, and the clusters of the rows.
    """
    scatter = scatter_within(rows, values, strata, resampler)
    inside, outcome = scatter[:, 1:, 1:], scatter[:, 1:, 0]
    scale = np.sqrt(np.where(np.diagonal(inside[0]) > 0, np.diagonal(inside[0]), 1.0))
    inverse = np.linalg.pinv(inside / np.outer(scale, scale), rcond=SINGULAR, hermitian=True)
    inverse /= np.outer(scale, scale)
    slopes = np.einsum("dij,dj->di", inverse, outcome)
    own = np.einsum("dij,dji->di", inverse, inside)  # 1 where a column is not made up by the others
    means = np.stack([np.bincount(strata, column) for column in values.T], axis=1)
    centred = values - (means / np.bincount(strata)[:, None])[strata]
    left = centred[:, 0] - centred[:, 1:] @ slopes[0]
    return Regression(
        slopes=np.where(own > 1 - 1e-6, slopes, np.nan),
        inverse=inverse[0],
        total=float(scatter[0, 0, 0]),
        covariance=_covariance(centred[:, 1:], left, clusters, inverse[0]),
        left=left,
    )


def _covariance(columns: Array, left: Array, clusters: NDArray[np.int64], inverse: Array) -> Array:
    """Return the slopes' covariance, robust to what rows of a cluster share (Liang and Zeger 1986)."""
    scores = np.stack([np.bincount(clusters, column * left) for column in columns.T], axis=1)
    n = len(scores)
    found: Array = inverse @ (scores.T @ scores) @ inverse * (n / max(n - 1, 1))
    return found


def explained(fit: Regression, columns: Sequence[int]) -> Share:
    """Return the share of the variance that these columns explain beyond all others (drop-one).

    The share b'Cb / total, with C the inverse of the columns' block of the inverse scatter, is what R² falls
    by without them; in a balanced design the shares add up to R². It is never negative, so chance alone
    raises it, by the mean tr(C · covariance), which is taken off. The interval has the percentiles of the
    draws, less that and as much as the draws raise it once more. No end lies below 0. p is the share of draws
    whose slopes lie at least as far from those found, in the norm of C, as those found from 0.
    """
    slopes = fit.slopes[:, list(columns)]
    draws = slopes[1:][np.isfinite(slopes[1:]).all(axis=1)]
    too_few = len(draws) < max(2, (1 - UNDEFINED_SHARE) * (len(slopes) - 1))
    if not np.isfinite(slopes[0]).all() or too_few or not fit.varies:
        return NO_SHARE
    block = np.ix_(list(columns), list(columns))
    metric = np.linalg.inv(fit.inverse[block]) / fit.total
    found = float(slopes[0] @ metric @ slopes[0])
    away = draws - slopes[0]
    distances = np.einsum("di,ij,dj->d", away, metric, away)
    shares = np.einsum("di,ij,dj->d", draws, metric, draws)
    by_chance = float(np.trace(metric @ fit.covariance[block]))
    by_drawing = float(np.trace(metric @ np.cov(draws, rowvar=False).reshape(metric.shape)))
    ends = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) - by_chance - by_drawing
    low, high = np.clip(ends, 0.0, 1.0)
    p = ((distances >= found).sum() + 1) / (len(distances) + 1)
    return Share(max(0.0, found - by_chance), float(low), float(high), float(p))


def explained_between(fit: Regression, column: int, low: float, high: float) -> tuple[float, float]:
    """Return what the effects from ``low`` to ``high`` of one column explain, the least and the most."""
    metric = 1 / float(fit.inverse[column, column]) / fit.total
    ends = sorted((low**2 * metric, high**2 * metric))
    return (0.0 if low <= 0 <= high else ends[0]), min(1.0, ends[1])
