"""Forgetting order: whether generation or probability first finds a fact forgotten, and how much earlier."""

import numpy as np
import polars as pl

from unequal.analysis.agreement.knowledge_tests import CHOICE, GENERATION, IGNORANCE, PLAIN
from unequal.analysis.effects.pooled import ALL_METHODS, with_all_methods
from unequal.analysis.stats.bootstrap import (
    Array,
    Resampler,
    group_intervals,
    index_groups,
    open_interval,
    ratio,
)

ORDERS = ("generation first", "same step", "probability first", "neither")
GAPS = {"gap_evaluated": "median gap in evaluated steps", "gap_steps": "median gap in steps"}
KEYS = ["model", "method", "test", "exposure", "run_id"]


def first_said(judgements: pl.DataFrame) -> pl.DataFrame:
    """Return per run, fact and probability test which view first finds the fact forgotten, and the gap.

    Of facts that both called known at step 0, at steps at which both were scored. The gap is probability's
    first step minus generation's, counted in evaluated steps and in steps: above 0, generation said it
    earlier. It is infinite when only one of them says it by the last step, and null when neither does.
    """
    rows = judgements.filter((pl.col("role") == "forget") & (pl.col("attack") == PLAIN))
    key = ["run_id", "step", "fact_id"]
    generation = rows.filter(pl.col("test") == GENERATION).drop("test")
    others = rows.filter(pl.col("test").is_in([CHOICE, IGNORANCE])).drop_nulls("forgotten")
    pairs = generation.join(others.select(*key, "test", probability="forgotten"), on=key, how="inner")
    known = pairs.filter((pl.col("step") == 0) & (pl.col("forgotten") == 0) & (pl.col("probability") == 0))
    pairs = pairs.filter(pl.col("step") >= 1).join(known, on=["run_id", "fact_id", "test"], how="semi")
    evaluated = pl.col("step").rank("dense").over("run_id", "test").cast(pl.Int64)
    labels = ["run_id", "model", "method", "plain", "test", "exposure", "fact_id", "person", "seed_cluster"]
    firsts = (
        pairs.with_columns(evaluated.alias("evaluated"))
        .group_by(labels)
        .agg(
            _first("evaluated", "forgotten").alias("generation"),
            _first("evaluated", "probability").alias("probability"),
            _first("step", "forgotten").alias("generation_step"),
            _first("step", "probability").alias("probability_step"),
        )
    )
    return firsts.with_columns(
        _gap("generation", "probability").alias("gap_evaluated"),
        _gap("generation_step", "probability_step").alias("gap_steps"),
    ).sort("run_id", "test", "fact_id")


def _first(column: str, said: str) -> pl.Expr:
    return pl.col(column).filter(pl.col(said) == 1).min()


def _gap(generation: str, probability: str) -> pl.Expr:
    return (
        pl.when(pl.col(generation).is_null() & pl.col(probability).is_null())
        .then(None)
        .when(pl.col(probability).is_null())
        .then(float("inf"))
        .when(pl.col(generation).is_null())
        .then(float("-inf"))
        .otherwise((pl.col(probability) - pl.col(generation)).cast(pl.Float64))
    )


def signature(judgements: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return per model, method and probability test, over all, by level and by run, the shares and median
    gaps.

    ``measure`` is one of `ORDERS` (shares of the facts that sum to 1) or of the two gaps; ``exposure`` and
    ``run_id`` are null over all. Tests: ``choice_accuracy``, ``answer_prob`` (at or below never-seen). A
    median beyond the last step is null with a reason; facts that neither forgets are excluded.
    Intervals of single runs cover people only.
    """
    facts = with_all_methods(first_said(judgements))
    over_runs = facts.with_columns(pl.lit(None, pl.String).alias("run_id"))
    over_all = over_runs.with_columns(pl.lit(None, pl.Int64).alias("exposure"))
    runs = facts.filter(pl.col("method") != ALL_METHODS)
    runs = runs.with_columns(pl.lit(None, pl.Int64).alias("exposure"))
    scopes = [(pl.concat([over_all, over_runs]), True), (runs, False)]
    parts = [part for rows, by_seed in scopes for part in _measures(rows, resampler, by_seed)]
    return pl.concat(parts).sort(*KEYS, nulls_last=False, maintain_order=True)


def _measures(facts: pl.DataFrame, resampler: Resampler, by_seed: bool) -> list[pl.DataFrame]:
    shares = _shares(facts, resampler, by_seed)
    said = facts.drop_nulls("gap_steps")
    gaps = [_median(said, column, resampler, by_seed) for column in GAPS]
    return [*shares, *gaps]


def _shares(facts: pl.DataFrame, resampler: Resampler, by_seed: bool) -> list[pl.DataFrame]:
    table, groups = index_groups(facts, KEYS)
    gap = facts["gap_steps"].fill_null(np.nan).to_numpy()
    orders = np.stack([gap > 0, gap == 0, gap < 0, np.isnan(gap)], axis=1).astype(np.float64)
    sums = resampler.sums(facts, groups, orders, table.height, by_seed)
    shares = ratio(sums, sums.sum(axis=-1, keepdims=True))
    return [
        _named(table, group_intervals(shares[..., index]), measure) for index, measure in enumerate(ORDERS)
    ]


def _median(facts: pl.DataFrame, column: str, resampler: Resampler, by_seed: bool) -> pl.DataFrame:
    table, groups = index_groups(facts, KEYS)
    gaps, place = np.unique(facts[column].to_numpy(), return_inverse=True)
    sums = resampler.sums(facts, groups, np.eye(len(gaps))[place], table.height, by_seed)
    found = _intervals(_lower_medians(sums, gaps))
    return _named(table, found, GAPS[column])


def _lower_medians(sums: Array, gaps: Array) -> Array:
    """Return the smallest gap that half of the weight does not exceed; NaN in a draw without weight."""
    if not len(gaps):
        return np.full(sums.shape[:2], np.nan)
    below = np.cumsum(sums, axis=-1)
    reached = below >= below[..., -1:] / 2 - 1e-9
    return np.where(below[..., -1] > 0, gaps[reached.argmax(axis=-1)], np.nan)


def _intervals(samples: Array) -> pl.DataFrame:
    rows = []
    for group in samples.T:
        value, low, high = open_interval(group)
        rows.append((value, low, high, _reason(float(group[0]), low, high)))
    schema = {"value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "reason": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _reason(value: float, low: float | None, high: float | None) -> str | None:
    if value == np.inf:
        return "probability does not say it by the last step for half of the facts"
    if value == -np.inf:
        return "generation does not say it by the last step for half of the facts"
    return "an end of the interval lies beyond the last step" if None in (low, high) else None


def _named(table: pl.DataFrame, found: pl.DataFrame, measure: str) -> pl.DataFrame:
    labelled = table.with_columns(pl.lit(measure).alias("measure"))
    return pl.concat([labelled, found], how="horizontal")
