"""Dose-response: slopes of forgetting on exposure or count, within base models."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from unequal.analysis.covariates import ANSWER_TOKENS, CONFIDENCE_BIN, OBJECT_RARITY, confidence_bin
from unequal.analysis.effects.pooled import ALL_METHODS as ALL_METHODS
from unequal.analysis.effects.pooled import ALL_MODELS as ALL_MODELS
from unequal.analysis.effects.pooled import mean_of_cells
from unequal.analysis.stats.bootstrap import Array, Resampler, grouped_ratio
from unequal.analysis.stats.estimates import ESTIMATE, Schema, estimate
from unequal.analysis.stats.holm import holm
from unequal.analysis.stats.least_squares import slope_within

NOTHING, START, START_RELATION = (
    "nothing",
    "starting log-probability",
    "starting log-probability and relation",
)
MATCHED = "equal starting log-probability (matched in deciles)"
ANSWER = "relation, answer tokens and object rarity"
EVERYTHING = "starting log-probability, relation, answer tokens and object rarity"
EXPOSURE, PLUS_ONE, COUNT = "log2(exposure)", "log2(1 + exposure)", "log10(1 + count)"
DOSES = {
    EXPOSURE: pl.col("log2_exposure"),
    PLUS_ONE: (1 + pl.lit(2.0).pow(pl.col("log2_exposure"))).log(2),
    COUNT: (1 + pl.col("count")).log10(),
}


@dataclass(frozen=True)
class Adjustment:
    """What a slope holds equal: strata with an intercept each, and covariates that are linear within them."""

    strata: tuple[str, ...] = ("base",)
    covariates: tuple[str, ...] = ()


ADJUSTMENTS = {
    NOTHING: Adjustment(),
    START: Adjustment(covariates=("start_log_prob",)),
    START_RELATION: Adjustment(("base", "relation"), ("start_log_prob",)),
    MATCHED: Adjustment(("base", CONFIDENCE_BIN)),
    ANSWER: Adjustment(("base", "relation"), (ANSWER_TOKENS, OBJECT_RARITY)),
    EVERYTHING: Adjustment(("base", "relation"), ("start_log_prob", ANSWER_TOKENS, OBJECT_RARITY)),
}

SLOPE_SCHEMA: Schema = {
    "model": pl.String,
    "method": pl.String,
    "plain": pl.Boolean,
    "target_kind": pl.String,
    "comparison": pl.String,
    "dose": pl.String,
    "adjusted_for": pl.String,
    "n_levels": pl.Int64,
    "p_holm": pl.Float64,
    **ESTIMATE,
}


def dose_levels(outcomes: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return the mean forgotten share per model, method, comparison and level, with 95% interval.

    All methods together are the mean of the plain ones, all models together the mean of the models, each
    method of each model counting equally.
    """
    keys = ["model", "method", "target_kind", "comparison", "exposure"]
    found = [grouped_ratio(resampler, outcomes, keys, "forgotten")]
    plain = outcomes.filter("plain")
    scopes = [outcomes]
    if outcomes["model"].n_unique() > 1:
        together = pl.lit(ALL_MODELS).alias("model")
        numbered = outcomes.with_columns(pl.col("model").alias("cell"))
        found.append(mean_of_cells(resampler, numbered.with_columns(together), ["cell"], keys))
        scopes.append(outcomes.with_columns(together))
    if plain["method"].n_unique() > 1:
        for scope in scopes:
            cells = scope.with_columns(outcomes.select(cell=pl.concat_str("model", "method", separator=" ")))
            methods = cells.filter("plain").with_columns(pl.lit(ALL_METHODS).alias("method"))
            found.append(mean_of_cells(resampler, methods, ["cell"], keys))
    return pl.concat(found, how="vertical_relaxed")


def dose_slopes(outcomes: pl.DataFrame, resampler: Resampler, dose: str = EXPOSURE) -> pl.DataFrame:
    """Return the slope per method and for all methods together: forgotten share per unit of the dose.

    The unit is a doubling of exposure or a tenfold count; below 0 means that what was seen more often is
    forgotten less. Least squares within strata (`ADJUSTMENTS`), intervals by cluster bootstrap; ``p_holm`` is
    corrected over the methods of one scope, ``detectable`` is the smallest slope that a study of this
    standard error finds in 80% of cases at 5%.
    """
    rows: list[dict[str, object]] = []
    models = outcomes["model"].unique().sort().to_list()
    scopes = {**({ALL_MODELS: models} if len(models) > 1 else {}), **{model: [model] for model in models}}
    for scope, members in scopes.items():
        chosen = outcomes.filter(pl.col("model").is_in(members))
        for (kind, comparison), part in chosen.group_by("target_kind", "comparison", maintain_order=True):
            labels = {"model": scope, "target_kind": kind, "comparison": comparison, "dose": dose}
            for adjusted_for in ADJUSTMENTS:
                rows += [{**labels, **row} for row in _method_slopes(part, adjusted_for, resampler, dose)]
    return pl.DataFrame(rows, schema=SLOPE_SCHEMA, orient="row")


def _method_slopes(
    part: pl.DataFrame, adjusted_for: str, resampler: Resampler, dose: str
) -> list[dict[str, object]]:
    rows, pooled = [], []
    for (method,), facts in part.group_by("method", maintain_order=True):
        samples = slope_samples(facts, adjusted_for, resampler, dose)
        plain = bool(facts["plain"][0])
        pooled += [samples] if plain else []
        rows.append({**_row(facts, samples, adjusted_for, dose), "method": method, "plain": plain})
    rows = holm(rows)
    if len(pooled) > 1:
        row = _row(part.filter("plain"), np.mean(pooled, axis=0), adjusted_for, dose)
        rows.append({**row, "method": ALL_METHODS, "plain": True})
    return rows


def _row(facts: pl.DataFrame, samples: Array, adjusted_for: str, dose: str) -> dict[str, object]:
    n_levels = facts.select(DOSES[dose].n_unique()).item()
    row = estimate(facts, samples)
    if n_levels < 2:
        row["reason"] = "fewer than two levels with facts known before"
    elif empty := [name for name in ADJUSTMENTS[adjusted_for].covariates if facts[name].is_null().all()]:
        row["reason"] = f"{' and '.join(empty)} not in these scores"
    return {**row, "n_levels": n_levels, "adjusted_for": adjusted_for}


def slope_samples(
    facts: pl.DataFrame, adjusted_for: str, resampler: Resampler, dose: str = EXPOSURE
) -> Array:
    """Return the slope of ``forgotten`` on the dose in the sample and in each draw, shape (1 + draws,)."""
    adjustment = ADJUSTMENTS[adjusted_for]
    facts = facts.with_columns(DOSES[dose].alias("dose"))
    if CONFIDENCE_BIN in adjustment.strata:
        facts = facts.drop_nulls("start_log_prob").with_columns(confidence_bin())
    return slope_within(facts, "dose", "forgotten", adjustment.covariates, adjustment.strata, resampler)
