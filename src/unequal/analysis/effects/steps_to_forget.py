"""Steps to forget: the first step from which a fact stays wrong, with Kaplan–Meier curves per level."""

import numpy as np
import polars as pl

from unequal.analysis.stats.bootstrap import (
    Array,
    Resampler,
    group_intervals,
    index_groups,
    open_interval,
    ratio,
)
from unequal.analysis.stats.estimates import Schema

KEYS = ["exposure", "model", "method", "target_kind"]


def steps_to_forget(forget: pl.DataFrame) -> pl.DataFrame:
    """Return per run and fact ``time`` (steps) and ``forgotten``; False is censored, still right at the
    last step.

    Time is the first evaluated step from which exact match is 0 at every later evaluated step too.
    """
    rows = forget.filter(pl.col("said").is_not_null())
    fact = ["run_id", *KEYS, "fact_id", "person", "seed_cluster"]
    last_right = pl.col("step").filter(pl.col("said") > 0).max().fill_null(-1)
    first = rows.group_by(fact).agg(
        pl.col("step").filter(pl.col("step") > last_right).min().alias("time"),
        pl.col("step").max().alias("last_step"),
    )
    return (
        first.with_columns(pl.col("time").is_not_null().alias("forgotten"))
        .with_columns(pl.col("time").fill_null(pl.col("last_step")))
        .select("run_id", *KEYS, "fact_id", "person", "seed_cluster", "time", "forgotten")
        .sort("run_id", "fact_id")
    )


def survival_medians(times: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return the Kaplan–Meier median number of steps to forget per method and level, with 95% interval.

    A null ``value`` or ``high`` lies beyond the last evaluated step, as ``reason`` says. The median is the
    first step at which the estimate (Kaplan and Meier 1958) is at most a half; the interval comes from the
    cluster bootstrap.
    """
    table, groups = index_groups(times, KEYS)
    samples = _median_samples(times, groups, table.height, resampler)
    rows = []
    for group in range(table.height):
        members = times.filter(pl.Series(groups == group))
        last = int(members["time"].max())  # type: ignore[arg-type]
        value, low, high = open_interval(samples[:, group])
        reason = None if high is not None else f"the upper end lies beyond step {last}"
        if value is None:
            reason = f"fewer than half were forgotten for good by step {last}"
        rows.append((value, low, high, members["forgotten"].mean(), last, reason))
    schema: Schema = dict.fromkeys(("value", "low", "high", "forgotten_share"), pl.Float64)
    values = pl.DataFrame(rows, schema={**schema, "last_step": pl.Int64, "reason": pl.String}, orient="row")
    return pl.concat([table, values], how="horizontal").sort("model", "method", "target_kind", "exposure")


def _median_samples(times: pl.DataFrame, groups: np.ndarray, n_groups: int, resampler: Resampler) -> Array:
    if times.is_empty():
        return np.full((resampler.draws + 1, 0), np.nan)
    grid, survival = _survival(times, groups, n_groups, resampler)
    below = survival <= 0.5 + 1e-12
    return np.where(below.any(axis=-1), grid[below.argmax(axis=-1)], np.inf)


def _survival(
    times: pl.DataFrame, groups: np.ndarray, n_groups: int, resampler: Resampler
) -> tuple[Array, Array]:
    """Return the steps at which anything happens, and the share not forgotten then, (1 + draws, groups,
    steps)."""
    grid = np.unique(times["time"].to_numpy()).astype(np.float64)
    at = np.searchsorted(grid, times["time"].to_numpy())
    event = times["forgotten"].to_numpy().astype(np.float64)
    values = np.stack([np.ones(len(event)), event], axis=1)
    cells = resampler.sums(times, groups * len(grid) + at, values, n_groups * len(grid))
    left, events = np.moveaxis(cells.reshape(resampler.draws + 1, n_groups, len(grid), 2), -1, 0)
    at_risk = np.flip(np.cumsum(np.flip(left, axis=-1), axis=-1), axis=-1)
    return grid, np.asarray(np.cumprod(1 - np.nan_to_num(ratio(events, at_risk)), axis=-1), dtype=np.float64)


def survival_curves(times: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return the Kaplan–Meier share in [0, 1] not yet forgotten for good, per method, level and step, with
    95% interval; higher is harder to unlearn."""
    table, groups = index_groups(times, KEYS)
    if times.is_empty():
        empty = group_intervals(np.empty((resampler.draws + 1, 0)))
        return pl.concat([table.with_columns(pl.lit(0, pl.Int64).alias("step")), empty], how="horizontal")
    grid, survival = _survival(times, groups, table.height, resampler)
    steps = table.join(
        pl.DataFrame({"step": grid.astype(np.int64)}), how="cross", maintain_order="left_right"
    )
    found = group_intervals(survival.reshape(len(survival), -1))
    return pl.concat([steps, found], how="horizontal").sort(
        "model", "method", "target_kind", "exposure", "step"
    )
