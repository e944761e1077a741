"""Utility kept: how much of what was never unlearned survives, per run and step, and where it has fallen by
a budget."""

import numpy as np
import polars as pl

from unequal.analysis.bootstrap import Resampler, grouped_ratio
from unequal.analysis.observations import Observations

UTILITY_ROLES = ("utility", "neighbour")


def utility_rows(observations: Observations) -> pl.DataFrame:
    """Return one row per run, step and utility or neighbour fact: ``value`` now and ``start`` at step 0 (0
    or 1)."""
    rows = observations.pick("question", "exact_match", UTILITY_ROLES)
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


def utility_curves(resampler: Resampler, rows: pl.DataFrame) -> pl.DataFrame:
    """Return utility kept per model, method, target, step and role, with 95% interval."""
    keys = ["model", "method", "target_kind", "target", "step", "role"]
    return grouped_ratio(resampler, rows, keys, "value", "start")


def budget_steps(utility: pl.DataFrame, budget: float) -> pl.DataFrame:
    """Return per run the two evaluated steps around the first fall of utility by ``budget``, and the later
    one's weight.

    Linear in log2(1 + step) between evaluated steps; ``reached`` is False, and the last step is read, when
    utility never falls that far.
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
        rows.append((key[0], int(steps[max(at - 1, 0)]), int(steps[at]), weight, bool(reached)))
    schema = {
        "run_id": pl.String,
        "step_before": pl.Int64,
        "step_after": pl.Int64,
        "weight_after": pl.Float64,
        "reached": pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")
