"""Agreement of generation and probability: the 2×2 table per fact, Cohen's kappa, McNemar's test."""

import numpy as np
import polars as pl
from statsmodels.stats.contingency_tables import mcnemar

from unequal.analysis.observations import MIXED, Observations
from unequal.analysis.stats.bootstrap import Array, Resampler, index_groups, named_intervals, ratio
from unequal.analysis.stats.estimates import Schema

KEYS = ["model", "method", "sample", "exposure", "step"]
CELLS = ["both", "generation_only", "probability_only", "neither"]
EXACT_BELOW = 25  # discordant pairs


def kappa(cells: Array) -> Array:
    """Return Cohen's kappa (Cohen 1960) of 2×2 cells (..., 4) ordered as `CELLS`; 1 agree, 0 chance, NaN
    undefined."""
    both, generation, probability, neither = np.moveaxis(cells, -1, 0)
    n = cells.sum(axis=-1)
    observed = ratio(both + neither, n)
    said_known = (both + generation) * (both + probability)
    said_unknown = (probability + neither) * (generation + neither)
    expected = ratio(said_known + said_unknown, n * n)
    return ratio(observed - expected, 1 - expected)


def mcnemar_p(generation_only: int, probability_only: int) -> float:
    """Return McNemar's two-sided p that both say "known" equally often; exact below 25 discordant pairs.

    Facts are taken as independent, so it only describes; verdicts rest on the cluster bootstrap.
    """
    exact = generation_only + probability_only < EXACT_BELOW
    table = [[0, generation_only], [probability_only, 0]]
    return float(mcnemar(table, exact=exact, correction=True).pvalue)


def both_views(observations: Observations) -> pl.DataFrame:
    """Return one row per run, step and fact with ``cell`` 0–3 of the 2×2 and its ``sample``.

    Samples: ``known both ways`` at step 0, ``all`` forget facts, and ``never seen`` ones, where agreement
    is chance.
    """
    forget = observations.mixed().drop_nulls(["said", "choice_accuracy"])
    columns = ["run_id", "model", "method", "plain", "exposure", "step", "fact_id", "person", "seed_cluster"]
    columns += ["said", "choice_accuracy"]
    known = forget.filter(pl.col("known") & pl.col("known_choice"))
    generation = observations.pick("question", "said", ["never_seen"])
    choice = observations.pick("question", "choice_accuracy", ["never_seen"])
    never = generation.rename({"value": "said"}).join(
        choice.select("run_id", "step", "fact_id", pl.col("value").alias("choice_accuracy")),
        on=["run_id", "step", "fact_id"],
        how="inner",
        maintain_order="left",
    )
    never = never.filter(pl.col("target_kind") == MIXED)
    parts = {"known both ways": known, "all": forget, "never seen": never}
    rows = pl.concat(
        [part.select(columns).with_columns(pl.lit(name).alias("sample")) for name, part in parts.items()]
    )
    right, chosen = pl.col("said") == 1, pl.col("choice_accuracy") == 1
    cell = pl.when(right & chosen).then(0).when(right).then(1).when(chosen).then(2).otherwise(3)
    return rows.with_columns(cell.alias("cell"))


def agreement(views: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return the 2×2 counts per model, method, sample, level and step, kappa and disagreement with 95%
    intervals.

    ``exposure`` is null in the rows over all levels. ``disagreement`` is the share of facts on which the
    two differ.
    """
    pooled = views.with_columns(pl.lit(None, pl.Int64).alias("exposure"))
    levels = views.filter(pl.col("sample") != "never seen")
    rows = pl.concat([levels, pooled])
    if rows.is_empty():
        return _empty()
    table, groups = index_groups(rows, KEYS)
    cells = resampler.sums(rows, groups, one_hot(rows["cell"].to_numpy()), table.height)
    counts = pl.DataFrame(cells[0].round().astype(np.int64), schema=CELLS)
    differ = ratio(cells[..., 1] + cells[..., 2], cells.sum(axis=-1))
    tests = [mcnemar_p(row["generation_only"], row["probability_only"]) for row in counts.to_dicts()]
    return pl.concat(
        [
            table,
            counts,
            named_intervals(kappa(cells), "kappa", "kappa undefined: both say the same of every fact"),
            named_intervals(differ, "disagreement").drop("reason"),
            pl.DataFrame({"mcnemar_p": tests}),
        ],
        how="horizontal",
    )


def one_hot(cell: np.ndarray) -> Array:
    """Return cell numbers 0–3 as indicator rows of shape (facts, 4)."""
    return np.asarray(np.eye(4)[cell])


def _empty() -> pl.DataFrame:
    floats = ["kappa", "kappa_low", "kappa_high", "disagreement", "disagreement_low", "disagreement_high"]
    schema: Schema = {"model": pl.String, "method": pl.String, "sample": pl.String}
    schema |= dict.fromkeys(["exposure", "step", "n_facts", "n_people", "n_seeds", *CELLS], pl.Int64)
    schema |= dict.fromkeys([*floats, "mcnemar_p"], pl.Float64)
    return pl.DataFrame(schema={**schema, "reason": pl.String})
