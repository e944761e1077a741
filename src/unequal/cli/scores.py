"""A short table of scores by role, for the commands that judge a model."""

import polars as pl

from unequal.console import say, show_table
from unequal.evaluation.known_by import KNOWN_BY, Known, KnownBy

SHOWN = ("answer_said", "exact_match", "answer_prob", "choice_accuracy")


def show_scores(title: str, scores: pl.DataFrame, by: list[str], known_by: KnownBy = KNOWN_BY) -> None:
    """Print the mean of the main metrics for each role and probe, and each of ``by`` (such as the step).

    The reading ``known_by`` comes first.
    """
    shown = list(dict.fromkeys((known_by, *SHOWN)))
    order = pl.Enum(shown)
    means = (
        scores.filter(pl.col("metric").is_in(shown))
        .sort(pl.col("metric").cast(order), maintain_order=True)
        .group_by([*by, "role", "probe", "metric"], maintain_order=True)
        .agg(pl.col("value").mean().round(3))
        .pivot("metric", index=[*by, "role", "probe"], values="value")
    )
    show_table(title, means.columns, means.rows())


def say_known(known: Known) -> None:
    """Print what is known before anything was done, and a warning where texts and probabilities disagree."""
    say(known.sentence())
    if doubts := known.doubts():
        say(f"warning: {doubts}")
