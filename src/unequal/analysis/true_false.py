"""True or false: can the model still tell a true statement from a false one? d′ per level and step."""

import numpy as np
import polars as pl
from scipy.special import ndtri

from unequal.analysis.bootstrap import Array, Resampler, group_intervals, index_groups
from unequal.analysis.observations import MIXED, Observations

KEYS = ["model", "method", "role", "exposure", "step"]


def d_prime(hits: Array, n_true: Array, false_alarms: Array, n_false: Array) -> Array:
    """Return d′ = z(H) − z(F): 0 is chance, higher tells true from false better.

    Log-linear correction H = (hits + ½)/(n + 1), so that rates of 0 and 1 stay finite (Hautus 1995).
    """
    hit_rate, alarm_rate = (hits + 0.5) / (n_true + 1), (false_alarms + 0.5) / (n_false + 1)
    return np.asarray(ndtri(hit_rate) - ndtri(alarm_rate), dtype=np.float64)


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
