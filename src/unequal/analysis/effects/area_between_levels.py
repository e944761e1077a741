"""Areas between forgetting curves: how much more is left of a level than of the rarest, over all steps."""

import polars as pl

from unequal.analysis.stats.bootstrap import Resampler, aligned_means, group_intervals, index_groups

KEYS = ["model", "method", "target_kind", "exposure"]


def area_left() -> pl.Expr:
    """Return a fact's area under what is left of it, in [0, 1], over the order of steps log2(1 + step).

    The trapezoid rule on ``said`` sorted by ``step``, over the length of the axis; 1 is never wrong.
    """
    at = (1 + pl.col("step")).log(2)
    width = at.diff()
    height = (pl.col("said") + pl.col("said").shift(1)) / 2
    return (width * height).sum() / (at.max() - at.min())


def areas_between_levels(forget: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return per model, method and level the area between its curve and the lowest level's, in [−1, 1].

    Above 0 the level is harder to unlearn. The axis is log2(1 + step) from step 0 to the last, so that early
    steps count, and evaluating more often changes little. ``area`` is the level's own. With 95% intervals.
    """
    rows = forget.drop_nulls("said").sort("run_id", "fact_id", "step")
    labels = ["run_id", *KEYS, "fact_id", "person", "seed_cluster"]
    areas = rows.group_by(labels, maintain_order=True).agg(area_left().alias("area"))
    areas = areas.filter(pl.col("area").is_finite())
    table = index_groups(areas, KEYS)[0]
    lowest = table.with_columns(pl.col("exposure").min().over("model", "method", "target_kind"))
    own = aligned_means(resampler, areas, KEYS, "area", table)
    between = own - aligned_means(resampler, areas, KEYS, "area", lowest)
    found = group_intervals(between)
    parts = [table, found, pl.DataFrame({"area": own[0]}), lowest.select(against="exposure")]
    return pl.concat(parts, how="horizontal").sort("model", "method", "target_kind", "exposure")
