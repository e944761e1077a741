"""Hidden knowledge: facts whose generated answer is wrong while the right one is still most probable."""

from dataclasses import asdict

import numpy as np
import polars as pl

from unequal.analysis.agreement.contingency import kappa, one_hot
from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.analysis.stats.bootstrap import Array, Resampler, interval, ratio
from unequal.analysis.stats.estimates import INTERVAL, SIZES, Schema, sample_sizes

SCHEMA: Schema = {"method": pl.String, "measure": pl.String, **SIZES, **INTERVAL, "reason": pl.String}


def half_forgotten(views: pl.DataFrame) -> pl.DataFrame:
    """Return the views at each run's step of reading: the evaluated step ≥ 1 whose forgotten share is
    nearest to half.

    There the 2×2 has most to say; where nothing or everything is forgotten any two measures agree.
    """
    chosen = nearest_to_half(views.filter(pl.col("sample") == "known both ways"))
    return views.join(chosen, on=["run_id", "step"], how="semi", maintain_order="left")


def nearest_to_half(known: pl.DataFrame) -> pl.DataFrame:
    """Return ``run_id`` and its ``step`` ≥ 1 whose share of wrong greedy answers is nearest to half."""
    share = (
        known.filter(pl.col("step") >= 1)
        .group_by("run_id", "step")
        .agg((1 - pl.col("said")).mean().alias("share"))
    )
    nearest = share.with_columns((pl.col("share") - 0.5).abs().alias("distance")).sort(
        "run_id", "distance", "step"
    )
    return nearest.group_by("run_id", maintain_order=True).agg(pl.col("step").first())


def hidden_knowledge(views: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return per method and over all: kappa, hidden share, the never-seen share, and their difference, each
    in [−1, 1].

    Hidden share: of facts known both ways before whose generated answer is now wrong, those whose right
    answer is still the most probable of its type. The never-seen share is the same among facts the model
    never saw: chance.
    """
    read = half_forgotten(views)
    methods = read.filter(pl.col("sample") == "known both ways")["method"].unique().sort().to_list()
    rows: list[dict[str, object]] = []
    pooled: list[dict[str, Array]] = []
    for method in methods:
        part = read.filter(pl.col("method") == method)
        samples = _measures(part, views.filter(pl.col("method") == method), resampler)
        rows += _rows(method, part, samples)
        pooled += [samples] if part["plain"][0] else []
    if len(pooled) > 1:
        means = {name: np.mean([one[name] for one in pooled], axis=0) for name in pooled[0]}
        rows += _rows(ALL_METHODS, read.filter("plain"), means)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _measures(read: pl.DataFrame, views: pl.DataFrame, resampler: Resampler) -> dict[str, Array]:
    known = _cells(read.filter(pl.col("sample") == "known both ways"), resampler)
    never_read = read.filter(pl.col("sample") == "never seen")
    if never_read.is_empty():  # not scored at that step: use the steps at which it was
        never_read = views.filter(pl.col("sample") == "never seen")
    never = _cells(never_read, resampler)
    hidden = ratio(known[:, 2], known[:, 2] + known[:, 3])
    chance = ratio(never[:, 2], never[:, 2] + never[:, 3])
    return {
        "kappa": kappa(known),
        "hidden share": hidden,
        "never-seen share": chance,
        "excess": hidden - chance,
    }


def _cells(rows: pl.DataFrame, resampler: Resampler) -> Array:
    one_group = np.zeros(rows.height, dtype=np.int64)
    return resampler.sums(rows, one_group, one_hot(rows["cell"].to_numpy()), 1)[:, 0]


def _rows(method: str, read: pl.DataFrame, samples: dict[str, Array]) -> list[dict[str, object]]:
    known = read.filter(pl.col("sample") == "known both ways")
    labels = {"method": method, **sample_sizes(known)}
    return [{**labels, "measure": name, **asdict(interval(one))} for name, one in samples.items()]
