"""Forgetting curves: every metric over the steps of unlearning, per method and level, with intervals."""

import polars as pl

from unequal.analysis.observations import MIXED, Observations
from unequal.analysis.stats.bootstrap import Resampler, grouped_ratio

CURVE_METRICS = ("said", "rouge_l_recall", "answer_prob", "choice_accuracy", "choice_prob")
KEYS = ["exposure", "model", "method", "probe", "metric", "role", "sample", "step"]


def forgetting_curves(observations: Observations, resampler: Resampler) -> pl.DataFrame:
    """Return the mean of each metric per model, method, probe, level and step, with 95% interval.

    ``sample`` is ``known`` (forget facts answered right before unlearning), ``all`` forget facts, or
    ``never seen``.
    """
    rows = (
        observations.scores.lazy()
        .filter((pl.col("target_kind") == MIXED) & pl.col("metric").is_in(CURVE_METRICS))
        .select(
            "run_id", "fact_id", "person", "seed_cluster", "value", *(key for key in KEYS if key != "sample")
        )
        .collect()  # of a large study only what is needed fits into memory three times
    )
    forget = rows.filter((pl.col("role") == "forget") & (pl.col("exposure") > 0))
    samples = [
        observations.of_known_facts(forget).with_columns(pl.lit("known").alias("sample")),
        forget.with_columns(pl.lit("all").alias("sample")),
        rows.filter(pl.col("role") == "never_seen").with_columns(pl.lit("never seen").alias("sample")),
    ]
    table = grouped_ratio(resampler, pl.concat(samples), KEYS, "value")
    return table.sort("model", "method", "probe", "metric", "sample", "exposure", "step")
