"""Matched comparisons: at equal steps, equal utility, equal forgetting and equal starting confidence."""

from typing import Any

import numpy as np
import polars as pl

from unequal.analysis.covariates import CONFIDENCE_BIN, confidence_bin
from unequal.analysis.observations import MIXED
from unequal.analysis.outcomes import EQUAL_STEPS, forgotten_at_utility
from unequal.analysis.stats.bootstrap import Array, Resampler, grouped_ratio, ratio
from unequal.analysis.stats.estimates import ESTIMATE, Schema, estimate
from unequal.analysis.utility.cost import loss_at, run_curves
from unequal.analysis.utility.retained import budget_steps, utility_by_run

FORGOTTEN, UTILITY_LOST = "forgotten share", "utility lost"
HIGH_MINUS_LOW = "forgotten share, highest − lowest level"
EQUAL_FORGETTING, EQUAL_CONFIDENCE = "equal forgetting (half)", "equal starting confidence (deciles)"
SCHEMA: Schema = {
    "comparison": pl.String,
    "measure": pl.String,
    "model": pl.String,
    "method": pl.String,
    "n_not_reached": pl.Int64,
    **ESTIMATE,
}


def at_equal_utility(forget: pl.DataFrame, utility: pl.DataFrame, budget: float) -> pl.DataFrame:
    """Return per run and fact ``forgotten`` in [0, 1], read where its utility has fallen by the budget."""
    return forgotten_at_utility(forget, budget_steps(utility_by_run(utility), budget), budget)


def at_equal_forgetting(
    forget: pl.DataFrame, utility: pl.DataFrame, resampler: Resampler, target: float = 0.5
) -> dict[str, Array]:
    """Return per run the utility lost where the target share is forgotten, (1 + draws,); NaN when never."""
    rows = forget.drop_nulls("said")
    runs = rows["run_id"].unique().sort().to_list()
    return {run: loss_at(*run_curves(run, rows, utility, resampler), target) for run in runs}


def at_equal_confidence(outcomes: pl.DataFrame) -> pl.DataFrame:
    """Return the outcomes of the lowest and highest level that match in the other, with their ``weight``.

    A match is a fact of the same base model whose starting log-probability lies in the same decile; weights
    give both levels the same mix of deciles within each base model and method.
    """
    scope = ["base", "method", "target_kind", "comparison"]
    exposure = pl.col("exposure")
    lowest, highest = exposure == exposure.min().over(scope), exposure == exposure.max().over(scope)
    placed = outcomes.drop_nulls("start_log_prob").with_columns(confidence_bin(), highest.alias("highest"))
    ends = placed.filter(pl.col("highest") | lowest)
    cell = [*scope, CONFIDENCE_BIN]
    paired = ends.filter(exposure.n_unique().over(cell) == 2)
    return paired.with_columns((pl.len().over(cell) / pl.len().over(*cell, "exposure")).alias("weight"))


def matched_comparisons(
    outcomes: pl.DataFrame, forget: pl.DataFrame, utility: pl.DataFrame, resampler: Resampler
) -> pl.DataFrame:
    """Return how the methods compare at equal steps, utility, forgetting and starting confidence, with 95%
    intervals.

    Of runs that mix levels, facts known before. At equal steps and utility more ``forgotten share`` is
    better; at equal forgetting less ``utility lost`` is, over the runs that forget half, the others counted;
    at equal starting confidence below 0 means that the highest level is harder for more than confidence.
    """
    outcomes = outcomes.filter(pl.col("target_kind") == MIXED)
    keys = ["comparison", "model", "method"]
    shares = grouped_ratio(resampler, outcomes, keys, "forgotten").with_columns(measure=pl.lit(FORGOTTEN))
    rows: list[dict[str, Any]] = []
    mixed = forget.filter(pl.col("target_kind") == MIXED)
    equal_steps = outcomes.filter(pl.col("comparison") == EQUAL_STEPS)
    for (model, method), part in mixed.group_by("model", "method", maintain_order=True):
        facts = equal_steps.filter((pl.col("model") == model) & (pl.col("method") == method))
        both = [_utility_cost(part, utility, resampler), _ends(at_equal_confidence(facts), resampler)]
        rows += [{**row, "model": model, "method": method} for row in both]
    others = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return pl.concat([others, shares], how="diagonal_relaxed").sort(
        "measure", "comparison", "model", "method"
    )


def _utility_cost(part: pl.DataFrame, utility: pl.DataFrame, resampler: Resampler) -> dict[str, Any]:
    losses = at_equal_forgetting(part, utility, resampler)
    clusters = dict(part.select("run_id", "seed_cluster").unique().iter_rows())
    seeds = [resampler.seeds[clusters[run]] for run in losses]
    stacked = np.stack(list(losses.values()), axis=1)
    reached = np.isfinite(stacked) & np.isfinite(stacked[0])
    weights = np.where(reached, resampler.seed_weights[:, seeds], 0.0)
    samples = ratio((weights * np.nan_to_num(stacked)).sum(axis=1), weights.sum(axis=1))
    missed = int((~np.isfinite(stacked[0])).sum())
    labels = {"comparison": EQUAL_FORGETTING, "measure": UTILITY_LOST, "n_not_reached": missed}
    return {**_row(part, samples, "no run forgot half with utility scored"), **labels}


def _ends(matched: pl.DataFrame, resampler: Resampler) -> dict[str, Any]:
    high = matched["highest"].to_numpy()
    weight, forgotten = matched["weight"].to_numpy(), matched["forgotten"].to_numpy()
    values = np.stack([weight, weight * forgotten], axis=1)
    sums = resampler.sums(matched, high.astype(np.int64), values, 2)
    means = ratio(sums[..., 1], sums[..., 0])
    labels = {"comparison": EQUAL_CONFIDENCE, "measure": HIGH_MINUS_LOW}
    reason = "no facts of the lowest and highest level start equally confident"
    return {**_row(matched, means[:, 1] - means[:, 0], reason), **labels}


def _row(part: pl.DataFrame, samples: Array, reason: str) -> dict[str, Any]:
    row = estimate(part, samples)
    return {**row, "reason": reason if row["value"] is None else row["reason"]}
