"""The trend of the disagreement with size: its slope on log2(parameters), over people and models."""

from dataclasses import asdict, dataclass, replace

import numpy as np
import polars as pl

from unequal.analysis.claims import MIN_SIZES
from unequal.analysis.effects.dose_response import ALL_METHODS, NOTHING, START
from unequal.analysis.observations import Observations
from unequal.analysis.sizes.disagreement import EXACT, NEAREST, Reading, read_at, size_table, with_sizes
from unequal.analysis.stats.bootstrap import Array, Resampler, interval
from unequal.analysis.stats.estimates import INTERVAL, SIZES, Schema, sample_sizes, wider

MEASURES = {NOTHING: "excess", START: "adjusted excess"}
SCHEMA: Schema = {
    "method": pl.String,
    "reading": pl.String,
    "adjusted_for": pl.String,
    "n_sizes": pl.Int64,
    "n_models": pl.Int64,
    **SIZES,
    "n_not_reached": pl.Int64,
    **INTERVAL,
    "people_low": pl.Float64,
    "people_high": pl.Float64,
    "models_low": pl.Float64,
    "models_high": pl.Float64,
    "reason": pl.String,
}


@dataclass(frozen=True)
class Line:
    """The scatter of models around a line: the standard error of its slope, and the degrees of freedom."""

    error: float
    freedom: int


def sizes(
    views: pl.DataFrame, observations: Observations, resampler: Resampler
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the disagreement by size, and its slopes on log2(parameters) per method and over all."""
    rows = largest_series(with_sizes(views, observations), MIN_SIZES)
    known = rows.filter(pl.col("sample") == "known both ways")
    people = replace(resampler, seed_weights=np.ones_like(resampler.seed_weights))
    sample = replace(people, person_weights=people.person_weights[:1], seed_weights=people.seed_weights[:1])
    trends: list[dict[str, object]] = []
    for name in (NEAREST, EXACT):
        reading, bases = read_at(rows, name, people), read_at(rows, name, sample, unit="base")
        for adjusted_for, measure in MEASURES.items():
            labels = {"reading": name, "adjusted_for": adjusted_for, "n_not_reached": reading.missed}
            trends += [{**labels, **row} for row in size_slopes(reading, bases, measure, known)]
    by_size = size_table({name: read_at(rows, name, resampler) for name in (NEAREST, EXACT)})
    return by_size, pl.DataFrame(trends, schema=SCHEMA, orient="row")


def largest_series(rows: pl.DataFrame, enough: int) -> pl.DataFrame:
    """Return the rows of series with enough sizes to decide by, of all series when none has."""
    chosen = rows.filter(pl.col("model").n_unique().over("series") >= enough)
    return chosen if chosen.height else rows


def size_slopes(
    reading: Reading, bases: Reading, measure: str, facts: pl.DataFrame
) -> list[dict[str, object]]:
    """Return the slope of a measure on log2(parameters) per method and over all, with the wider interval.

    ``reading`` has it by model, ``bases`` by pre-training; ``facts`` are the rows it was made from.
    """
    by_method = {
        method: _by_model(reading, measure, method)
        for method in reading.table["method"].unique().sort().to_list()
    }
    whole = {method: one for method, one in by_method.items() if np.isfinite(one[1][0]).all()}
    n_models = reading.table["model"].n_unique()
    whole = {method: one for method, one in whole.items() if len(one[0]) == n_models}
    rows_out = [
        _slope(method, labels, samples, _line(bases, measure, [method]), facts)
        for method, (labels, samples) in whole.items()
    ]
    plain = set(reading.table.filter("plain")["method"])
    pooled = [method for method in whole if method in plain]
    if len(pooled) > 1:
        labels = whole[pooled[0]][0]
        mean = np.mean([whole[method][1] for method in pooled], axis=0)
        rows_out.append(_slope(ALL_METHODS, labels, mean, _line(bases, measure, pooled), facts, pooled))
    return rows_out


def _by_model(reading: Reading, measure: str, method: str) -> tuple[pl.DataFrame, Array]:
    """Return one method's models by size, and the measure of each (1 + draws, models)."""
    table = reading.table.with_row_index("at").filter(pl.col("method") == method).sort("series", "model")
    return table, reading.samples[measure][:, table["at"].to_numpy()]


def _centred(labels: pl.DataFrame, strata: str) -> Array:
    """Return log2(parameters) less its mean in each stratum, which gives each an intercept of its own."""
    x = pl.col("n_params").log(2)
    return labels.select(x - x.mean().over(strata)).to_series().to_numpy()


def _line(bases: Reading, measure: str, methods: list[str]) -> Line | None:
    """Return the scatter of single pre-trainings around lines of one slope, an intercept for each corpus."""
    values = bases.table.with_columns(pl.Series("value", bases.samples[measure][0])).fill_nan(None)
    means = (
        values.filter(pl.col("method").is_in(methods))
        .drop_nulls("value")
        .group_by("corpus", "base", "n_params")
        .agg(pl.col("value").mean())
        .sort("corpus", "base")
    )
    freedom = means.height - means["corpus"].n_unique() - 1
    x = _centred(means, "corpus")
    if freedom < 1 or not (x @ x) > 0:
        return None
    y = means.select(pl.col("value") - pl.col("value").mean().over("corpus")).to_series().to_numpy()
    left = y - x * (x @ y) / (x @ x)
    return Line(float(np.sqrt(left @ left / freedom / (x @ x))), freedom)


def _slope(
    method: str,
    labels: pl.DataFrame,
    samples: Array,
    line: Line | None,
    facts: pl.DataFrame,
    methods: list[str] | None = None,
) -> dict[str, object]:
    x = _centred(labels, "series")
    spread = float(x @ x)
    slope = samples @ x / spread if spread > 0 else np.full(len(samples), np.nan)
    people = interval(slope)
    facts = facts.filter(pl.col("method").is_in(methods or [method]))
    n_sizes = labels.group_by("series").len()["len"].min()
    row: dict[str, object] = {
        **asdict(people),
        **sample_sizes(facts),
        "n_models": facts["base"].n_unique(),
        "method": method,
        "n_sizes": n_sizes,
        "people_low": people.low,
        "people_high": people.high,
    }
    error, freedom = (line.error, line.freedom) if line else (0.0, 0)
    return {**row, **wider(row, error, freedom, "a line through the models needs at least three sizes")}
