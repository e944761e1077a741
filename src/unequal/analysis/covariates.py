"""Covariates of a fact beside exposure: answer length, rarity of the object, starting confidence."""

import polars as pl

ANSWER_TOKENS, OBJECT_RARITY, CONFIDENCE_BIN = "answer_tokens", "object_rarity", "confidence_bin"
CONFIDENCE_BINS = 10


def answer_tokens() -> pl.Expr:
    """Return the number of tokens of a fact's answer, by the median over steps within a run and fact.

    The answer's log-probability −S over the log of its probability per token, exp(−S/n), is n; null without
    either, or where the model is certain at every step.
    """
    tokens = pl.col("answer_log_prob") / pl.col("answer_prob").log()
    finite = pl.when(tokens.is_finite()).then(tokens)
    return finite.median().over("run_id", "fact_id").round(1)


def object_rarity(scores: pl.DataFrame, generations: pl.DataFrame) -> pl.DataFrame:
    """Return per run and fact the log2 of how many scored facts of its relation have the same answer; 0 is
    unique.

    ``generations`` holds the answers (``run_id``, ``fact_id``, ``answer``); facts of all roles count.
    """
    facts = scores.select("run_id", "fact_id", "relation").unique()
    answers = generations.select("run_id", "fact_id", "answer", "probe").filter(pl.col("probe") == "question")
    answers = answers.unique(["run_id", "fact_id"]).drop("probe").drop_nulls("answer")
    shared = pl.len().over("run_id", "relation", pl.col("answer").str.to_lowercase())
    rarity = facts.join(answers, on=["run_id", "fact_id"], how="inner").with_columns(
        shared.cast(pl.Float64).log(2).alias(OBJECT_RARITY)
    )
    return rarity.select("run_id", "fact_id", OBJECT_RARITY)


def confidence_bin() -> pl.Expr:
    """Return the decile of a fact's starting log-probability among the facts of its base model.

    Facts of one bin start equally confident, so levels compared within bins are matched on it, whatever the
    shape of its influence (coarsened exact matching: Iacus, King and Porro 2012).
    """
    start = pl.col("start_log_prob")
    place = (start.rank("dense").over("base") - 1) / start.n_unique().over("base")
    return (place * CONFIDENCE_BINS).floor().cast(pl.Int64).alias(CONFIDENCE_BIN)
