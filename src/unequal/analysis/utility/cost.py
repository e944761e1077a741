"""Utility cost: utility lost when half of one level's facts are forgotten, highest against lowest level."""

from dataclasses import asdict

import numpy as np
import polars as pl

from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.analysis.observations import SINGLE
from unequal.analysis.stats.bootstrap import Array, Resampler, interval, ratio
from unequal.analysis.stats.estimates import INTERVAL, SIZES, Schema, sample_sizes
from unequal.analysis.utility.retained import kept_by_draw

TARGETS = (0.25, 0.5, 0.75)
PRIMARY_TARGET = 0.5
HIGH_MINUS_LOW = "highest − lowest level"
SCHEMA: Schema = {
    "method": pl.String,
    "plain": pl.Boolean,
    "target_forgotten": pl.Float64,
    "contrast": pl.String,
    "exposure": pl.Int64,
    "n_runs": pl.Int64,
    "n_not_reached": pl.Int64,
    **SIZES,
    **INTERVAL,
    "reason": pl.String,
}


def utility_cost(forget: pl.DataFrame, utility: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return utility lost (0–1, higher is worse) at 25, 50 and 75% forgotten, per method and level, and
    differences.

    From runs that unlearn one level alone. Within each bootstrap draw both curves are redrawn over people
    and read where forgetting crosses the target, linear between evaluated steps; runs that never cross are
    excluded and counted. All methods together means those that reach the target at both ends.
    """
    forget = forget.filter((pl.col("target_kind") == SINGLE) & pl.col("said").is_not_null())
    rows: list[dict[str, object]] = []
    pooled: dict[float, list[Array]] = {target: [] for target in TARGETS}
    for (method,), facts in forget.group_by("method", maintain_order=True):
        curves = {run: run_curves(run, facts, utility, resampler) for run in facts["run_id"].unique().sort()}
        plain = bool(facts["plain"][0])
        for target in TARGETS:
            by_level = _by_level(facts, curves, target, resampler)
            part = [{**row, "contrast": "level"} for row, _ in by_level.values()]
            if len(by_level) > 1:
                samples, row = _difference(facts, by_level)
                part.append(row)
                pooled[target] += [samples] if plain and np.isfinite(samples[0]) else []
            rows += [{**row, "method": method, "plain": plain, "target_forgotten": target} for row in part]
    for target, samples_list in pooled.items():
        if len(samples_list) > 1:
            row = {**asdict(interval(_mean_of_defined(samples_list))), **_sizes(forget.filter("plain"))}
            names = {"method": ALL_METHODS, "plain": True, "target_forgotten": target}
            rows.append({**row, **names, "contrast": HIGH_MINUS_LOW})
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _mean_of_defined(samples: list[Array]) -> Array:
    """Return the mean over methods in each draw, of the methods that reach the target in that draw."""
    stacked = np.stack(samples)
    defined = np.isfinite(stacked)
    return ratio(np.where(defined, stacked, 0.0).sum(axis=0), defined.sum(axis=0).astype(np.float64))


def _sizes(facts: pl.DataFrame) -> dict[str, int]:
    return {**sample_sizes(facts), "n_runs": facts["run_id"].n_unique()}


def run_curves(
    run: str, facts: pl.DataFrame, utility: pl.DataFrame, resampler: Resampler
) -> tuple[Array, Array]:
    """Return one run's forgotten share and utility kept, each (1 + draws, steps), where both are scored."""
    mine, kept = facts.filter(pl.col("run_id") == run), utility.filter(pl.col("run_id") == run)
    steps = np.intersect1d(mine["step"].to_numpy(), kept["step"].to_numpy())
    mine, kept = mine.filter(pl.col("step").is_in(steps)), kept.filter(pl.col("step").is_in(steps))
    right = np.stack([mine["said"].to_numpy(), np.ones(mine.height)], axis=1)
    sums = resampler.sums(
        mine, np.searchsorted(steps, mine["step"].to_numpy()), right, len(steps), by_seed=False
    )
    forgotten = 1 - ratio(sums[..., 0], sums[..., 1])
    left = kept_by_draw(kept, resampler)[1] if kept.height else np.full_like(forgotten, np.nan)
    return forgotten, left


def loss_at(forgotten: Array, kept: Array, target: float) -> Array:
    """Return 1 − utility kept, shape (draws,), where forgetting (draws, steps) first reaches the target;
    NaN if never."""
    if forgotten.shape[1] < 2:
        return np.full(forgotten.shape[0], np.nan)
    reached = forgotten >= target
    at = np.maximum(reached.argmax(axis=1), 1)
    draw = np.arange(len(at))
    before, after = forgotten[draw, at - 1], forgotten[draw, at]
    weight = np.clip(np.nan_to_num(ratio(target - before, after - before), nan=1.0), 0.0, 1.0)
    value = (1 - weight) * kept[draw, at - 1] + weight * kept[draw, at]
    return np.where(reached.any(axis=1), 1 - value, np.nan)


def _by_level(
    facts: pl.DataFrame, curves: dict[str, tuple[Array, Array]], target: float, resampler: Resampler
) -> dict[int, tuple[dict[str, object], Array]]:
    out = {}
    for (exposure,), level in facts.group_by("exposure", maintain_order=True):
        labels = level.select("run_id", "seed_cluster").unique().sort("run_id")
        runs, seeds = labels["run_id"].to_list(), labels["seed_cluster"].to_list()
        losses = np.stack([loss_at(*curves[run], target) for run in runs], axis=1)
        weights = resampler.seed_weights[:, [resampler.seeds[seed] for seed in seeds]]
        weights = np.where(np.isfinite(losses) & np.isfinite(losses[0]), weights, 0.0)
        samples = ratio((weights * np.nan_to_num(losses)).sum(axis=1), weights.sum(axis=1))
        one = asdict(interval(samples))
        missed = int((~np.isfinite(losses[0])).sum())
        if one["value"] is None:
            one["reason"] = f"none of {len(runs)} runs forgot {target:.0%} of this level with utility scored"
        row = {**one, **_sizes(level), "exposure": exposure, "n_runs": len(runs), "n_not_reached": missed}
        out[int(str(exposure))] = (row, samples)
    return dict(sorted(out.items()))


def _difference(
    facts: pl.DataFrame, by_level: dict[int, tuple[dict[str, object], Array]]
) -> tuple[Array, dict[str, object]]:
    levels = list(by_level)
    samples = by_level[levels[-1]][1] - by_level[levels[0]][1]
    row: dict[str, object] = {**asdict(interval(samples)), "contrast": HIGH_MINUS_LOW}
    silent = [str(level) for level in (levels[0], levels[-1]) if by_level[level][0]["value"] is None]
    if silent:
        row["reason"] = f"no run reached the target at exposure {' and '.join(silent)}"
    ends = facts.filter(pl.col("exposure").is_in([levels[0], levels[-1]]))
    return samples, {**row, **_sizes(ends)}
