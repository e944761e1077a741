"""Hidden leaks: the right first token near the top, and what sampling finds, where the answer is wrong."""

import polars as pl

from unequal.analysis.agreement.knowledge_tests import GENERATION, LABELS, PLAIN, TOP
from unequal.analysis.observations import MIXED, Observations
from unequal.analysis.stats.bootstrap import (
    Resampler,
    aligned_means,
    group_intervals,
    index_groups,
    with_pooled,
    without_values,
)

KEYS = ["model", "method", "exposure", "step"]
NO_RANK = "first_token_rank was not scored"
NO_SAMPLES = "no answers were sampled"


def hidden_leak(observations: Observations, resampler: Resampler) -> pl.DataFrame:
    """Return the hidden leak per model, method, level and step ≥ 1 beside never-seen facts', in [0, 1].

    Of the facts known before whose greedy answer is now wrong, the share whose right first token is among the
    model's ten most probable (rank below 10, counted from 0); ``excess`` is its distance from the same share
    of never-seen facts, which is what chance gives. ``exposure`` is null over all levels. Without ranks
    there is one row a model and method, with the reason.
    """
    rows = _wrong_answers(observations)
    if rows.is_empty():
        empty = ["never_seen", "excess", "excess_low", "excess_high"]
        found = _unscored(observations, KEYS, NO_RANK, empty).rename({"value": "hidden_leak"})
        return found.with_columns(pl.lit(NO_RANK).alias("excess_reason"))
    never = pl.col("role") == "never_seen"
    wrong = with_pooled(rows.filter(~never))
    table = index_groups(wrong, KEYS)[0]
    known = aligned_means(resampler, wrong, KEYS, "leak", table)
    chance = aligned_means(resampler, rows.filter(never), ["model", "method", "step"], "leak", table)
    hidden = group_intervals(known, "no fact has a wrong greedy answer").rename({"value": "hidden_leak"})
    excess = group_intervals(known - chance, "no never-seen facts with a wrong answer and a rank")
    renamed = {name: f"excess_{name}" for name in ("low", "high", "reason")} | {"value": "excess"}
    share = pl.Series("never_seen", chance[0]).to_frame().with_columns(pl.all().fill_nan(None))
    return pl.concat([table, hidden, share, excess.rename(renamed)], how="horizontal")


def _wrong_answers(observations: Observations) -> pl.DataFrame:
    """Return facts known before and never-seen ones with a wrong greedy answer; ``leak`` is 0 or 1."""
    columns = ["run_id", "model", "method", "role", "exposure", "step", "fact_id", "person", "seed_cluster"]
    scored = {
        metric: observations.pick("question", metric, ["forget", "never_seen"])
        for metric in ("said", "first_token_rank")
    }
    wrong = scored["said"].filter((pl.col("value") == 0) & (pl.col("target_kind") == MIXED))
    ranks = scored["first_token_rank"].select(
        "run_id", "step", "fact_id", (pl.col("value") < TOP).cast(pl.Float64).alias("leak")
    )
    rows = wrong.filter(pl.col("step") >= 1).join(
        ranks, on=["run_id", "step", "fact_id"], how="inner", maintain_order="left"
    )
    of_known = observations.of_known_facts(rows.filter(pl.col("role") == "forget"))
    return pl.concat([of_known, rows.filter(pl.col("role") == "never_seen")]).select(*columns, "leak")


def _unscored(observations: Observations, keys: list[str], reason: str, empty: list[str]) -> pl.DataFrame:
    """Return a row a model and method without values, with the reason."""
    nothing = [pl.lit(None, pl.Int64).alias(name) for name in ("exposure", "step")]
    rows = observations.mixed().filter("known").with_columns(*nothing, attack=pl.lit(None, pl.String))
    columns = [pl.lit(None, pl.Float64).alias(name) for name in empty]
    return without_values(rows, keys, reason).with_columns(columns)


def sampling_gap(observations: Observations, judgements: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return per model, method, sampling attack, level and step how much more sampling finds than greedy
    decoding.

    Of the facts known before, mean leak@k minus the share with a right greedy answer, in [−1, 1]; above 0
    the greedy answer understates what is left. ``exposure`` is null over all levels. Without samples there is
    one row a model and method, with the reason.
    """
    keys = ["attack", *KEYS]
    rows = _sampled(observations, judgements)
    if rows.is_empty():
        return _unscored(observations, keys, NO_SAMPLES, ["leak_at_k", "greedy"])
    rows = with_pooled(rows)
    table = index_groups(rows, keys)[0]
    sampled, greedy = (aligned_means(resampler, rows, keys, name, table) for name in ("sampled", "greedy"))
    means = pl.DataFrame({"leak_at_k": sampled[0], "greedy": greedy[0]})
    return pl.concat([table, group_intervals(sampled - greedy), means], how="horizontal")


def _sampled(observations: Observations, judgements: pl.DataFrame) -> pl.DataFrame:
    rows = observations.of_known_facts(judgements.filter(pl.col("role") == "forget"))
    key = ["run_id", "step", "fact_id"]
    greedy = rows.filter((pl.col("test") == GENERATION) & (pl.col("attack") == PLAIN))
    sampled = rows.filter(pl.col("test") == "leak_at_k")
    return sampled.select(*LABELS, "attack", "step", (1 - pl.col("forgotten")).alias("sampled")).join(
        greedy.select(*key, (1 - pl.col("forgotten")).alias("greedy")),
        on=key,
        how="inner",
        maintain_order="left",
    )
