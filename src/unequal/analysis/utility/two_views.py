"""Utility lost by generation and by probability."""

import polars as pl

from unequal.analysis.effects.pooled import with_all_methods
from unequal.analysis.observations import MIXED, Observations
from unequal.analysis.stats.bootstrap import Resampler, group_intervals, index_groups, named_intervals, ratio

ROLES = ("utility", "neighbour", "retain")
KEYS = ["model", "method", "role", "step"]
COLUMNS = ["said", "said_start", "likely", "likely_start"]


def utility_views(observations: Observations, resampler: Resampler) -> pl.DataFrame:
    """Return per model, method, role and step ≥ 1 the utility lost by generation and by probability, and the
    gap.

    Lost is 1 minus what is left of the sum at step 0 on the same facts, of right greedy answers and of answer
    probabilities; 0 is none lost, below 0 is gained. ``value`` is generation's loss minus probability's:
    below 0, probability shows harm that greedy answers hide. All with 95% intervals.
    """
    rows = with_all_methods(_paired(observations))
    table, groups = index_groups(rows, KEYS)
    sums = resampler.sums(rows, groups, rows.select(COLUMNS).to_numpy(), table.height)
    said, likely = 1 - ratio(sums[..., 0], sums[..., 1]), 1 - ratio(sums[..., 2], sums[..., 3])
    parts = [table, group_intervals(said - likely, "nothing was right before")]
    lost = {"by_generation": said, "by_probability": likely}
    parts += [named_intervals(samples, name).drop("reason") for name, samples in lost.items()]
    return pl.concat(parts, how="horizontal")


def _paired(observations: Observations) -> pl.DataFrame:
    """Return per run, step ≥ 1 and fact both scores now and at step 0."""
    key = ["run_id", "role", "fact_id"]
    sides = []
    for metric, name in (("said", "said"), ("answer_prob", "likely")):
        rows = observations.pick("question", metric, ROLES).filter(pl.col("target_kind") == MIXED)
        start = rows.filter(pl.col("step") == 0).select(*key, pl.col("value").alias(f"{name}_start"))
        now = rows.filter(pl.col("step") >= 1).rename({"value": name})
        sides.append(now.join(start, on=key, how="inner", maintain_order="left"))
    other = sides[1].select(*key, "step", "likely", "likely_start")
    return sides[0].join(other, on=[*key, "step"], how="inner", maintain_order="left")
