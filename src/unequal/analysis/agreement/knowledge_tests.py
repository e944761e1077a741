"""Knowledge tests: whether each test finds a fact known or forgotten, plainly or after an attack."""

import polars as pl

from unequal.analysis.observations import MIXED, Observations

PLAIN = "none"  # no attack
GENERATION, CHOICE, IGNORANCE, RANK = "said", "choice_accuracy", "answer_prob", "first_token_rank"
TOP = 10
SHARES_RIGHT = (GENERATION, CHOICE, "leak_at_k", "accuracy")  # in [0, 1], the share of trials that are right
NOT_TESTS = ("control_accuracy",)  # of labels drawn at random
LABELS = ["run_id", "model", "method", "plain", "role", "exposure", "fact_id", "person", "seed_cluster"]


def judgements(observations: Observations) -> pl.DataFrame:
    """Return one row per run, step, fact, attack and knowledge test with ``forgotten`` in [0, 1].

    Tests: ``said`` (the greedy answer is wrong), ``leak_at_k`` (one minus the leak), ``accuracy``
    (the probe is wrong), ``choice_accuracy`` (another answer of its type is more probable),
    ``first_token_rank`` (the answer's first token is not among the ten most probable) and ``answer_prob``
    (the answer is no more probable than the mean answer of never-seen facts of its relation, same model and
    attack; null without such facts). Rows of kind robustness are named ``<attack>_<test>``; any attack goes.
    """
    tests = [*SHARES_RIGHT, RANK, IGNORANCE]
    attacked = pl.col("kind") == "robustness"
    rows = observations.scores.filter(
        (attacked | (pl.col("probe") == "question"))
        & pl.col("role").is_in(["forget", "never_seen"])
        & (pl.col("target_kind") == MIXED)
    )
    named = pl.col("metric").str.extract_groups(f"^(.+?)_({'|'.join([*tests, *NOT_TESTS])})$")
    rows = rows.with_columns(
        pl.when(attacked).then(named.struct.field("1")).otherwise(pl.lit(PLAIN)).alias("attack"),
        pl.when(attacked).then(named.struct.field("2")).otherwise(pl.col("metric")).alias("test"),
    ).filter(pl.col("test").is_in(tests))
    return (
        _said(rows)
        .select(*LABELS, "relation", "step", "attack", "test", "forgotten")
        .sort("run_id", "step", "role", "fact_id", "attack", "test")
    )


def _said(rows: pl.DataFrame) -> pl.DataFrame:
    of_level = ["run_id", "step", "relation", "attack", "test"]
    never_seen = rows.filter((pl.col("role") == "never_seen") & (pl.col("test") == IGNORANCE))
    levels = never_seen.group_by(of_level).agg(pl.col("value").mean().alias("never_seen"))
    said = (
        pl.when(pl.col("test").is_in(SHARES_RIGHT))
        .then(1 - pl.col("value"))
        .when(pl.col("test") == RANK)
        .then((pl.col("value") >= TOP).cast(pl.Float64))
        .otherwise((pl.col("value") <= pl.col("never_seen")).cast(pl.Float64))
    )
    return rows.join(levels, on=of_level, how="left").with_columns(said.alias("forgotten"))
