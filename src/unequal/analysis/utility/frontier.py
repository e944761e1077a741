"""The forget–utility frontier: what is left of the forget facts against what is left of everything else."""

import polars as pl

from unequal.analysis.observations import MIXED


def frontier(curves: pl.DataFrame, utility: pl.DataFrame) -> pl.DataFrame:
    """Return per model, method, level and step the remaining share of known facts and the utility kept per
    role.

    Both in [0, 1]; the best corner of a method is remaining 0 at utility 1.
    """
    remaining = curves.filter(
        (pl.col("probe") == "question") & (pl.col("metric") == "said") & (pl.col("sample") == "known")
    ).select(
        "model",
        "method",
        "exposure",
        "step",
        pl.col("value").alias("remaining"),
        pl.col("low").alias("remaining_low"),
        pl.col("high").alias("remaining_high"),
        "n_facts",
    )
    kept = utility.filter(pl.col("target_kind") == MIXED).select(
        "model",
        "method",
        "step",
        "role",
        pl.col("value").alias("utility"),
        pl.col("low").alias("utility_low"),
        pl.col("high").alias("utility_high"),
    )
    joined = remaining.join(kept, on=["model", "method", "step"], how="inner")
    return joined.sort("model", "method", "role", "exposure", "step")
