"""Count weights compared with uniform weights, shuffled counts and starting confidence."""

from typing import Any

import numpy as np
import polars as pl

from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.analysis.observations import MIXED, PLAIN_WEIGHTING
from unequal.analysis.stats.bootstrap import Array, Resampler, aligned_means, index_groups
from unequal.analysis.stats.estimates import ESTIMATE, Schema, estimate

RIVALS = ("uniform", "shuffled_counts", "confidence")
MEAN, WORST = "mean of the levels", "least forgotten level"
SCHEMA: Schema = {
    "method": pl.String,
    "rule": pl.String,
    "rival": pl.String,
    "comparison": pl.String,
    "measure": pl.String,
    **ESTIMATE,
}


def weightings(outcomes: pl.DataFrame, runs: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return the forgotten share under count weights minus that under each rival, per method and over all.

    In [−1, 1]; above 0 knowing the counts helps. Facts known before, of models and seeds that ran both;
    levels count equally (`MEAN`), or the least forgotten one alone does (`WORST`). A rule like ``count^-1``
    or ``count-sampling`` meets rivals of its own form. All methods together are those with all three rivals.
    """
    rows: list[dict[str, Any]] = []
    labelled = _labelled(outcomes, runs)
    for (comparison,), part in labelled.group_by("comparison", maintain_order=True):
        pooled: dict[tuple[str, str], list[Array]] = {}
        for (method, form), facts in part.group_by("objective", "form", maintain_order=True):
            found = {rival: _against(facts, rival, resampler) for rival in RIVALS}
            whole = all(found.values())
            for rival, by_measure in found.items():
                for measure, samples in by_measure.items():
                    labels = {"method": method, "rule": f"count{form}", "rival": rival, "measure": measure}
                    rows.append({**labels, **estimate(facts, samples), "comparison": comparison})
                    if whole:
                        pooled.setdefault((rival, measure), []).append(samples)
        for (rival, measure), several in pooled.items():
            labels = {"method": ALL_METHODS, "rival": rival, "measure": measure, "comparison": comparison}
            rows.append({**labels, **estimate(part, np.mean(several, axis=0)), "rule": None})
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _labelled(outcomes: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Return the outcomes of methods with count weights, of each fact that ran under count weights too.

    Uniform runs meet every form of count weights, so they occur once for each.
    """
    name = pl.col("weighting").fill_null("")
    parts = name.str.extract_groups("^(count|shuffled_counts|confidence)(.*)$")
    plain = name.is_in(PLAIN_WEIGHTING)
    labels = runs.select(
        "run_id",
        "objective",
        pl.when(plain).then(pl.lit("uniform")).otherwise(parts.struct.field("1")).alias("by"),
        pl.when(~plain).then(parts.struct.field("2")).alias("form"),
    )
    rows = outcomes.filter(pl.col("target_kind") == MIXED).join(labels, on="run_id", how="inner")
    rows = rows.drop_nulls("by").sort("run_id", "fact_id", "comparison")
    forms = rows.filter(pl.col("by") == "count").select("objective", "form").unique(maintain_order=True)
    uniform = rows.filter(pl.col("by") == "uniform").drop("form").join(forms, on="objective", how="inner")
    weighted = rows.filter(pl.col("by") != "uniform").join(forms, on=["objective", "form"], how="semi")
    return pl.concat([weighted, uniform.select(weighted.columns)]).sort(
        "objective", "form", "run_id", "fact_id"
    )


def _against(facts: pl.DataFrame, rival: str, resampler: Resampler) -> dict[str, Array]:
    """Return the difference of both measures to one rival, on the facts and seeds that ran under both."""
    key = ["base", "target", "seed_cluster", "fact_id"]
    count, other = (facts.filter(pl.col("by") == by) for by in ("count", rival))
    both = [
        one.join(two, on=key, how="semi", maintain_order="left")
        for one, two in ((count, other), (other, count))
    ]
    if both[0].is_empty():
        return {}
    mine, theirs = (_by_level(one, resampler) for one in both)
    return {MEAN: mine.mean(axis=1) - theirs.mean(axis=1), WORST: mine.min(axis=1) - theirs.min(axis=1)}


def _by_level(facts: pl.DataFrame, resampler: Resampler) -> Array:
    table, _ = index_groups(facts, ["exposure"])
    return aligned_means(resampler, facts, ["exposure"], "forgotten", table)
