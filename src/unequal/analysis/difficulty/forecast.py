"""Forecasts for new facts: steps to forget, utility lost, the recommended method, and its step budget."""

import numpy as np
import polars as pl
from scipy.special import expit

from unequal.analysis.difficulty.predictor import MethodDifficulty, Predictor
from unequal.analysis.difficulty.regression import Fit, outside
from unequal.analysis.difficulty.rows import COUNT
from unequal.analysis.stats.estimates import Schema

ENDS = ("steps", "steps_low", "steps_high")
LOST_ENDS = ("utility_lost", "utility_lost_low", "utility_lost_high")
NUMBERS = ("log2_steps", *ENDS, *LOST_ENDS)
BUDGETS: Schema = {
    "method": pl.String, "n_facts": pl.Int64, "steps": pl.Int64, "share_forgotten": pl.Float64,
    "utility_lost": pl.Float64, "reason": pl.String,
}  # fmt: skip


def predict(predictor: Predictor, features: pl.DataFrame, extrapolate: bool = False) -> pl.DataFrame:
    """Return one row per fact and plain method: predicted steps and utility lost, and what is recommended.

    ``steps`` is the median after which a fact stays forgotten, ``steps_low`` and ``steps_high`` the ends of
    its 90% prediction interval; null where they lie beyond ``last_step``, the last that the study evaluated.
    ``utility_lost`` is what the run has lost by then. A fact that is not known, lacks a feature or, unless
    ``extrapolate``, lies outside what was fitted has a reason and no numbers. ``recommended`` marks, for each
    fact, the method that is expected to forget it within its steps at the least loss.
    """
    methods = [one for one in predictor.methods if one.plain] or list(predictor.methods)
    rows = pl.concat([_of_method(one, features, extrapolate) for one in methods])
    order = ["utility_lost", "steps", "method"]
    best = rows.drop_nulls("steps").sort(order, nulls_last=True).unique("fact_id", keep="first")
    marked = best.select("fact_id", "method", pl.lit(True).alias("recommended"))
    rows = rows.join(marked, on=["fact_id", "method"], how="left", maintain_order="left")
    return rows.with_columns(pl.col("recommended").fill_null(False))


def _of_method(method: MethodDifficulty, features: pl.DataFrame, extrapolate: bool) -> pl.DataFrame:
    rows = features.with_row_index("place")
    counted = rows[COUNT].is_not_null() & (method.with_count is not None)
    parts = [
        _of_fit(fit, rows.filter(chosen), method.last_step, extrapolate).with_columns(with_count=name)
        for name, fit, chosen in (
            (pl.lit(True), method.with_count, counted),
            (pl.lit(False), method.without_count, ~counted),
        )
        if fit is not None and chosen.any()
    ]
    return pl.concat(parts).sort("place").drop("place").with_columns(method=pl.lit(method.method))


def _of_fit(fit: Fit, rows: pl.DataFrame, last_step: int, extrapolate: bool) -> pl.DataFrame:
    rows = rows.with_columns(
        *_numbers(fit, rows, last_step),
        pl.Series("reason", _reasons(fit, rows, extrapolate), dtype=pl.String),
        last_step=pl.lit(last_step),
        spread=pl.lit(fit.spread),
    )
    unexplained = pl.col("reason").is_null()
    rows = rows.with_columns(pl.when(unexplained).then(name).alias(name) for name in NUMBERS)
    late = pl.format("half of such facts are still right after {} steps, the last evaluated", "last_step")
    too_late = unexplained & pl.col("steps").is_null()
    return rows.with_columns(pl.when(too_late).then(late).otherwise("reason").alias("reason"))


def _numbers(fit: Fit, rows: pl.DataFrame, last_step: int) -> list[pl.Series]:
    """Return the columns `NUMBERS`; steps beyond the last evaluated one, and the loss by then, are null."""
    design = np.nan_to_num(fit.design(rows))
    steps = fit.steps.ends(design)
    lost = fit.lost.ends(design) if fit.lost else [np.full(rows.height, np.nan)] * len(LOST_ENDS)
    within = [np.where(np.exp2(end) <= last_step, np.exp2(end), np.nan) for end in steps]
    within[1] = np.minimum(np.exp2(steps[1]), last_step)
    by_then = [np.where(np.isfinite(within[0]), end, np.nan) for end in lost]
    columns = zip(NUMBERS, [steps[0], *within, *by_then], strict=True)
    return [pl.Series(name, values).fill_nan(None) for name, values in columns]


def _reasons(fit: Fit, rows: pl.DataFrame, extrapolate: bool) -> list[str | None]:
    """Return why a fact has no prediction, None where it has one."""
    far: list[list[str]] = [[] for _ in range(rows.height)] if extrapolate else outside(fit, rows)
    reasons: list[str | None] = []
    for row, beyond in zip(rows.to_dicts(), far, strict=True):
        lacking = [column.name for column in fit.columns if row[column.name] is None]
        if not row["known"]:
            reasons.append("not known before: the greedy answer is wrong, there is nothing to forget")
        elif lacking:
            reasons.append(f"lacks {', '.join(lacking)}")
        else:
            reasons.append(f"outside what was fitted: {'; '.join(beyond)}" if beyond else None)
    return reasons


def budgets(predictor: Predictor, plan: pl.DataFrame, share: float) -> pl.DataFrame:
    """Return per method the steps after which a share (0–1) of the facts is expected to be forgotten.

    ``utility_lost`` is the mean of the study's runs after so many steps; ``recommended`` marks the method
    with the least. Null steps mean that the share is not reached by the last step, as ``reason`` says.
    """
    rows: list[dict[str, object]] = []
    for method in predictor.methods:
        facts = plan.filter((pl.col("method") == method.method) & pl.col("log2_steps").is_not_null())
        if facts.is_empty():
            continue
        steps = np.arange(1, method.last_step + 1)
        z = (np.log2(steps)[:, None] - facts["log2_steps"].to_numpy()) / facts["spread"].to_numpy()
        shares = expit(z).mean(axis=1)
        reached = np.flatnonzero(shares >= share)
        at = int(reached[0]) if len(reached) else len(steps) - 1
        budget = int(steps[at]) if len(reached) else None
        last = f"{method.last_step} steps, the last evaluated"
        late = f"{shares[at]:.0%} are expected to be forgotten after {last}"
        rows.append(
            {
                "method": method.method, "n_facts": facts.height, "steps": budget,
                "share_forgotten": float(shares[at]),
                "utility_lost": None if budget is None else method.lost_at(budget),
                "reason": None if budget else late,
            }
        )  # fmt: skip
    table = pl.DataFrame(rows, schema=BUDGETS, orient="row")
    best = table.drop_nulls("steps").sort("utility_lost", "steps", nulls_last=True)["method"].head(1)
    return table.with_columns(recommended=pl.col("method").is_in(best.to_list()))
