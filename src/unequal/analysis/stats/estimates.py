"""One estimate as one row of a table: over how much, its interval, and what the study could have seen."""

from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from unequal.analysis.stats.bootstrap import Array, interval

DETECTABLE = 2.8  # standard errors: 1.96 for a test at 5% and 0.84 for a power of 80%
SAMPLE_SIZES = {"n_facts": "fact_id", "n_people": "person", "n_seeds": "seed_cluster"}
ESTIMATE: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(SAMPLE_SIZES, pl.Int64),
    **dict.fromkeys(("value", "low", "high", "p", "standard_error", "detectable"), pl.Float64),
    "reason": pl.String,
}


def estimate(rows: pl.DataFrame, samples: Array) -> dict[str, Any]:
    """Return the columns of `ESTIMATE` for samples (1 + draws,) that were made from these rows."""
    counts = {name: rows[column].n_unique() for name, column in SAMPLE_SIZES.items()}
    return {**counts, **asdict(interval(samples)), **power(samples)}


def power(samples: Array) -> dict[str, float | None]:
    """Return the standard error of the draws, and the effect that a test at 5% finds in 80% of cases."""
    draws = samples[1:][np.isfinite(samples[1:])]
    if not np.isfinite(samples[0]) or len(draws) < 2:
        return {"standard_error": None, "detectable": None}
    error = float(draws.std(ddof=1))
    return {"standard_error": error, "detectable": DETECTABLE * error}
