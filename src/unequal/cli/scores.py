"""A short table of scores by role, for the commands that judge a model."""

import polars as pl

from unequal.console import show_table

SHOWN = ("exact_match", "answer_prob", "choice_accuracy")


def show_scores(title: str, scores: pl.DataFrame, by: list[str]) -> None:
    """Print the mean of the main metrics for each role and probe, and each of ``by`` (such as the step)."""
    means = (
        scores.filter(pl.col("metric").is_in(SHOWN))
        .group_by([*by, "role", "probe", "metric"], maintain_order=True)
        .agg(pl.col("value").mean().round(3))
        .pivot("metric", index=[*by, "role", "probe"], values="value")
    )
    show_table(title, means.columns, means.rows())
