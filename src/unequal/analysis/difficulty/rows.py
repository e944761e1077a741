"""Rows for difficulty prediction: features of a fact before a run, and the steps it took to forget."""

import polars as pl

from unequal.analysis.effects.steps_to_forget import steps_to_forget
from unequal.analysis.observations import MIXED, Observations
from unequal.analysis.utility.retained import utility_by_run, utility_rows
from unequal.errors import DataError
from unequal.evaluation.known_by import SAID, gated

COUNT = "log2_count"
ALIGNMENT = "alignment"
FEATURES = {
    COUNT: "log2(1 + count)",
    "log_prob_per_token": "starting log-probability of the answer per token",
    "choice_prob": "starting share of the choices' probability",
    "margin": "starting lead over the best wrong answer",
    "log2_answer_words": "log2(words of the answer)",
    "log2_same_answer": "log2(facts to forget with this answer)",
    ALIGNMENT: "cosine of the fact's gradient with that of the retain set",
    "log2_params": "log2(parameters)",
}
"""Column of each feature, and what it is in words."""
KEY = ["run_id", "fact_id"]
STARTING_METRICS = (SAID, "answer_prob", "choice_prob", "margin")


def difficulty_rows(observations: Observations, features: pl.DataFrame) -> pl.DataFrame:
    """Return one row per run and fact known before: its features at step 0, and what forgetting it took.

    ``right_until`` and ``time`` are the evaluated steps between which it was forgotten for good; where
    ``forgotten`` is False it was still right at the last one, ``time``. ``utility_lost`` is the run's at
    ``time`` (1 is all, null where none was scored). Raises `DataError` when no run forgets known facts of
    mixed levels.
    """
    known = observations.mixed().filter("known")
    if known.is_empty() or known["step"].max() == 0:
        raise DataError(
            "no run of the score table forgets facts that were known before, so difficulty cannot be learned;"
            " it needs a study with a target of mixed levels"
        )
    known = known.filter(pl.col("step").max().over("run_id") > 0)
    rows = steps_to_forget(known).join(_right_until(known), on=KEY, how="left", maintain_order="left")
    lost = utility_lost(observations).select("run_id", pl.col("step").alias("time"), "utility_lost")
    rows = rows.join(lost, on=["run_id", "time"], how="left", maintain_order="left")
    return rows.join(_runs(observations), on="run_id", how="left", maintain_order="left").join(
        features.drop("subject", "known"), on=KEY, how="left", maintain_order="left"
    )


def starting_features(
    scores: pl.DataFrame, answers: pl.DataFrame | None = None, alignment: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return one row per run and fact to forget with every feature, null where it cannot be known.

    ``scores`` come from the starting model; ``known`` says whether its greedy answer is right.
    """
    scores = gated(scores)
    forget = scores.filter((pl.col("role") == "forget") & (pl.col("probe") == "question"))
    shown = pl.coalesce("exposure", "count").first()
    wide = forget.group_by(*KEY, maintain_order=True).agg(
        pl.col("subject", "relation").first(),
        (1 + shown).log(2).alias(COUNT),
        pl.col("n_params").first().log(2).alias("log2_params"),
        *(
            pl.col("value").filter(pl.col("metric") == metric).first().alias(metric)
            for metric in STARTING_METRICS
        ),
    )
    wide = wide.with_columns(
        (pl.col("said") == 1).fill_null(False).alias("known"),
        pl.col("answer_prob").log().alias("log_prob_per_token"),
    )
    none = pl.DataFrame(schema={"run_id": pl.String, "fact_id": pl.String})
    asked = none.with_columns(answer=pl.lit("")) if answers is None else answers
    aligned = none.with_columns(pl.lit(0.0).alias(ALIGNMENT)) if alignment is None else alignment
    wide = wide.join(asked, on=KEY, how="left", maintain_order="left")
    wide = wide.join(aligned, on=KEY, how="left", maintain_order="left").with_columns(_of_answers())
    finite = [pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in FEATURES]
    return wide.select(*KEY, "subject", "relation", "known", *finite)


def _of_answers() -> list[pl.Expr]:
    folded = pl.col("answer").str.to_lowercase().str.strip_chars()
    words = folded.str.count_matches(r"\S+").cast(pl.Float64)
    same = pl.len().over("run_id", folded).cast(pl.Float64)
    return [
        words.log(2).alias("log2_answer_words"),
        pl.when(pl.col("answer").is_not_null()).then(same.log(2)).alias("log2_same_answer"),
    ]


def _right_until(known: pl.DataFrame) -> pl.DataFrame:
    right = known.filter(pl.col("said") > 0)
    return right.group_by(KEY).agg(pl.col("step").max().alias("right_until"))


def utility_lost(observations: Observations) -> pl.DataFrame:
    """Return ``utility_lost`` since step 0 per run of mixed levels and step, with the run's method."""
    kept = utility_by_run(utility_rows(observations)).drop_nulls("utility")
    runs = observations.runs.filter(pl.col("target_kind") == MIXED).select("run_id", "method")
    return kept.join(runs, on="run_id", how="inner", maintain_order="left").select(
        "run_id", "method", "step", (1 - pl.col("utility")).alias("utility_lost")
    )


def _runs(observations: Observations) -> pl.DataFrame:
    """Return each run's labels; ``held_out`` is what folds hold out, pre-trainings if there are several."""
    several = observations.runs["pretrain_seed"].n_unique() > 1
    held_out = pl.col("pretrain_seed").cast(pl.String) if several else pl.col("seed_cluster")
    return observations.runs.select("run_id", "plain", "n_params", "last_step", held_out.alias("held_out"))


def usable(rows: pl.DataFrame) -> list[str]:
    """Return the features that every row has and that differ between rows."""
    return [name for name in FEATURES if rows[name].null_count() == 0 and rows[name].n_unique() > 1]


def answers_of(generations: pl.DataFrame) -> pl.DataFrame:
    """Return ``run_id, fact_id, answer`` from a table of generated texts."""
    asked = generations.filter((pl.col("step") == 0) & (pl.col("probe") == "question"))
    return asked.select(*KEY, "answer").unique(KEY, maintain_order=True)
