"""The disagreement over model sizes: matched facts, the slope, its interval, and what it decides."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm

from simulated_sizes import SizesTruth, simulate_sizes
from unequal.analysis.agreement.contingency import both_views
from unequal.analysis.analyze import analyze_scores
from unequal.analysis.observations import observe
from unequal.analysis.sizes.disagreement import EXACT, NEAREST, with_sizes
from unequal.analysis.sizes.trend import sizes
from unequal.analysis.stats.bootstrap import make_resampler
from unequal.analysis.verdicts import NOT_DECIDABLE, REFUTED, SUPPORTED, UNDECIDED

LARGE = SizesTruth(slope=0.15, middle=0.3, people=120, never_seen=80)
NULL = replace(LARGE, slope=0.0)


def verdict(truth, seed=0, draws=200):
    found = analyze_scores(simulate_sizes(truth, seed), draws=draws).verdicts
    return next(one for one in found if one.claim == "C5")


def trends(truth, seed=0, draws=100):
    """Return the analysis's two tables of sizes for one simulated study."""
    scores = simulate_sizes(truth, seed).filter(
        pl.col("metric").is_in(["said", "choice_accuracy", "answer_log_prob"])
    )
    observations = observe(scores)
    people, seeds = (observations.scores[name].unique().to_list() for name in ("person", "seed_cluster"))
    return sizes(both_views(observations), observations, make_resampler(people, seeds, seed, draws))


def overall(table, reading=NEAREST, adjusted_for="nothing"):
    rows = table.filter(
        (pl.col("method") == "all methods")
        & (pl.col("reading") == reading)
        & (pl.col("adjusted_for") == adjusted_for)
    )
    return rows.row(0, named=True)


def test_a_large_trend_is_found_at_both_readings():
    one = verdict(LARGE)
    assert one.verdict == SUPPORTED and one.low < 0.15 < one.high
    assert one.n_people == 120 and one.n_seeds == 2
    assert any(EXACT in detail for detail in one.details)


@pytest.mark.full
def test_the_opposite_trend_refutes():
    assert verdict(replace(LARGE, slope=-0.15)).verdict == REFUTED


@pytest.mark.full
def test_without_a_trend_nothing_is_supported():
    one = verdict(NULL)
    assert one.verdict in (UNDECIDED, REFUTED) and one.low < 0 < one.high


@pytest.mark.full
def test_fewer_than_four_sizes_decide_nothing_but_are_shown():
    truth = replace(LARGE, sizes=LARGE.sizes[:3], people=40)
    one = verdict(truth, draws=40)
    assert one.verdict == NOT_DECIDABLE and "at least 4 model sizes" in one.why and "here are 3" in one.why
    assert trends(truth)[0]["model"].n_unique() == 3


def test_one_size_has_no_rows():
    by_size, slopes = trends(replace(LARGE, sizes=(200_000,), people=20))
    assert by_size.is_empty() and slopes.is_empty()


def test_only_facts_that_every_size_knew_take_part():
    truth = replace(NULL, known=(0.5, 0.9, 0.9, 0.9), people=60)
    observations = observe(simulate_sizes(truth))
    views = both_views(observations)
    rows = with_sizes(views, observations).filter(pl.col("sample") == "known both ways")
    by_size = dict(rows.group_by("model").agg(pl.col("fact_id").unique().sort()).rows())
    assert len(by_size) == 4 and len({tuple(facts) for facts in by_size.values()}) == 1
    smallest = views.filter((pl.col("sample") == "known both ways") & (pl.col("model") == "gpt2 200000"))
    assert 0 < len(by_size["gpt2 200000"]) < smallest["fact_id"].n_unique()


@pytest.mark.full
def test_a_size_that_knows_nothing_leaves_nothing_to_compare():
    assert verdict(replace(LARGE, known=(0, 1, 1, 1), people=40), draws=20).verdict == NOT_DECIDABLE


def test_sizes_that_forget_at_another_pace_are_read_at_equal_forgetting():
    by_size, _ = trends(replace(LARGE, speed=0.8))
    forgotten = by_size.filter((pl.col("measure") == "forgotten share") & (pl.col("method") == "all methods"))
    exact = forgotten.filter(pl.col("reading") == EXACT)["value"]
    np.testing.assert_allclose(exact, 0.5, atol=1e-9)
    assert forgotten.filter(pl.col("reading") == NEAREST)["value"].std() > 0.01


