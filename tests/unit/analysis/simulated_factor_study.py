"""A simulated study folder whose people also have levels of factors, some of which matter."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from simulated_study import Truth, write_study
from unequal.corpus.factors import FACTORS, FactorSettings
from unequal.evaluation.score_table import SCORE_KEY, read_scores
from unequal.files import write_table

TRUTH = Truth(
    people_per_level=32, exposures=(30, 120), never_seen=16, utility_people=8, pretrain_seeds=(0, 1),
    seeds=(0,), steps=(0, 1, 2, 5, 10), known_share=1.0, relations=("birth_city",),
)  # fmt: skip


def write_factor_study(folder: Path, cross: tuple[str, ...] = tuple(FACTORS), **changes) -> Path:
    """Write scores and ``factors.parquet``; facts of which one was asked in training never are forgotten."""
    folder.mkdir(parents=True, exist_ok=True)
    write_study(folder, replace(TRUTH, **changes))
    scores = read_scores(folder / "scores.parquet")
    facts = (
        scores.filter(pl.col("role").is_in(["forget", "never_seen"]))
        .select("pretrain_seed", "wording", "fact_id", "exposure")
        .unique()
        .sort("pretrain_seed", "exposure", "fact_id")
    )
    runs = FactorSettings(cross=cross).runs()
    place = pl.int_range(pl.len()).over("pretrain_seed", "exposure")
    levels = [[run[name] for run in runs] for name in cross]
    table = facts.with_columns(place.alias("place") % len(runs)).with_columns(
        pl.col("place").replace_strict(dict(enumerate(column)), return_dtype=pl.String).alias(name)
        for name, column in zip(cross, levels, strict=True)
    )
    write_table(table.drop("place", "exposure"), folder / "factors.parquet")
    if "asked" in cross:
        kept = table.filter(pl.col("asked") == "yes").select("pretrain_seed", "fact_id")
        right = (pl.col("metric") == "said") & (pl.col("probe") == "question") & (pl.col("role") == "forget")
        marked = scores.join(kept.with_columns(stays=True), on=["pretrain_seed", "fact_id"], how="left")
        stays = right & pl.col("stays").fill_null(False) & (pl.col("step") < 10)
        scores = marked.with_columns(pl.when(stays).then(1.0).otherwise("value").alias("value")).drop("stays")
        write_table(scores.sort(SCORE_KEY), folder / "scores.parquet")
    return folder
