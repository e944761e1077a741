"""Tables of what is known, for the commands that evaluate a model."""

from collections.abc import Sequence

import polars as pl

from unequal.console import say, show_table
from unequal.evaluation.known_by import Known, KnownBy


def show_means(scores: pl.DataFrame, metrics: Sequence[str]) -> None:
    """Print the mean of each metric for each role and probe."""
    shown = scores.filter(pl.col("metric").is_in(list(metrics)))
    means = shown.group_by("role", "probe", "metric", maintain_order=True).agg(
        pl.col("value").count().alias("facts"), pl.col("value").mean().round(3).alias("mean")
    )
    show_table("Means over facts", means.columns, means.rows())


def show_before_and_after(scores: pl.DataFrame, known_by: KnownBy) -> None:
    """Print the share of facts known before and after unlearning, for each role, asked the question."""
    last = scores["step"].max()
    known = scores.filter(metric=known_by, probe="question").group_by("role", maintain_order=True)
    rows = [
        (str(role), group.filter(step=0).height, *(_share(group.filter(step=step)) for step in (0, last)))
        for (role,), group in known
    ]
    show_table("Before and after", ["facts", "number", "known before", "known after"], rows)


def _share(scores: pl.DataFrame) -> str:
    known = scores["value"].mean()
    return "" if known is None else f"{float(known):.0%}"  # type: ignore[arg-type]


def say_known(known: Known) -> None:
    """Print what is known before anything was done, and a warning where texts and probabilities disagree."""
    say(known.sentence())
    if doubts := known.doubts():
        say(f"warning: {doubts}")
