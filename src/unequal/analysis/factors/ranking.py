"""Ranking of factors: the effect of each on forgetting, and the variance it explains."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from unequal.analysis.claims import LEVEL_OF_TEST, SHARE_MATTERS
from unequal.analysis.effects.dose_response import ALL_METHODS, NOTHING, START
from unequal.analysis.factors.between_models import FEW, Models
from unequal.analysis.factors.rows import (
    TITLES,
    Term,
    crossed,
    known_rows,
    terms_of,
    too_little_known,
    with_levels,
)
from unequal.analysis.observations import MIXED, Observations
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.analysis.stats.bootstrap import Resampler
from unequal.analysis.stats.estimates import ESTIMATE, Schema, estimate, wider
from unequal.analysis.stats.explained import Regression, explained, explained_between, regress
from unequal.analysis.stats.holm import holm
from unequal.analysis.stats.least_squares import stratum_numbers
from unequal.evaluation.score_table import OPTIONAL_SCORES

FORGOTTEN, KNOWN = "forgotten share", "known before"
TOGETHER = "all factors together"
MATTERS, DOES_NOT_MATTER, OPEN, EXCLUDED = "matters", "does not matter", "open", "excluded"
ALIASED = "its levels come only together with those of other factors"
SCHEMA: Schema = {
    "outcome": pl.String,
    "comparison": pl.String,
    "method": pl.String,
    "adjusted_for": pl.String,
    "factor": pl.String,
    "title": pl.String,
    "low_level": pl.String,
    "high_level": pl.String,
    "verdict": pl.String,
    "share": pl.Float64,
    "share_low": pl.Float64,
    "share_high": pl.Float64,
    "rank": pl.Int64,
    "p_holm": pl.Float64,
    **ESTIMATE,
}


def factor_effects(
    outcomes: pl.DataFrame, observations: Observations, factors: pl.DataFrame | None, resampler: Resampler
) -> pl.DataFrame:
    """Return per outcome, comparison, method, adjustment and factor the effect and the explained variance.

    ``value`` is the change of the forgotten share, or of the share known before, from the factor's low level
    to its high one, all other factors held equal; ``share`` is what it explains of the variance among facts
    of one relation, corpus and seed (`explained`), and ``rank`` its place by that. The forgotten share of a
    fact is the mean over the plain methods, or by one method. ``p_holm`` is corrected over the factors.
    """
    if factors is None:
        return pl.DataFrame(schema=SCHEMA)
    names, known = crossed(factors), known_rows(observations, factors)
    chosen = outcomes.filter(pl.col("plain") & (pl.col("target_kind") == MIXED))
    rows = with_levels(chosen, observations.runs, factors)
    found: list[dict[str, Any]] = []
    for (comparison,), part in rows.group_by("comparison", maintain_order=True):
        labels = {"outcome": FORGOTTEN, "comparison": comparison}
        for method, facts in _by_method(part, str(comparison)):
            for adjusted_for in (NOTHING, START):
                one = _fitted(facts, "forgotten", adjusted_for, names, known, resampler)
                found += [{**labels, "method": method, "adjusted_for": adjusted_for, **row} for row in one]
    for row in _fitted(known, "known", NOTHING, names, None, resampler):
        found.append({"outcome": KNOWN, "method": ALL_METHODS, "adjusted_for": NOTHING, **row})
    return pl.DataFrame(found, schema=SCHEMA, orient="row")


def _by_method(part: pl.DataFrame, comparison: str) -> list[tuple[str, pl.DataFrame]]:
    """Return the facts with their mean over methods, and at equal steps with each method's own outcome."""
    methods = part["method"].unique().sort().to_list()
    if len(methods) < 2:
        return [(str(methods[0]), part)]
    kept = [name for name in part.columns if name not in ("method", "run_id", "forgotten")]
    fact = ["base", "seed_cluster", "target", "fact_id"]
    whole = part.filter(pl.col("method").n_unique().over(fact) == len(methods))
    others = [pl.col(name).first() for name in kept if name not in fact]
    mean = whole.sort("run_id").group_by(fact).agg(pl.col("forgotten").mean(), *others).sort(fact)
    apart = (
        part.partition_by("method", as_dict=True, maintain_order=True) if comparison == EQUAL_STEPS else {}
    )
    return [(ALL_METHODS, mean), *((str(method), apart[method,]) for method in methods if (method,) in apart)]


