"""Dose-response: the slope of forgetting on log2(exposure), within base models, at equal steps and equal
utility."""

from dataclasses import asdict

import numpy as np
import polars as pl

from unequal.analysis.bootstrap import Array, Resampler, grouped_ratio, interval, ratio

ALL_METHODS, ALL_MODELS = "all methods", "all models"
NOTHING, START, START_RELATION = (
    "nothing",
    "starting log-probability",
    "starting log-probability and relation",
)
ADJUSTMENTS = {NOTHING: ["base"], START: ["base"], START_RELATION: ["base", "relation"]}

SLOPE_SCHEMA: dict[str, type[pl.DataType]] = {
    "model": pl.String,
    "method": pl.String,
    "plain": pl.Boolean,
    "target_kind": pl.String,
    "comparison": pl.String,
    "adjusted_for": pl.String,
    "n_facts": pl.Int64,
    "n_people": pl.Int64,
    "n_seeds": pl.Int64,
    "n_levels": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "reason": pl.String,
}


def dose_levels(outcomes: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return the mean forgotten share per model, method, comparison and level, with 95% interval."""
    keys = ["model", "method", "target_kind", "comparison", "exposure"]
    return grouped_ratio(resampler, outcomes, keys, "forgotten")


def dose_slopes(outcomes: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return the slope per method and for all methods together: forgotten share per doubling of exposure.

    Below 0 means that what was seen more often is forgotten less. Least squares within strata (base model,
    or base model × relation), unadjusted and adjusted for the starting log-probability; intervals by
    cluster bootstrap.
    """
    rows: list[dict[str, object]] = []
    models = outcomes["model"].unique().sort().to_list()
    scopes = {**({ALL_MODELS: models} if len(models) > 1 else {}), **{model: [model] for model in models}}
    for scope, members in scopes.items():
        chosen = outcomes.filter(pl.col("model").is_in(members))
        for (kind, comparison), part in chosen.group_by("target_kind", "comparison", maintain_order=True):
            labels = {"model": scope, "target_kind": kind, "comparison": comparison}
            for adjusted_for in ADJUSTMENTS:
                rows += [{**labels, **row} for row in _method_slopes(part, adjusted_for, resampler)]
    return pl.DataFrame(rows, schema=SLOPE_SCHEMA, orient="row")


def _method_slopes(part: pl.DataFrame, adjusted_for: str, resampler: Resampler) -> list[dict[str, object]]:
    rows, pooled = [], []
    for (method,), facts in part.group_by("method", maintain_order=True):
        samples = slope_samples(facts, adjusted_for, resampler)
        plain = bool(facts["plain"][0])
        pooled += [samples] if plain else []
        rows.append({**_row(facts, samples, adjusted_for), "method": method, "plain": plain})
    if len(pooled) > 1:
        row = _row(part.filter("plain"), np.mean(pooled, axis=0), adjusted_for)
        rows.append({**row, "method": ALL_METHODS, "plain": True})
    return rows


def _row(facts: pl.DataFrame, samples: Array, adjusted_for: str) -> dict[str, object]:
    n_levels = facts["exposure"].n_unique()
    row: dict[str, object] = asdict(interval(samples))
    if n_levels < 2:
        row["reason"] = "fewer than two levels with facts known before"
    sizes = {"n_facts": "fact_id", "n_people": "person", "n_seeds": "seed_cluster"}
    counts = {name: facts[column].n_unique() for name, column in sizes.items()}
    return {**row, **counts, "n_levels": n_levels, "adjusted_for": adjusted_for}


def slope_samples(facts: pl.DataFrame, adjusted_for: str, resampler: Resampler) -> Array:
    """Return the slope of ``forgotten`` on ``log2_exposure`` in the sample and in each draw, shape (1 +
    draws,)."""
    adjusted = adjusted_for != NOTHING
    facts = facts.drop_nulls(["log2_exposure", "forgotten", *(["start_log_prob"] if adjusted else [])])
    if facts.is_empty():
        return np.full(resampler.draws + 1, np.nan)
    strata = (
        facts.select(pl.struct(ADJUSTMENTS[adjusted_for]).rank("dense"))
        .to_series()
        .to_numpy()
        .astype(np.int64)
        - 1
    )
    x, y = facts["log2_exposure"].to_numpy(), facts["forgotten"].to_numpy()
    z = facts["start_log_prob"].to_numpy() if adjusted else np.zeros(len(x))
    x, z = x - x.mean(), z - z.mean()
    moments = np.stack([np.ones(len(x)), x, y, z, x * x, x * y, x * z, z * z, z * y], axis=1)
    sums = resampler.sums(facts, strata, moments, int(strata.max()) + 1)
    return _slope(sums, adjusted)


def _slope(sums: Array, adjusted: bool) -> Array:
    n, x, y, z, xx, xy, xz, zz, zy = np.moveaxis(sums, -1, 0)

    def within(product: Array, left: Array, right: Array) -> Array:
        centred = product - np.nan_to_num(ratio(left * right, n))
        return np.asarray(centred.sum(axis=-1))

    sxx, sxy = within(xx, x, x), within(xy, x, y)
    if not adjusted:
        return ratio(sxy, sxx)
    sxz, szz, szy = within(xz, x, z), within(zz, z, z), within(zy, z, y)
    return ratio(sxy * szz - szy * sxz, sxx * szz - sxz * sxz)