def test_the_slope_and_its_interval_through_the_models_are_those_of_least_squares():
    truth = replace(LARGE, pretrain_seeds=(0, 1, 2), seeds=(0,), methods=("ga",), people=40, model_spread=0.2)
    _, slopes = trends(truth)
    row = slopes.filter((pl.col("reading") == NEAREST) & (pl.col("adjusted_for") == "nothing")).row(
        0, named=True
    )
    scores = simulate_sizes(truth)
    observations = observe(scores)
    views = with_sizes(both_views(observations), observations)
    read = views.filter(pl.col("sample") == "known both ways").filter(pl.col("step") >= 1)
    share = read.group_by("run_id", "step").agg((1 - pl.col("said")).mean().alias("share"))
    share = share.with_columns((pl.col("share") - 0.5).abs().alias("away")).sort("run_id", "away", "step")
    steps = share.group_by("run_id", maintain_order=True).agg(pl.col("step").first())
    wrong = views.join(steps, on=["run_id", "step"]).filter(pl.col("cell") >= 2)
    hidden = wrong.with_columns((pl.col("cell") == 2).alias("hidden"))
    means = hidden.group_by("base", "corpus", "n_params", "sample").agg(pl.col("hidden").mean())
    wide = means.pivot("sample", index=["base", "corpus", "n_params"], values="hidden").sort("base")
    x = np.log2(wide["n_params"].to_numpy())
    corpora = wide["corpus"].to_dummies().to_numpy()
    y = (wide["known both ways"] - wide["never seen"]).to_numpy()
    fit = sm.OLS(y, np.column_stack([x, corpora])).fit()
    half = (row["models_high"] - row["models_low"]) / 2
    assert half == pytest.approx((fit.conf_int()[0, 1] - fit.conf_int()[0, 0]) / 2)
    assert row["value"] == pytest.approx(fit.params[0], abs=0.03)  # pooled over corpora, not their mean
    assert row["models_low"] < row["people_low"]  # pre-trainings differ by more than people do
    assert row["low"] == min(row["people_low"], row["models_low"])
    assert row["high"] == max(row["people_high"], row["models_high"])
    assert row["n_models"] == 12 and row["n_sizes"] == 4


def test_starting_confidence_that_differs_between_facts_is_adjusted_for():
    """Where what started more probable stays hidden, and larger models start so, nothing is left."""
    rng = np.random.default_rng(0)
    scores = simulate_sizes(replace(NULL, methods=("ga",), people=400, middle=0.0, person_spread=0.0))
    start = rng.normal(0, 1, 1600)
    keys = (
        scores.select("n_params", "fact_id", "role")
        .unique(maintain_order=True)
        .filter(pl.col("role") == "forget")
    )
    size = np.log2(keys["n_params"].to_numpy() / 200_000)
    start = start + 0.5 * size
    keys = keys.with_columns(start=start, stays=rng.random(1600) < np.clip(0.3 + 0.15 * start, 0, 1))
    scores = scores.join(keys, on=["n_params", "fact_id", "role"], how="left", maintain_order="left")
    exact = scores.filter(pl.col("metric") == "said").select("run_id", "fact_id", "step", right="value")
    scores = scores.join(exact, on=["run_id", "fact_id", "step"], how="left", maintain_order="left")
    forget, first = pl.col("role") == "forget", pl.col("step") == 0
    value = (
        pl.when(forget & (pl.col("metric") == "choice_accuracy"))
        .then(((pl.col("right") == 1) | pl.col("stays")).cast(pl.Float64))
        .when(forget & first & (pl.col("metric") == "answer_log_prob"))
        .then(pl.col("start"))
        .otherwise("value")
    )
    scores = scores.with_columns(value.alias("value")).drop("start", "stays", "right")
    observations = observe(scores)
    people, seeds = (observations.scores[name].unique().to_list() for name in ("person", "seed_cluster"))
    _, slopes = sizes(both_views(observations), observations, make_resampler(people, seeds, 0, 20))
    rows = {
        row["adjusted_for"]: row["value"] for row in slopes.filter(pl.col("reading") == NEAREST).to_dicts()
    }
    adjusted = rows["starting log-probability"]
    assert rows["nothing"] - adjusted == pytest.approx(0.5 * 0.15, abs=0.02)
    assert adjusted == pytest.approx(0.0, abs=0.05)


def coverage(truth, repetitions, draws=150):
    """Return how often the interval covers the truth, how often it lies off zero, and the mean slope."""
    rows = [overall(trends(truth, seed, draws)[1]) for seed in range(repetitions)]
    covered = np.mean([row["low"] <= truth.slope <= row["high"] for row in rows])
    off = np.mean([row["low"] > 0 or row["high"] < 0 for row in rows])
    return covered, off, np.mean([row["value"] for row in rows])


LIGHT = SizesTruth(people=60, never_seen=40, methods=("ga", "npo"), seeds=(0,), speed=0.5)


@pytest.mark.full
def test_without_a_trend_the_interval_seldom_lies_off_zero():
    _, off, mean = coverage(replace(LIGHT, model_spread=0.06), repetitions=12, draws=60)
    assert off <= 0.25 and mean == pytest.approx(0, abs=0.04)


@pytest.mark.slow
@pytest.mark.parametrize("pretrain_seeds", [(0,), (0, 1, 2)], ids=len)
@pytest.mark.parametrize("model_spread", [0.0, 0.06])
@pytest.mark.parametrize("slope", [0.0, 0.06])
def test_in_a_long_run_the_interval_covers_the_truth(pretrain_seeds, model_spread, slope):
    """Also where pre-trainings of one size differ, which a bootstrap over people and seeds cannot see."""
    truth = replace(LIGHT, slope=slope, model_spread=model_spread, pretrain_seeds=pretrain_seeds)
    covered, off, mean = coverage(truth, repetitions=150)
    assert covered >= 0.90  # 0.95 less three standard errors
    assert mean == pytest.approx(slope, abs=0.012)
    assert slope or off <= 0.10
