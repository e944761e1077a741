"""Dose-response by wording arm: the forgotten share by level, on methods and models found in every arm."""

import polars as pl

from unequal.analysis.effects.interactions import FACTORS, complete_cells
from unequal.analysis.effects.pooled import ALL_METHODS, mean_of_cells
from unequal.analysis.observations import MIXED
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.analysis.stats.bootstrap import Resampler

ARM = FACTORS["wording arm"]
KEYS = [ARM, "method", "exposure"]


def arm_levels(outcomes: pl.DataFrame, runs: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return per wording arm, method and level the mean forgotten share in [0, 1], with 95% interval.

    At equal steps, of facts known before; models that differ in more than their wording count equally, and
    all methods together are the mean of methods and models. Without rows where there are not two arms.
    """
    chosen = pl.col("plain") & (pl.col("target_kind") == MIXED) & (pl.col("comparison") == EQUAL_STEPS)
    rows, others = complete_cells(outcomes.filter(chosen), runs, ARM)
    pooled = rows.with_columns(cell=pl.concat_str(others, separator=" "))
    found = [mean_of_cells(resampler, pooled, ["cell"], KEYS)]
    if pooled["method"].n_unique() > 1:
        together = pooled.with_columns(pl.lit(ALL_METHODS).alias("method"))
        found.append(mean_of_cells(resampler, together, ["cell"], KEYS))
    return pl.concat(found, how="vertical_relaxed")
