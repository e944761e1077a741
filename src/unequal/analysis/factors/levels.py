"""Levels of each factor: shares known before, of never-seen facts found right, and forgotten."""

from collections.abc import Sequence

import polars as pl

from unequal.analysis.factors.rows import EXPOSURE, FAMILY, SIZE, crossed, known_rows, with_levels
from unequal.analysis.observations import MIXED, Observations
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.analysis.stats.bootstrap import Resampler, grouped_ratio
from unequal.analysis.stats.estimates import Schema

KEYS = ["factor", "level"]
SCHEMA: Schema = {
    **dict.fromkeys(KEYS, pl.String),
    "n_facts": pl.Int64,
    "n_people": pl.Int64,
    "known_share": pl.Float64,
    "never_seen_share": pl.Float64,
    "forgotten": pl.Float64,
    "forgotten_low": pl.Float64,
    "forgotten_high": pl.Float64,
}


def factor_levels(
    outcomes: pl.DataFrame, observations: Observations, factors: pl.DataFrame | None, resampler: Resampler
) -> pl.DataFrame:
    """Return per level of each factor the shares known before, of facts to forget and of never-seen ones, and
    the mean forgotten share of those known, with its 95% interval.

    Means over plain methods at equal steps, whatever the other factors; never-seen facts that look known show
    what can be guessed.
    """
    if factors is None:
        return pl.DataFrame(schema=SCHEMA)
    names = [EXPOSURE, *crossed(factors), SIZE, FAMILY]
    plain = pl.col("plain") & (pl.col("target_kind") == MIXED) & (pl.col("comparison") == EQUAL_STEPS)
    forgotten = _long(with_levels(outcomes.filter(plain), observations.runs, factors), names, "forgotten")
    known = _long(known_rows(observations, factors), names, "known")
    never = _long(known_rows(observations, factors, "never_seen"), names, "known")
    shares = grouped_ratio(resampler, forgotten, KEYS, "forgotten").rename(
        {"value": "forgotten", "low": "forgotten_low", "high": "forgotten_high"}
    )
    found = (
        known.group_by(KEYS, maintain_order=True)
        .agg(
            pl.col("fact").n_unique().alias("n_facts"),
            pl.col("person").n_unique().alias("n_people"),
            pl.col("known").mean().alias("known_share"),
        )
        .join(_share(never), on=KEYS, how="left", maintain_order="left")
        .join(shares.drop("n_facts", "n_people"), on=KEYS, how="left", maintain_order="left")
    )
    return found.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def _long(rows: pl.DataFrame, names: Sequence[str], value: str) -> pl.DataFrame:
    """Return the rows once for each factor that they have a level of."""
    kept = ["person", "seed_cluster", "fact_id", "pretrain_seed", value]
    parts = [
        rows.sort(name, maintain_order=True)
        .select(
            *kept,
            factor=pl.lit(name),
            level=pl.format("{}×", "exposure") if name == EXPOSURE else pl.col(name),
            fact=pl.format("{}/{}", "pretrain_seed", "fact_id"),
        )
        .drop_nulls("level")
        for name in names
    ]
    return pl.concat(parts)


def _share(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by(KEYS).agg(pl.col("known").mean().alias("never_seen_share"))
