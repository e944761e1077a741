"""Spearman's correlation of forgetting by generation and by probability."""

import numpy as np
import polars as pl

from unequal.analysis.observations import Observations
from unequal.analysis.stats.bootstrap import (
    Array,
    Resampler,
    group_intervals,
    index_groups,
    ratio,
    with_pooled,
)

KEYS = ["model", "method", "exposure", "step"]
FLAT = 1e-9  # a spread of ranks below this is no spread


def forgetting_scores(observations: Observations) -> pl.DataFrame:
    """Return per run, step ≥ 1 and fact known before the fall since step 0 by generation and by probability.

    ``by_generation`` is the fall of ROUGE-L recall of the greedy answer (of exact match where ROUGE is not
    scored), ``by_probability`` the fall of the answer's log-probability; higher is more forgotten.
    """
    rows = observations.mixed().filter("known")
    generated = "rouge_l_recall" if rows["rouge_l_recall"].is_not_null().any() else "said"
    rows = rows.with_columns(pl.col(generated).alias("said")).drop_nulls(["said", "answer_log_prob"])
    start = rows.filter(pl.col("step") == 0).select(
        "run_id", "fact_id", said_before="said", log_prob_before="answer_log_prob"
    )
    rows = rows.filter(pl.col("step") >= 1).join(
        start, on=["run_id", "fact_id"], how="inner", maintain_order="left"
    )
    return rows.with_columns(
        (pl.col("said_before") - pl.col("said")).alias("by_generation"),
        (pl.col("log_prob_before") - pl.col("answer_log_prob")).alias("by_probability"),
        pl.lit(generated).alias("generation_metric"),
    )


def spearman(observations: Observations, resampler: Resampler) -> pl.DataFrame:
    """Return Spearman's correlation per model, method, step and level: 1 when both order facts alike.

    ``exposure`` is null over all levels. Facts are ranked anew in every bootstrap draw, each counting its
    weight, ties sharing their mean rank, so that a draw is what the same facts drawn repeatedly would give.
    """
    rows = with_pooled(forgetting_scores(observations))
    table, groups = index_groups(rows, KEYS)
    pair = rows.select("by_generation", "by_probability").to_numpy()
    samples = []
    for group in range(table.height):
        members = np.flatnonzero(groups == group)
        weights = resampler.row_weights(rows[members])
        samples.append(weighted_spearman(pair[members, 0], pair[members, 1], weights))
    stacked = np.stack(samples, axis=1) if samples else np.zeros((resampler.draws + 1, 0))
    reason = "undefined: one of the two says the same of every fact"
    found = pl.concat([table, group_intervals(stacked, reason)], how="horizontal")
    metric = rows["generation_metric"].first()
    return found.with_columns(pl.lit(metric, pl.String).alias("generation_metric"))


def weighted_spearman(first: Array, second: Array, weights: Array) -> Array:
    """Return Spearman's correlation of scores (facts,) under weights (draws, facts); NaN when one is flat."""
    ranks = [_weighted_ranks(one, weights) for one in (first, second)]
    total = weights.sum(axis=1, keepdims=True)
    x, y = (one - ratio((weights * one).sum(axis=1, keepdims=True), total) for one in ranks)
    covariance, x_spread, y_spread = ((weights * product).sum(axis=1) for product in (x * y, x * x, y * y))
    spread = np.sqrt(x_spread * y_spread)
    return np.where(spread > FLAT, covariance / np.where(spread > FLAT, spread, 1.0), np.nan)


def _weighted_ranks(values: Array, weights: Array) -> Array:
    """Return mid-ranks: the weight below a value and half of the weight at it, shape (draws, facts)."""
    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(distinct)))
    at_value = np.add.reduceat(weights[:, order], starts, axis=1)
    return np.asarray((np.cumsum(at_value, axis=1) - at_value / 2)[:, place])
