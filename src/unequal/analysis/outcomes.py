"""Outcomes: the forgotten share per run and fact, averaged over steps or read at equal utility."""

import polars as pl

from unequal.analysis.covariates import ANSWER_TOKENS, OBJECT_RARITY
from unequal.analysis.stats.bootstrap import PATH

EQUAL_STEPS = "equal steps"
UTILITY_BUDGETS = (0.05, 0.10)
LABELS = [
    "model",
    "base",
    "method",
    "plain",
    "target_kind",
    "target",
    "seed_cluster",
    "run_id",
    "fact_id",
    "person",
    "relation",
    "exposure",
    "log2_exposure",
    "count",
    "start_log_prob",
    ANSWER_TOKENS,
    OBJECT_RARITY,
]


def at_budget(budget: float) -> str:
    """Return the comparison's name for a utility budget."""
    return f"equal utility (−{budget:.0%})"


def at_equal_steps(forget: pl.DataFrame) -> pl.DataFrame:
    """Return per run and fact ``forgotten`` in [0, 1]: the share of evaluated steps ≥ 1 at which it was
    wrong.

    The area over the forgetting curve with evaluated steps equally weighted; higher is easier to unlearn.
    """
    rows = forget.filter((pl.col("step") >= 1) & pl.col("said").is_not_null())
    return (
        rows.group_by(LABELS)
        .agg((1 - pl.col("said")).mean().alias("forgotten"))
        .with_columns(pl.lit(None, pl.List(pl.Float64)).alias(PATH), pl.lit(EQUAL_STEPS).alias("comparison"))
        .sort("run_id", "fact_id")
    )


def forgotten_at_utility(forget: pl.DataFrame, readings: pl.DataFrame, budget: float) -> pl.DataFrame:
    """Return per run and fact ``forgotten`` in [0, 1], read where the run's utility has fallen by the budget.

    ``readings`` comes from `budget_steps`; between two evaluated steps the value is interpolated.
    ``forgotten_path`` is what it is at every evaluated step of the run.
    """
    rows = forget.filter(pl.col("said").is_not_null()).join(readings, on="run_id", how="inner")
    before = pl.col("said").filter(pl.col("step") == pl.col("step_before")).first()
    after = pl.col("said").filter(pl.col("step") == pl.col("step_after")).first()
    weight = pl.col("weight_after").first()
    remaining = pl.when(weight < 1).then(weight * after + (1 - weight) * before).otherwise(after)
    return (
        rows.group_by(LABELS)
        .agg((1 - remaining).alias("forgotten"))
        .drop_nulls("forgotten")
        .join(_paths(rows), on=["run_id", "fact_id"], how="left")
        .with_columns(pl.lit(at_budget(budget)).alias("comparison"))
        .sort("run_id", "fact_id")
    )


def _paths(rows: pl.DataFrame) -> pl.DataFrame:
    """Return per run and fact ``forgotten_path``, one value a step of the run's ``steps``.

    Null where the fact was not asked at all of them.
    """
    asked = rows.filter(pl.col("step").is_in(pl.col("steps")))
    path = (1 - pl.col("said")).sort_by("step")
    whole = pl.len() == pl.col("steps").first().list.len()
    return asked.group_by("run_id", "fact_id").agg(pl.when(whole).then(path.implode()).alias(PATH))
