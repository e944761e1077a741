"""Estimates as table rows: value, interval, sample sizes and detectable effect."""

from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from unequal.analysis.stats.bootstrap import LEVEL, Array, interval

DETECTABLE = 2.8  # standard errors: 1.96 for a test at 5% and 0.84 for a power of 80%
SAMPLE_SIZES = {"n_facts": "fact_id", "n_people": "person", "n_seeds": "seed_cluster"}
Schema = dict[str, type[pl.DataType]]
SIZES: Schema = dict.fromkeys(SAMPLE_SIZES, pl.Int64)
INTERVAL: Schema = dict.fromkeys(("value", "low", "high", "p"), pl.Float64)
POWER: Schema = dict.fromkeys(("standard_error", "detectable"), pl.Float64)
ESTIMATE: Schema = {**SIZES, **INTERVAL, **POWER, "reason": pl.String}


def estimate(rows: pl.DataFrame, samples: Array) -> dict[str, Any]:
    """Return the columns of `ESTIMATE` for samples (1 + draws,) that were made from these rows."""
    return {**sample_sizes(rows), **asdict(interval(samples)), **power(samples)}


def sample_sizes(rows: pl.DataFrame) -> dict[str, int]:
    """Return the numbers of facts, people and seeds of the rows."""
    return {name: rows[column].n_unique() for name, column in SAMPLE_SIZES.items()}


def power(samples: Array) -> dict[str, float | None]:
    """Return the standard error of the draws, and the effect that a test at 5% finds in 80% of cases."""
    draws = samples[1:][np.isfinite(samples[1:])]
    if not np.isfinite(samples[0]) or len(draws) < 2:
        return {"standard_error": None, "detectable": None}
    error = float(draws.std(ddof=1))
    return {"standard_error": error, "detectable": DETECTABLE * error}


def wider(row: dict[str, Any], error: float, freedom: int, reason: str) -> dict[str, Any]:
    """Return ``low``, ``high`` and ``p`` that also count the scatter of models: of each the more cautious.

    One is the bootstrap's over people and seeds, in the row; the other Student's, by the standard ``error``
    of the models' scatter. Without a degree of freedom there is none, for the ``reason``.
    """
    if row["low"] is None:
        return {}
    if freedom < 1:
        return {"low": None, "high": None, "p": None, "reason": reason}
    value, half = row["value"], float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    by_models = 2 * float(stats.t.sf(abs(value) / error, freedom)) if error > 0 else 0.0
    ends = {"models_low": value - half, "models_high": value + half}
    low, high = min(row["low"], ends["models_low"]), max(row["high"], ends["models_high"])
    return {**ends, "low": low, "high": high, "p": max(row["p"], by_models)}
