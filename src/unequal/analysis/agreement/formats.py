"""Format gaps: how much more of a fact is left as a statement, reversed, or reworded than as a question."""

from dataclasses import asdict

import numpy as np
import polars as pl

from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.analysis.observations import MIXED, Observations
from unequal.analysis.stats.bootstrap import Array, Resampler, index_groups, interval, ratio, with_pooled
from unequal.analysis.stats.estimates import INTERVAL, SIZES, Schema, sample_sizes

OTHER_FORMATS = ("paraphrase", "cloze", "reverse")
SCHEMA: Schema = {
    "method": pl.String,
    "plain": pl.Boolean,
    "probe": pl.String,
    "metric": pl.String,
    "exposure": pl.Int64,
    **SIZES,
    "left_in_question": pl.Float64,
    "left_in_other": pl.Float64,
    **INTERVAL,
    "reason": pl.String,
}


def format_gaps(observations: Observations, resampler: Resampler) -> pl.DataFrame:
    """Return per method, format, metric and level the gap: share left in the other format minus left in the
    question.

    In [−1, 1]; above 0 the fact survives in the other format. Only facts whose right answer was the most
    probable in both formats at step 0, paired over the evaluated steps ≥ 1 that score both.
    ``choice_accuracy`` is corrected for the never-seen facts' rate, (a − c)/(1 − c); ``answer_prob`` is
    relative to step 0. ``exposure`` is null over all.
    """
    rows: list[dict[str, object]] = []
    for probe in OTHER_FORMATS:
        known = _known_in_both(observations, probe)
        for metric in ("choice_accuracy", "answer_prob"):
            pairs = _pairs(observations, probe, metric, known)
            if not pairs.is_empty():
                rows += _gaps(pairs, observations, probe, metric, resampler)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _scores(observations: Observations, probe: str, metric: str, role: str) -> pl.DataFrame:
    return observations.pick(probe, metric, [role]).filter(pl.col("target_kind") == MIXED)


def _known_in_both(observations: Observations, probe: str) -> pl.DataFrame:
    sides = [
        _scores(observations, side, "choice_accuracy", "forget")
        .filter((pl.col("step") == 0) & (pl.col("value") == 1) & (pl.col("exposure") > 0))
        .select("run_id", "fact_id")
        for side in ("question", probe)
    ]
    return sides[0].join(sides[1], on=["run_id", "fact_id"], how="semi")


def _pairs(observations: Observations, probe: str, metric: str, known: pl.DataFrame) -> pl.DataFrame:
    """Return per run and known fact the mean over paired steps of both formats, and the values at step 0."""
    key = ["run_id", "step", "fact_id"]
    question = _scores(observations, "question", metric, "forget").rename({"value": "question"})
    other = _scores(observations, probe, metric, "forget").select(*key, pl.col("value").alias("other"))
    both = question.join(other, on=key, how="inner").join(known, on=["run_id", "fact_id"], how="semi")
    start = both.filter(pl.col("step") == 0).select(
        "run_id", "fact_id", pl.col("question").alias("question_start"), pl.col("other").alias("other_start")
    )
    labels = ["run_id", "method", "plain", "exposure", "fact_id", "person", "seed_cluster"]
    means = both.filter(pl.col("step") >= 1).group_by(labels).agg(pl.col("question", "other").mean())
    return means.join(start, on=["run_id", "fact_id"], how="inner").sort("run_id", "fact_id")


def _gaps(
    pairs: pl.DataFrame, observations: Observations, probe: str, metric: str, resampler: Resampler
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    pooled: dict[int | None, list[tuple[Array, Array]]] = {}
    for (method,), part in pairs.group_by("method", maintain_order=True):
        chance = [
            _never_seen_rate(observations, str(method), side, resampler) for side in ("question", probe)
        ]
        both = with_pooled(part)
        table, groups = index_groups(both, ["exposure"])
        columns = ["question", "other", "question_start", "other_start"]
        sums = resampler.sums(both, groups, both.select(columns).to_numpy(), table.height)
        plain = bool(part["plain"][0])
        for group, sizes in enumerate(table.to_dicts()):
            left = _left(sums[:, group], metric, chance)
            if plain:
                pooled.setdefault(sizes["exposure"], []).append(left)
            rows.append({**_row(left, metric, chance), **sizes, "method": method, "plain": plain})
    for exposure, ones in pooled.items():
        members = with_pooled(pairs.filter("plain")).filter(pl.col("exposure").eq_missing(exposure))
        mean = (np.mean([one[0] for one in ones], axis=0), np.mean([one[1] for one in ones], axis=0))
        labels = {"exposure": exposure, "method": ALL_METHODS, "plain": True}
        rows.append({**_row(mean, metric, []), **sample_sizes(members), **labels})
    return [{**row, "probe": probe, "metric": metric} for row in rows]


def _left(sums: Array, metric: str, chance: list[Array]) -> tuple[Array, Array]:
    question, other, question_start, other_start = np.moveaxis(sums, -1, 0)
    now = (ratio(question, question_start), ratio(other, other_start))  # choice accuracy is 1 at the start
    if metric == "answer_prob":
        return now
    return ((now[0] - chance[0]) / (1 - chance[0]), (now[1] - chance[1]) / (1 - chance[1]))


def _row(left: tuple[Array, Array], metric: str, chance: list[Array]) -> dict[str, object]:
    one = asdict(interval(left[1] - left[0]))
    if metric == "choice_accuracy" and any(np.isnan(rate[0]) for rate in chance):
        one["reason"] = "no never-seen facts scored in this format, so chance is unknown"
    names = {"left_in_question": float(left[0][0]), "left_in_other": float(left[1][0])}
    return {**one, **{name: value if np.isfinite(value) else None for name, value in names.items()}}


def _never_seen_rate(observations: Observations, method: str, probe: str, resampler: Resampler) -> Array:
    rows = _scores(observations, probe, "choice_accuracy", "never_seen").filter(pl.col("method") == method)
    values = np.stack([rows["value"].to_numpy(), np.ones(rows.height)], axis=1)
    sums = resampler.sums(rows, np.zeros(rows.height, dtype=np.int64), values, 1)[:, 0]
    rate = ratio(sums[:, 0], sums[:, 1])
    return np.where(rate < 1 - 1e-9, rate, np.nan)
