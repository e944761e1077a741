"""Null scores: the metrics behind the disagreement on facts that no model ever saw."""

from typing import Any

import numpy as np
import polars as pl

from unequal.analysis.agreement.hidden_knowledge import half_forgotten
from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.analysis.observations import MIXED, Observations
from unequal.analysis.stats.bootstrap import Array, Resampler, ratio
from unequal.analysis.stats.estimates import ESTIMATE, Schema, estimate

CHOICE_DRIFT, TRUE_FALSE = "choice accuracy since step 0", "true/false hits minus false alarms"
SCHEMA: Schema = {"method": pl.String, "measure": pl.String, **ESTIMATE}


def null_scores(observations: Observations, views: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return per method and over all the null scores of never-seen facts, in [−1, 1]; a sound metric gives 0.

    Choice accuracy at the steps at which C4 is read (all steps after 0, where never-seen facts were not
    scored there) minus that at step 0; hits minus false alarms in true/false statements after step 0.
    """
    rows: list[dict[str, Any]] = []
    for measure, found in ((CHOICE_DRIFT, _choice(views)), (TRUE_FALSE, _true_false(observations))):
        pooled = []
        for (method,), part in found.group_by("method", maintain_order=True):
            samples = _difference(part, resampler)
            rows.append({**estimate(part, samples), "method": method, "measure": measure})
            pooled += [samples] if part["plain"][0] else []
        if len(pooled) > 1:
            row = estimate(found.filter("plain"), np.mean(pooled, axis=0))
            rows.append({**row, "method": ALL_METHODS, "measure": measure})
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _choice(views: pl.DataFrame) -> pl.DataFrame:
    never = pl.col("sample") == "never seen"
    after = half_forgotten(views).filter(never)
    elsewhere = views.filter(never & (pl.col("step") >= 1)).join(
        after, on="method", how="anti", maintain_order="left"
    )
    parts = [after, elsewhere, views.filter(never & (pl.col("step") == 0))]
    side = pl.when(pl.col("step") == 0).then(-1.0).otherwise(1.0)
    return pl.concat(parts).with_columns(side.alias("side"), pl.col("choice_accuracy").alias("value"))


def _true_false(observations: Observations) -> pl.DataFrame:
    sides = {"true_false_hit": 1.0, "true_false_false_alarm": -1.0}
    parts = [
        observations.pick("true_false", metric, ["never_seen"]).with_columns(pl.lit(side).alias("side"))
        for metric, side in sides.items()
    ]
    return pl.concat(parts).filter((pl.col("step") >= 1) & (pl.col("target_kind") == MIXED))


def _difference(part: pl.DataFrame, resampler: Resampler) -> Array:
    """Return the mean of the rows of side 1 minus that of side −1, shape (1 + draws,)."""
    values = np.stack([part["value"].to_numpy(), np.ones(part.height)], axis=1)
    sums = resampler.sums(part, (part["side"] > 0).to_numpy().astype(np.int64), values, 2)
    means = ratio(sums[..., 0], sums[..., 1])
    return np.asarray(means[:, 1] - means[:, 0])
