"""Utility kept: how much of the facts never unlearned survives per run, and at which step it falls."""

from dataclasses import replace

import numpy as np
import polars as pl

from unequal.analysis.observations import Observations
from unequal.analysis.stats.bootstrap import Array, Resampler, grouped_ratio, ratio

UTILITY_ROLES = ("utility", "neighbour")


def utility_rows(observations: Observations) -> pl.DataFrame:
    """Return one row per run, step and utility or neighbour fact: ``value`` now and ``start`` at step 0 (0
    or 1)."""
    rows = observations.pick("question", "said", UTILITY_ROLES)
    start = rows.filter(pl.col("step") == 0).select(
        "run_id", "role", "fact_id", pl.col("value").alias("start")
    )
    return rows.join(start, on=["run_id", "role", "fact_id"], how="inner", maintain_order="left")


def utility_by_run(rows: pl.DataFrame) -> pl.DataFrame:
    """Return per run and step the utility kept: 1 at step 0, lower is worse.

    Per role, right answers now over right answers at step 0 on the same facts; the roles count equally.
    """
    roles = rows.group_by("run_id", "step", "role").agg(
        pl.when(pl.col("start").sum() > 0).then(pl.col("value").sum() / pl.col("start").sum()).alias("kept")
    )
    return roles.group_by("run_id", "step").agg(pl.col("kept").mean().alias("utility")).sort("run_id", "step")


def utility_curves(rows: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return utility kept per model, method, target, step and role, with 95% interval."""
    keys = ["model", "method", "target_kind", "target", "step", "role"]
    return grouped_ratio(resampler, rows, keys, "value", "start")


def kept_by_draw(rows: pl.DataFrame, resampler: Resampler) -> tuple[Array, Array]:
    """Return one run's steps, and the utility kept there in the sample and in each draw of people.

    The latter is (1 + draws, steps); the roles count equally.
    """
    steps = rows["step"].unique().sort().to_numpy()
    roles = []
    for role in rows["role"].unique().sort():
        part = rows.filter(pl.col("role") == role)
        values = part.select("value", "start").to_numpy()
        at = np.searchsorted(steps, part["step"].to_numpy())
        sums = resampler.sums(part, at, values, len(steps), by_seed=False)
        roles.append(ratio(sums[..., 0], sums[..., 1]))
    return steps, np.mean(roles, axis=0) if roles else np.empty((resampler.draws + 1, 0))


def with_readings(resampler: Resampler, rows: pl.DataFrame, budgets: dict[str, float]) -> Resampler:
    """Return the resampler with where the utility of each draw falls by the budgets, by their comparisons."""
    readings = {}
    for (run,), part in rows.group_by("run_id", maintain_order=True):
        _, kept = kept_by_draw(part, resampler)
        for comparison, budget in budgets.items():
            readings[comparison, str(run)] = _place(kept, budget)
    return replace(resampler, readings={**resampler.readings, **readings})


def _place(kept: Array, budget: float) -> Array:
    """Return where utility (draws, steps) first falls by the budget, between evaluated steps counted from 0;
    the last one when it never does."""
    if kept.shape[1] < 2:
        return np.zeros(len(kept))
    below = kept <= 1 - budget
    at = below.argmax(axis=1)
    draw = np.arange(len(kept))
    before, after = kept[draw, np.maximum(at - 1, 0)], kept[draw, at]
    place = at - 1 + np.clip(np.nan_to_num(ratio(before - (1 - budget), before - after), nan=1.0), 0.0, 1.0)
    return np.asarray(np.where(below.any(axis=1) & (at > 0), place, kept.shape[1] - 1.0))


def budget_steps(utility: pl.DataFrame, budget: float) -> pl.DataFrame:
    """Return per run the two evaluated steps around the first fall of utility by ``budget``, and the later
    one's weight.

    Linear between evaluated steps; ``reached`` is False, and the last step is read, when utility never falls
    that far. ``steps`` are those at which the run's utility was scored.
    """
    rows = []
    for key, run in utility.drop_nulls("utility").sort("step").group_by("run_id", maintain_order=True):
        steps, kept = run["step"].to_numpy(), run["utility"].to_numpy()
        below = np.flatnonzero(kept <= 1 - budget)
        reached = len(below) > 0 and below[0] > 0
        at = int(below[0]) if reached else len(steps) - 1
        weight = 1.0
        if reached:
            weight = float((kept[at - 1] - (1 - budget)) / (kept[at - 1] - kept[at]))
        ends = int(steps[max(at - 1, 0)]), int(steps[at])
        rows.append((key[0], *ends, weight, bool(reached), steps.tolist()))
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "run_id": pl.String,
        "step_before": pl.Int64,
        "step_after": pl.Int64,
        "weight_after": pl.Float64,
        "reached": pl.Boolean,
        "steps": pl.List(pl.Int64),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")