def _fitted(
    rows: pl.DataFrame,
    outcome: str,
    adjusted_for: str,
    names: Sequence[str],
    known: pl.DataFrame | None,
    resampler: Resampler,
) -> list[dict[str, Any]]:
    """Return a row a factor, those that explain most first, then what all explain together."""
    covariates = ["start_log_prob"] if adjusted_for == START else []
    rows = rows.drop_nulls([outcome, "log2_exposure", *covariates])
    if rows.is_empty():
        return []
    rows, terms = terms_of(rows, names)
    reasons = {term: why for term in terms if known is not None and (why := too_little_known(known, term))}
    used = [term for term in terms if term not in reasons]
    columns = [*covariates, *(column for term in used for column in term.columns)]
    strata = ["relation", "seed_cluster", *[name for name in OPTIONAL_SCORES if name in rows.columns]]
    values = rows.select(outcome, *columns).to_numpy().astype(np.float64)
    values -= values.mean(axis=0)
    clusters = stratum_numbers(rows, ["person", "pretrain_seed"])
    fit = regress(rows, values, stratum_numbers(rows, strata), clusters, resampler)
    model_columns = [columns.index(name) for term in used if term.of_models for name in term.columns]
    models = Models(rows, values, fit, model_columns)
    found = []
    for term in used:
        places = [columns.index(column) for column in term.columns]
        row = {**_labels(term), **_together(rows, fit, places)}
        if len(places) == 1:
            row |= estimate(rows, fit.slopes[:, places[0]])
            row |= {"reason": ALIASED} if row["value"] is None else {}
            row |= wider(row, *models.scatter(places[0]), FEW) if term.of_models else {}
            row |= _share_of_effect(fit, places[0], row)
        found.append(row)
    found = holm(sorted(found, key=lambda row: -(row["share"] or 0)))
    ranked = [
        {**row, "rank": place, "verdict": matters(row["low"], row["high"], row["p_holm"])}
        for place, row in enumerate(found, start=1)
    ]
    missing = [
        {**_labels(term), **estimate(rows, np.array([np.nan])), "verdict": EXCLUDED, "reason": why}
        for term, why in reasons.items()
    ]
    every = [columns.index(column) for term in used for column in term.columns]
    return [*ranked, *missing, {**_together(rows, fit, every), "factor": TOGETHER, "title": TOGETHER}]


def _labels(term: Term) -> dict[str, Any]:
    return {
        "factor": term.factor,
        "title": TITLES[term.factor],
        "low_level": term.low,
        "high_level": term.high,
    }


def _share_of_effect(fit: Regression, place: int, row: dict[str, Any]) -> dict[str, Any]:
    """Return the interval of the share that follows from the effect's; none without one."""
    if row["low"] is None or not fit.varies:
        return {"share_low": None, "share_high": None}
    low, high = explained_between(fit, place, row["low"], row["high"])
    return {"share_low": low, "share_high": high}


def _together(rows: pl.DataFrame, fit: Regression, places: list[int]) -> dict[str, Any]:
    """Return what several columns explain, and its p; they have no single effect."""
    share = explained(fit, places)
    ends = {"share": share.share, "share_low": share.low, "share_high": share.high}
    reason = "several unordered levels have no single effect"
    return {**estimate(rows, np.array([np.nan])), **ends, "p": share.p, "reason": reason}


def matters(low: float | None, high: float | None, p_holm: float | None) -> str:
    """Return whether a factor matters, by the rule of docs/claims.md: the band is asked first."""
    if low is not None and high is not None and low > -SHARE_MATTERS and high < SHARE_MATTERS:
        return DOES_NOT_MATTER
    return MATTERS if p_holm is not None and p_holm < LEVEL_OF_TEST else OPEN
