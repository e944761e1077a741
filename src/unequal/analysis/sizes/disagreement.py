"""Generation against probability by model size: the same facts at every size, read at equal forgetting."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from unequal.analysis.agreement.contingency import kappa, one_hot
from unequal.analysis.agreement.hidden_knowledge import nearest_to_half
from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.analysis.observations import MIXED, Observations
from unequal.analysis.stats.bootstrap import (
    Array,
    Resampler,
    aligned_means,
    group_intervals,
    index_groups,
    ratio,
)

NEAREST, EXACT = "nearest to half forgotten", "at half forgotten"
SERIES_KEYS = ["series", "model", "n_params", "method", "plain"]


@dataclass(frozen=True)
class Reading:
    """The disagreement of each size and method, read at one point of forgetting.

    ``table`` names the groups; ``samples`` holds arrays (1 + draws, groups) by measure; ``missed`` counts the
    runs that never got to that point.
    """

    table: pl.DataFrame
    samples: dict[str, Array]
    missed: int


def series_labels(observations: Observations) -> pl.DataFrame:
    """Return per run that mixes levels its ``series`` (family and wording), ``corpus``, ``n_models`` and
    ``n_params``; only corpora that at least two sizes were trained on."""
    wording = pl.concat_str(pl.lit(", "), pl.col("wording").fill_null(""))
    several = observations.runs["wording"].n_unique() > 1
    series = pl.concat_str(pl.col("family").fill_null("model"), wording if several else pl.lit(""))
    runs = observations.runs.filter((pl.col("target_kind") == MIXED) & pl.col("n_params").is_not_null())
    runs = runs.with_columns(
        series.alias("series"),
        pl.format("{} #{}", series, pl.col("pretrain_seed").fill_null(0)).alias("corpus"),
    ).with_columns(pl.col("model").n_unique().over("corpus").alias("n_models"))
    return runs.filter(pl.col("n_models") > 1).select(
        "run_id", "base", "series", "corpus", "n_models", pl.col("n_params").mean().over("model")
    )


def known_everywhere(known: pl.DataFrame) -> pl.DataFrame:
    """Return ``corpus`` and ``fact_id`` of the facts that every size of their corpus has a row of."""
    facts = known.group_by("corpus", "fact_id").agg(
        pl.col("model").n_unique().alias("known"), pl.col("n_models").first()
    )
    return facts.filter(pl.col("known") == pl.col("n_models")).select("corpus", "fact_id")


def with_sizes(views: pl.DataFrame, observations: Observations) -> pl.DataFrame:
    """Return the views of models of one series (family and wording) and corpus, of facts known at every size.

    Kept are the facts known both ways at step 0 by all sizes trained on the same corpus, and the never-seen
    ones; only corpora with at least two sizes. Adds ``series``, ``corpus``, ``n_params``, ``start_log_prob``.
    """
    rows = views.join(series_labels(observations), on="run_id", how="inner", maintain_order="left")
    known = pl.col("sample") == "known both ways"
    everywhere = known_everywhere(rows.filter(known & (pl.col("step") == 0)))
    matched = rows.filter(known).join(everywhere, on=["corpus", "fact_id"], how="semi", maintain_order="left")
    start = observations.mixed().select("run_id", "fact_id", "start_log_prob").unique()
    both = pl.concat([matched, rows.filter(pl.col("sample") == "never seen")])
    return both.join(start, on=["run_id", "fact_id"], how="left", maintain_order="left")


def read_at(rows: pl.DataFrame, reading: str, resampler: Resampler, unit: str = "model") -> Reading:
    """Return the disagreement per method and ``unit`` (``model``, or ``base`` for each pre-training alone).

    `NEAREST` reads each run at the evaluated step nearest to half of the matched facts forgotten, `EXACT`
    between the two steps around half, weighted linearly; runs that never forget half are excluded there.
    """
    known = rows.filter(pl.col("sample") == "known both ways")
    never = rows.filter((pl.col("sample") == "never seen") & (pl.col("step") >= 1))
    points = nearest_to_half(known).with_columns(weight=1.0) if reading == NEAREST else around_half(known)
    missed = known["run_id"].n_unique() - points["run_id"].n_unique()
    known, never_read = (
        one.join(points, on=["run_id", "step"], how="inner", maintain_order="left") for one in (known, never)
    )
    keys = [*SERIES_KEYS, *([unit, "corpus"] if unit != "model" else [])]
    table, groups = index_groups(known, keys)
    weight = known["weight"].to_numpy()[:, None]
    sums = resampler.sums(known, groups, _moments(known) * weight, table.height)
    wrong = [_wrong(one) for one in (never_read, never.with_columns(weight=1.0))]
    at, anywhere = (
        aligned_means(resampler, one, ["method", unit], "hidden", table, "weight") for one in wrong
    )
    chance = np.where(np.isnan(at[0]), anywhere, at)  # not scored at that step: all steps at which it was
    return Reading(table, _measures(sums, chance), missed)


def around_half(known: pl.DataFrame) -> pl.DataFrame:
    """Return per run the steps around the first crossing of half forgotten, and their weights."""
    shares = known.group_by("run_id", "step").agg((1 - pl.col("said")).mean().alias("share"))
    rows = []
    for (run,), curve in shares.sort("run_id", "step").group_by("run_id", maintain_order=True):
        step, share = curve["step"].to_numpy(), curve["share"].to_numpy()
        reached = np.flatnonzero(share >= 0.5)
        if len(reached) and reached[0] > 0:
            at = reached[0]
            weight = float((0.5 - share[at - 1]) / (share[at] - share[at - 1]))
            rows += [(run, int(step[at - 1]), 1 - weight), (run, int(step[at]), weight)]
    schema = {"run_id": pl.String, "step": pl.Int64, "weight": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").filter(pl.col("weight") > 0)


def _wrong(never: pl.DataFrame) -> pl.DataFrame:
    return never.filter(pl.col("cell") >= 2).with_columns(
        (pl.col("cell") == 2).cast(pl.Float64).alias("hidden")
    )


def _moments(known: pl.DataFrame) -> Array:
    """Return per row the cells of the 2×2, then of wrong answers: start, start², start × hidden."""
    cells = one_hot(known["cell"].to_numpy())
    start = known["start_log_prob"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    centred = start - np.nanmean(start) if np.isfinite(start).any() else start
    wrong = np.where(cells[:, 2] + cells[:, 3] > 0, centred, 0.0)
    return np.column_stack([cells, wrong, wrong**2, wrong * cells[:, 2]])


def _measures(sums: Array, chance: Array) -> dict[str, Array]:
    cells, start, start_squared, start_hidden = sums[..., :4], *np.moveaxis(sums[..., 4:], -1, 0)
    wrong = cells[..., 2] + cells[..., 3]
    hidden, level = ratio(cells[..., 2], wrong), ratio(start, wrong)
    within = start_squared - np.nan_to_num(level) * start
    together = start_hidden - np.nan_to_num(hidden) * start
    slope = ratio(together.sum(axis=-1, keepdims=True), within.sum(axis=-1, keepdims=True))
    everyone = ratio(start.sum(axis=-1, keepdims=True), wrong.sum(axis=-1, keepdims=True))
    n = cells.sum(axis=-1)
    return {
        "excess": hidden - chance,
        "hidden share": hidden,
        "never-seen share": chance,
        "adjusted excess": hidden - slope * (level - everyone) - chance,
        "kappa": kappa(cells),
        "disagreement": ratio(cells[..., 1] + cells[..., 2], n),
        "forgotten share": ratio(wrong, n),
    }


def size_table(readings: dict[str, Reading]) -> pl.DataFrame:
    """Return per reading, size and method every measure of disagreement with its 95% interval.

    ``excess`` is the hidden share of facts that generation calls forgotten, less that of never-seen facts;
    ``adjusted excess`` is brought to the same starting log-probability. All in [−1, 1].
    """
    parts = [
        pl.concat([one.table, group_intervals(samples)], how="horizontal").with_columns(
            pl.lit(reading).alias("reading"), pl.lit(measure).alias("measure")
        )
        for reading, each in readings.items()
        for one in (each, all_methods(each))
        for measure, samples in one.samples.items()
    ]
    return pl.concat(parts).sort("series", "n_params", "model", "method", "reading", maintain_order=True)


def all_methods(reading: Reading) -> Reading:
    """Return the mean of the plain methods for each model; no groups with fewer than two methods."""
    rows = reading.table.with_row_index("at").filter("plain")
    rows = rows if rows["method"].n_unique() > 1 else rows.clear()
    models = rows.group_by("series", "model", "n_params", "plain", maintain_order=True)
    sizes = [pl.col(name).max() for name in ("n_facts", "n_people", "n_seeds")]
    table = models.agg("at", *sizes, pl.lit(ALL_METHODS).alias("method"))
    samples = {
        measure: np.stack([values[:, at].mean(axis=1) for at in table["at"]], axis=1)
        if table.height
        else values[:, :0]
        for measure, values in reading.samples.items()
    }
    return Reading(table.select(reading.table.columns), samples, reading.missed)
