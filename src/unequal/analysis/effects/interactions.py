"""Interactions: the slope on exposure by size, family, method, wording, start and precision."""

from typing import Any

import numpy as np
import polars as pl

from unequal.analysis.effects.dose_response import NOTHING, slope_samples
from unequal.analysis.observations import MIXED
from unequal.analysis.stats.bootstrap import Array, Resampler, interval
from unequal.analysis.stats.estimates import ESTIMATE, Schema, estimate
from unequal.analysis.stats.holm import holm
from unequal.analysis.stats.least_squares import slope_within

FACTORS = {
    "size": "size",
    "family": "family",
    "wording arm": "wording",
    "start": "start",
    "precision": "precision",
    "method": "method",
}
CONFIDENCE = "starting log-probability"
SAME_FACTS = "same facts"
"""Added to a comparison's name: only the facts that models of every value of the factor knew before."""
BOTH_KNEW = "facts both knew"
"""Added to a comparison's name: of two values, only the facts that models of both knew before."""
SCHEMA: Schema = {
    "comparison": pl.String,
    "factor": pl.String,
    "value_of_factor": pl.String,
    "against": pl.String,
    "n_cells": pl.Int64,
    "slope": pl.Float64,
    "slope_low": pl.Float64,
    "slope_high": pl.Float64,
    "p_holm": pl.Float64,
    **ESTIMATE,
}


