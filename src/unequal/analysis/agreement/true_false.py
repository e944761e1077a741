"""True-or-false discrimination: d′ of true against false statements per level and step."""

import numpy as np
import polars as pl

from unequal.analysis.observations import MIXED, Observations
from unequal.analysis.stats.bootstrap import Resampler, group_intervals, index_groups
from unequal.evaluation.aggregates.true_false import d_prime

KEYS = ["model", "method", "role", "exposure", "step"]


def true_false_d_prime(observations: Observations, resampler: Resampler) -> pl.DataFrame:
    """Return d′ per model, method, role, level and step with 95% interval, over all facts of the role."""
    rows = observations.scores.filter(
        (pl.col("probe") == "true_false")
        & (pl.col("target_kind") == MIXED)
        & pl.col("metric").is_in(["true_false_hit", "true_false_false_alarm"])
    )
    table, groups = index_groups(rows, KEYS)
    hit = (rows["metric"] == "true_false_hit").to_numpy().astype(np.float64)
    value = rows["value"].to_numpy()
    values = np.stack([hit * value, hit, (1 - hit) * value, 1 - hit], axis=1)
    sums = resampler.sums(rows, groups, values, table.height)
    both = (sums[..., 1] > 0) & (sums[..., 3] > 0)
    samples = np.where(both, d_prime(*np.moveaxis(sums, -1, 0)), np.nan)
    frame = group_intervals(samples, "needs true and false statements")
    return pl.concat([table, frame], how="horizontal")
