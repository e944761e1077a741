"""Groups of natural counts: the share known before and the forgotten share of each."""

import numpy as np
import polars as pl

from unequal.analysis.effects.dose_response import ALL_METHODS, COUNT, DOSES
from unequal.analysis.observations import MIXED, Observations
from unequal.analysis.stats.bootstrap import (
    Resampler,
    aligned_means,
    group_intervals,
    grouped_ratio,
    index_groups,
)

MAX_GROUPS = 6
KEYS = ["model", "method", "comparison", "group"]
LABELS = ["group", "counts", "count_low", "count_high", "log10_count"]
PLACES = {"group": pl.Int64, "counts": pl.String, "count_low": pl.Int64, "count_high": pl.Int64}
GREEDY, CHOICE, CLOZE = "greedy answer", "choice", "choice in a statement"
MEASURES = {
    GREEDY: ("question", "said"),
    CHOICE: ("question", "choice_accuracy"),
    CLOZE: ("cloze", "choice_accuracy"),
}


def count_groups(forget: pl.DataFrame) -> pl.DataFrame:
    """Return each fact's count and group, by rising counts: at most six groups of about as many facts.

    ``counts`` is the group's range such as ``4–15`` and ``log10_count`` the mean of log10(1 + count) in it.
    Equal counts are never parted; facts without a count are excluded.
    """
    facts = forget.select("fact_id", "count").drop_nulls().unique().sort("count", "fact_id")
    counts = facts["count"].to_numpy()
    shares = np.linspace(0, 1, MAX_GROUPS + 1)[1:-1]
    highest = np.unique(np.quantile(counts, shares, method="inverted_cdf")) if len(counts) else np.array([])
    groups = pl.Series("group", np.searchsorted(highest, counts), dtype=pl.Int64)
    placed = facts.with_columns(groups.rank("dense").cast(pl.Int64) - 1)
    low, high = pl.col("count").min().over("group"), pl.col("count").max().over("group")
    words = pl.when(low == high).then(low.cast(pl.String)).otherwise(pl.format("{}–{}", low, high))
    mean = DOSES[COUNT].mean().over("group")
    return placed.with_columns(words.alias("counts"), count_low=low, count_high=high, log10_count=mean)


def count_known(observations: Observations, resampler: Resampler) -> pl.DataFrame:
    """Return per model, group and measure the share in [0, 1] of facts right at step 0, with 95% interval
    over people.

    Measures: the greedy answer, the right answer being the most probable of its type, and the same where a
    statement is to be ended (`MEASURES`). Facts to forget, in any run.
    """
    groups = count_groups(observations.forget)
    parts = []
    for measure, (probe, metric) in MEASURES.items():
        rows = observations.pick(probe, metric, ["forget"]).filter(pl.col("step") == 0)
        one = rows.group_by("model", "base", "fact_id", "person").agg(
            pl.col("value").mean(), pl.col("seed_cluster").min()
        )
        parts.append(one.with_columns(pl.lit(measure).alias("measure")))
    rows = _placed(pl.concat(parts), groups).sort("model", "base", "fact_id", "measure")
    table = grouped_ratio(resampler, rows, ["model", "measure", "group"], "value", by_seed=False)
    return _labelled(table, groups).sort("model", "measure", "group")


def count_levels(outcomes: pl.DataFrame, groups: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return per model, method, comparison and group of counts the mean forgotten share, with 95% interval.

    Of facts known before, in runs that mix levels; all methods together are the plain ones' mean, a method
    each. ``groups`` come from `count_groups`.
    """
    rows = _placed(outcomes.filter(pl.col("target_kind") == MIXED), groups)
    table = index_groups(rows, KEYS)[0]
    samples = aligned_means(resampler, rows, KEYS, "forgotten", table)
    found = [pl.concat([table, group_intervals(samples)], how="horizontal")]
    plain = rows.filter("plain")
    if plain["method"].n_unique() > 1:
        found.append(_together(plain, resampler))
    return _labelled(pl.concat(found, how="diagonal_relaxed"), groups).sort(
        "model", "comparison", *KEYS[1:2], "group"
    )


def _together(plain: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return the mean over the methods of each model, comparison and group."""
    keys = [key for key in KEYS if key != "method"]
    table = index_groups(plain, keys)[0]
    methods = plain["method"].unique().sort().to_list()
    each = [
        aligned_means(resampler, plain.filter(pl.col("method") == method), keys, "forgotten", table)
        for method in methods
    ]
    found = group_intervals(np.mean(each, axis=0))
    return pl.concat([table, found], how="horizontal").with_columns(pl.lit(ALL_METHODS).alias("method"))


def _placed(rows: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    return rows.join(groups.select("fact_id", "group"), on="fact_id", how="inner", maintain_order="left")


def _labelled(table: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    labels = groups.select(LABELS).unique()
    return table.join(labels, on="group", how="left", maintain_order="left")
