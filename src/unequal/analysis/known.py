"""Facts known before unlearning, per level, and which levels may be compared."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from unequal.analysis.observations import Observations
from unequal.analysis.stats.bootstrap import Resampler, grouped_ratio

MIN_KNOWN_FACTS = 10
MIN_KNOWN_PEOPLE = 5
MIN_KNOWN_SHARE = 0.2


def known_before(observations: Observations, resampler: Resampler) -> pl.DataFrame:
    """Return the share in [0, 1] of facts right at step 0 per model, role, level and probe, with 95%
    interval over people.

    ``metric`` is said (greedy generation) or choice_accuracy (most probable among same-type
    answers).
    """
    rows = observations.scores.filter(
        (pl.col("step") == 0) & pl.col("metric").is_in(["said", "choice_accuracy"])
    )
    keys = ["model", "role", "exposure", "probe", "metric"]
    one_per_base = (
        rows.group_by(*keys, "base", "fact_id", "person")
        .agg(pl.col("value").mean(), pl.col("seed_cluster").min())
        .sort(*keys, "base", "fact_id")
    )
    return grouped_ratio(resampler, one_per_base, keys, "value", by_seed=False)


def level_inclusion(observations: Observations) -> pl.DataFrame:
    """Return per model and level how many forget facts were known before, their lowest and highest natural
    count if they have one, and whether the level is compared.

    A level takes part when at least 10 facts of at least 5 people and at least 20% of its facts were known;
    what is not known cannot be forgotten, and a level at the floor would look easy to unlearn.
    """
    facts = (
        observations.forget.filter((pl.col("step") == 0) & (pl.col("exposure") > 0))
        .group_by("model", "base", "exposure", "fact_id", "person")
        .agg(pl.col("known").any(), pl.col("count").first())
    )
    table = facts.group_by("model", "exposure").agg(
        pl.len().alias("n_facts"),
        pl.col("known").sum().alias("n_known"),
        pl.col("known").mean().alias("known_share"),
        pl.col("person").filter("known").n_unique().alias("n_known_people"),
        pl.col("count").min().alias("count_low"),
        pl.col("count").max().alias("count_high"),
    )
    return (
        table.with_columns(_exclusion().alias("reason"))
        .with_columns(pl.col("reason").is_null().alias("included"))
        .sort("model", "exposure")
    )


def counts_label(level: Mapping[str, Any]) -> str:
    """Return the range of natural counts of a row of `level_inclusion`, such as ``3–9``."""
    low, high = level["count_low"], level["count_high"]
    return f"{low}" if low == high else f"{low}–{high}"


def _exclusion() -> pl.Expr:
    few_facts = pl.format("only {} of its facts were known before (10 needed)", "n_known")
    few_people = pl.format("known facts of only {} people (5 needed)", "n_known_people")
    share = (100 * pl.col("known_share")).round(0).cast(pl.Int64)
    return (
        pl.when(pl.col("n_known") < MIN_KNOWN_FACTS)
        .then(few_facts)
        .when(pl.col("n_known_people") < MIN_KNOWN_PEOPLE)
        .then(few_people)
        .when(pl.col("known_share") < MIN_KNOWN_SHARE)
        .then(pl.format("only {}% of its facts were known before (20% needed)", share))
    )


def comparable(forget: pl.DataFrame, levels: pl.DataFrame) -> pl.DataFrame:
    """Return the forget rows of facts known before, of levels that take part in comparisons."""
    included = levels.filter("included").select("model", "exposure")
    return forget.filter("known").join(included, on=["model", "exposure"], how="semi", maintain_order="left")
