"""The forget–utility frontier: remaining share of forget facts against utility kept."""

import polars as pl

from unequal.analysis.observations import MIXED
from unequal.analysis.stats.bootstrap import with_name

KEYS, ENDS = ["model", "method", "step"], ["value", "low", "high"]


def frontier(curves: pl.DataFrame, utility: pl.DataFrame) -> pl.DataFrame:
    """Return per model, method, level and step the remaining share of known facts and the utility kept per
    role.

    Both in [0, 1]; the best corner of a method is remaining 0 at utility 1.
    """
    remaining = curves.filter(
        (pl.col("probe") == "question") & (pl.col("metric") == "said") & (pl.col("sample") == "known")
    ).select("model", "method", "exposure", "step", *ENDS, "n_facts")
    kept = utility.filter(pl.col("target_kind") == MIXED).select(*KEYS, "role", *ENDS)
    joined = with_name(remaining, "remaining").join(with_name(kept, "utility"), on=KEYS, how="inner")
    return joined.sort("model", "method", "role", "exposure", "step")
