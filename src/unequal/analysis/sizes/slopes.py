"""Slopes on model size: the forgotten share, and the neighbours' utility lost, per doubling of parameters."""

from dataclasses import replace

import numpy as np
import polars as pl

from unequal.analysis.claims import MIN_SIZES_HARDER
from unequal.analysis.observations import MIXED, Observations
from unequal.analysis.sizes.disagreement import (
    SERIES_KEYS,
    Reading,
    around_half,
    known_everywhere,
    series_labels,
)
from unequal.analysis.sizes.trend import SCHEMA as TREND
from unequal.analysis.sizes.trend import largest_series, size_slopes
from unequal.analysis.stats.bootstrap import Resampler, index_groups, ratio
from unequal.analysis.stats.estimates import Schema

HARDER, DAMAGE = "forgotten share at equal steps", "neighbours' utility lost at half forgotten"
SCHEMA: Schema = {
    "measure": pl.String,
    **{name: kind for name, kind in TREND.items() if name not in ("reading", "adjusted_for")},
}


def size_effects(observations: Observations, utility: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return per method and over all the slopes per doubling of parameters of `HARDER` and `DAMAGE`.

    Of the same facts at every size, those known by generation at step 0 at all of them; `HARDER` below 0
    means that larger models forget less, `DAMAGE` above 0 that their neighbours lose more where half of these
    facts are forgotten, read between evaluated steps. Intervals as for C5 (`size_slopes`).
    """
    labels = series_labels(observations).drop("base")
    rows = observations.mixed().filter("known").join(labels, on="run_id", how="inner", maintain_order="left")
    rows = largest_series(rows.drop_nulls("said"), MIN_SIZES_HARDER)
    everywhere = known_everywhere(rows.filter(pl.col("step") == 0))
    facts = rows.join(everywhere, on=["corpus", "fact_id"], how="semi", maintain_order="left")
    forgotten = facts.filter(pl.col("step") >= 1).with_columns(lost=1 - pl.col("said"), start=pl.lit(1.0))
    neighbours, missed = _neighbours(facts, utility, labels)
    people = replace(resampler, seed_weights=np.ones_like(resampler.seed_weights))
    sample = replace(people, person_weights=people.person_weights[:1], seed_weights=people.seed_weights[:1])
    out = []
    for measure, part, left_out in ((HARDER, forgotten, 0), (DAMAGE, neighbours, missed)):
        reading = _reading(part, measure, SERIES_KEYS, people)
        bases = _reading(part, measure, [*SERIES_KEYS, "base", "corpus"], sample)
        slopes = size_slopes(reading, bases, measure, part)
        out += [{**row, "measure": measure, "n_not_reached": left_out} for row in slopes]
    return pl.DataFrame(out, schema=SCHEMA, orient="row")


def _neighbours(facts: pl.DataFrame, utility: pl.DataFrame, labels: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Return what neighbours lost where half was forgotten, and how many runs have no such reading."""
    rows = utility.filter((pl.col("role") == "neighbour") & (pl.col("target_kind") == MIXED))
    points = around_half(facts).join(
        rows.select("run_id", "step").unique(), on=["run_id", "step"], how="semi"
    )
    whole = points.filter(pl.col("weight").sum().over("run_id") > 1 - 1e-9)
    read = rows.join(whole, on=["run_id", "step"], how="inner", maintain_order="left")
    weight = pl.col("weight")
    read = read.with_columns(
        lost=weight * (pl.col("start") - pl.col("value")), start=weight * pl.col("start")
    )
    missed = facts["run_id"].n_unique() - read["run_id"].n_unique()
    return read.join(labels, on="run_id", how="inner", maintain_order="left"), missed


def _reading(part: pl.DataFrame, measure: str, keys: list[str], resampler: Resampler) -> Reading:
    table, groups = index_groups(part, keys)
    values = part.select("lost", "start").to_numpy()
    sums = resampler.sums(part, groups, values, table.height)
    return Reading(table, {measure: ratio(sums[..., 0], sums[..., 1])}, 0)