def interactions(outcomes: pl.DataFrame, runs: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return per factor and each of its values the slope of C1, and its distance from the others' mean.

    A cell is a method and model that are alike but for the factor; only cells that hold every value take
    part, and count equally, so that values are compared on the same methods and models. A second comparison
    of values that models differ in is made on the `SAME_FACTS`: equal starting knowledge. Many values may
    have few facts in common; each is also set beside the one that knew most, which ``against`` names (null
    for the mean of the others), on the facts that `BOTH_KNEW`. ``p_holm`` is corrected over the values of a
    factor in a comparison. The starting log-probability is no arm: its row has the change of
    the slope per standard deviation of it, within base models and methods.
    """
    chosen = outcomes.filter(pl.col("plain") & (pl.col("target_kind") == MIXED))
    names, corpus = _names(runs), [name for name in ("pretrain_seed",) if name in runs.columns]
    rows: list[dict[str, Any]] = []
    for (comparison,), own in chosen.group_by("comparison", maintain_order=True):
        labelled = _labelled(own, runs, corpus)
        rows.append({**_confidence(labelled, resampler), "comparison": comparison})
        for factor, column in FACTORS.items():
            if column not in names:
                continue
            others = [name for name in names if name != column]
            compared = {comparison: labelled}
            if factor != "method":  # all methods of a model begin with the same facts
                same = _known_by_all(labelled, column, [*others, *corpus])
                compared[f"{comparison}, {SAME_FACTS}"] = same
            for name, part in compared.items():
                found = _values(part, factor, others, resampler)
                rows += [{**row, "comparison": name} for row in found]
            if factor != "method":
                found = _two_by_two(labelled, factor, others, corpus, resampler)
                rows += [{**row, "comparison": f"{comparison}, {BOTH_KNEW}"} for row in found]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def complete_cells(outcomes: pl.DataFrame, runs: pl.DataFrame, column: str) -> tuple[pl.DataFrame, list[str]]:
    """Return the rows of cells that hold every value of a factor's column, and what a cell is alike in.

    Without rows where the factor has fewer than two values.
    """
    names = _names(runs)
    others = [name for name in names if name != column]
    if column not in names:
        return outcomes.clear().with_columns(pl.lit("").alias(column)), others
    labelled = _labelled(outcomes, runs, [])
    n_values = labelled[column].n_unique()
    return labelled.filter((pl.col(column).n_unique().over(others) == n_values) & (n_values > 1)), others


def _names(runs: pl.DataFrame) -> list[str]:
    return [name for name in FACTORS.values() if name in runs.columns]


def _labelled(outcomes: pl.DataFrame, runs: pl.DataFrame, corpus: list[str]) -> pl.DataFrame:
    """Return the outcomes with the values of the factors of their runs."""
    factors = [pl.col(name).fill_null("") for name in _names(runs)]
    labels = runs.select("run_id", "n_params", *corpus, *factors)
    return outcomes.drop("method").join(labels, on="run_id", how="left", maintain_order="left")


def _known_by_all(labelled: pl.DataFrame, column: str, alike: list[str]) -> pl.DataFrame:
    """Return the rows of facts that, in what is alike, have rows of every value."""
    n_values = labelled[column].n_unique()
    return labelled.filter(pl.col(column).n_unique().over(*alike, "fact_id") == n_values)


def _two_by_two(
    labelled: pl.DataFrame, factor: str, others: list[str], corpus: list[str], resampler: Resampler
) -> list[dict[str, Any]]:
    """Return each value's slope less the slope of the value that knew most, where there are more than two."""
    column = FACTORS[factor]
    n_known = labelled.group_by(column).agg(pl.struct(*others, *corpus, "fact_id").n_unique().alias("n"))
    *values, best = n_known.sort("n", column)[column].to_list()
    rows = []
    for value in values if len(values) > 1 else ():
        pair = labelled.filter(pl.col(column).is_in([value, best]))
        found = _values(_known_by_all(pair, column, [*others, *corpus]), factor, others, resampler)
        rows += [{**row, "against": best} for row in found if row["value_of_factor"] == value]
    return holm(rows)


def _values(part: pl.DataFrame, factor: str, others: list[str], resampler: Resampler) -> list[dict[str, Any]]:
    column = FACTORS[factor]
    values = part.group_by(column).agg(pl.col("n_params").mean()).sort("n_params", column)[column].to_list()
    complete = part.filter(pl.col(column).n_unique().over(others) == len(values))
    if len(values) < 2 or complete.is_empty():
        return []
    slopes = {
        value: _mean_slope(complete.filter(pl.col(column) == value), others, resampler) for value in values
    }
    rows = []
    for value in values:
        rest = np.mean([slopes[other] for other in values if other != value], axis=0)
        rows.append(
            _row(complete.filter(pl.col(column) == value), factor, value, slopes[value], rest, others)
        )
    return holm(rows)


def _mean_slope(part: pl.DataFrame, others: list[str], resampler: Resampler) -> Array:
    cells = part.sort(*others, "run_id", "fact_id").group_by(others, maintain_order=True)
    return np.asarray(np.mean([slope_samples(cell, NOTHING, resampler) for _, cell in cells], axis=0))


def _row(
    part: pl.DataFrame, factor: str, value: str, slope: Array, rest: Array, others: list[str]
) -> dict[str, Any]:
    own = interval(slope)
    return {
        **estimate(part, slope - rest),
        "factor": factor,
        "value_of_factor": value,
        "n_cells": part.select(pl.struct(others).n_unique()).item(),
        "slope": own.value,
        "slope_low": own.low,
        "slope_high": own.high,
    }


def _confidence(part: pl.DataFrame, resampler: Resampler) -> dict[str, Any]:
    """Return the change of the slope per standard deviation of starting log-probability."""
    facts = part.drop_nulls(["start_log_prob", "log2_exposure"])
    dose, start = pl.col("log2_exposure"), pl.col("start_log_prob")
    centred = [dose - dose.mean(), (start - start.mean()) / start.std()]
    facts = facts.with_columns(centred).with_columns((dose * start).alias("together"))
    facts = facts.filter(pl.col("together").is_finite())
    columns = ["log2_exposure", "start_log_prob"]
    samples = slope_within(facts, "together", "forgotten", columns, ["base", "method"], resampler)
    row = estimate(facts, samples)
    return {**row, "factor": CONFIDENCE, "p_holm": row["p"]}
