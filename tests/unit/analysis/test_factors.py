"""Factors ranked by explained variance: against hand-worked regressions and against simulated truth."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from polars.testing import assert_frame_equal

from simulated_factors import EXPOSURES, MODELS, FactorsTruth, simulate_factors
from unequal.analysis.effects.dose_response import ALL_METHODS, NOTHING, START
from unequal.analysis.factors.between_models import FEW
from unequal.analysis.factors.levels import factor_levels
from unequal.analysis.factors.ranking import (
    ALIASED,
    DOES_NOT_MATTER,
    EXCLUDED,
    FORGOTTEN,
    KNOWN,
    MATTERS,
    OPEN,
    TOGETHER,
    factor_effects,
    matters,
)
from unequal.analysis.factors.rows import read_factors
from unequal.analysis.stats.bootstrap import make_resampler
from unequal.analysis.stats.explained import explained, explained_between, regress
from unequal.corpus.factors import FACTORS
from unequal.errors import DataError

EFFECTS = {"exposure": -0.15, "asked": -0.2, "answer_length": 0.1, "family": 0.06}
TRUTH = FactorsTruth(effects=EFFECTS, model=0.02)


def effects_of(truth, seed=0, draws=1000):
    made = simulate_factors(truth, seed)
    return factor_effects(made.outcomes, made.observations, made.factors, made.resampler(seed, draws))


def main_rows(table, outcome=FORGOTTEN, adjusted_for=NOTHING, method=ALL_METHODS):
    rows = table.filter(
        (pl.col("outcome") == outcome)
        & (pl.col("adjusted_for") == adjusted_for)
        & (pl.col("method") == method)
    )
    return {row["factor"]: row for row in rows.to_dicts()}


@pytest.fixture(scope="module")
def table():
    return effects_of(replace(TRUTH, repeats=2))


def regression(columns, y, strata, clusters):
    """Return our regression of a plain data set, people being the clusters."""
    rows = pl.DataFrame({"person": [f"p{n}" for n in clusters], "seed_cluster": "0"})
    values = np.column_stack([y, columns])
    resampler = make_resampler(rows["person"].to_list(), ["0"], 0, 200)
    return regress(rows, values - values.mean(axis=0), strata, np.asarray(clusters), resampler)


@pytest.fixture(scope="module")
def plain_data():
    rng = np.random.default_rng(3)
    n = 240
    x = rng.normal(size=(n, 3))
    x[:, 1] += 0.6 * x[:, 0]
    strata, clusters = rng.integers(0, 3, n), np.repeat(np.arange(n // 2), 2)
    y = x @ [0.5, -0.3, 0.0] + strata + np.repeat(rng.normal(size=n // 2), 2) + rng.normal(size=n)
    return x, y, strata, clusters


def test_slopes_and_their_covariance_are_those_of_statsmodels(plain_data):
    x, y, strata, clusters = plain_data
    fit = regression(x, y, strata, clusters)
    dummies = (strata[:, None] == np.arange(3)).astype(float)
    peer = sm.OLS(y, np.column_stack([x, dummies])).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}
    )
    assert fit.slopes[0] == pytest.approx(peer.params[:3])
    n = clusters.max() + 1
    assert fit.covariance * (n - 1) / n == pytest.approx(peer.cov_params()[:3, :3])
    assert fit.left == pytest.approx(peer.resid)


@pytest.mark.parametrize("left_out", [[0], [1], [0, 2], [0, 1, 2]], ids=str)
def test_a_share_is_what_r_squared_falls_by_less_chance(plain_data, left_out):
    x, y, strata, clusters = plain_data
    fit = regression(x, y, strata, clusters)
    dummies = (strata[:, None] == np.arange(3)).astype(float)

    def residual(columns):
        peer = sm.OLS(y, np.column_stack([x[:, columns], dummies])).fit()
        return peer.ssr

    total = sm.OLS(y, dummies).fit().ssr
    fall = (residual([n for n in range(3) if n not in left_out]) - residual([0, 1, 2])) / total
    block = np.ix_(left_out, left_out)
    chance = np.trace(np.linalg.inv(fit.inverse[block]) @ fit.covariance[block]) / total
    assert explained(fit, left_out).share == pytest.approx(fall - chance)
    assert 0 < chance < 0.05


def test_effects_become_shares(plain_data):
    fit = regression(*plain_data)
    assert explained_between(fit, 0, -0.1, 0.4)[0] == 0
    low, high = explained_between(fit, 0, 0.4, 0.6)
    assert 0 < low < explained(fit, [0]).share < high < 1
    assert explained_between(fit, 0, -0.6, -0.4) == pytest.approx((low, high))


def test_a_column_that_others_make_up_has_no_slope_and_no_share(plain_data):
    x, y, strata, clusters = plain_data
    fit = regression(np.column_stack([x, x[:, 0] - x[:, 1]]), y, strata, clusters)
    assert np.isnan(fit.slopes[0, [0, 1, 3]]).all()
    assert np.isfinite(fit.slopes[0, 2])
    assert explained(fit, [0]).share is None


def test_effects_and_shares_are_recovered_and_ranked(table):
    rows = main_rows(table)
    assert set(rows) == {"exposure", "size", "family", *FACTORS, TOGETHER}
    for name in ("exposure", *FACTORS):
        row, effect = rows[name], EFFECTS.get(name, 0.0)
        assert row["low"] < effect < row["high"]
        assert row["value"] == pytest.approx(effect, abs=0.05)
        assert row["share_low"] <= TRUTH.share(name) <= row["share_high"]
        assert row["share"] == pytest.approx(TRUTH.share(name), abs=0.06)
    ranked = sorted((row for row in rows.values() if row["rank"]), key=lambda row: row["rank"])
    assert [row["rank"] for row in ranked] == list(range(1, 12))
    assert [row["share"] for row in ranked] == sorted((row["share"] for row in ranked), reverse=True)
    assert ranked[0]["factor"] == "asked"
    assert {name for name, row in rows.items() if row["verdict"] == MATTERS} >= {"asked", "answer_length"}


@pytest.mark.parametrize(
    ("low", "high", "p", "expected"),
    [
        (-0.2, -0.06, 0.004, MATTERS),
        (0.01, 0.2, 0.03, MATTERS),
        (0.01, 0.2, 0.06, OPEN),
        (-0.1, 0.1, 0.9, OPEN),
        (-0.04, 0.04, 0.9, DOES_NOT_MATTER),
        (0.01, 0.04, 0.001, DOES_NOT_MATTER),
        (None, None, None, OPEN),
        (None, None, 0.01, MATTERS),
    ],
)
def test_the_rule_of_what_matters(low, high, p, expected):
    assert matters(low, high, p) == expected


def test_levels_are_named_and_the_sum_of_shares_is_about_the_whole(table):
    rows = main_rows(table)
    assert (rows["exposure"]["low_level"], rows["exposure"]["high_level"]) == ("56×", "448×")
    assert (rows["asked"]["low_level"], rows["asked"]["high_level"]) == ("no", "yes")
    assert (rows["size"]["low_level"], rows["size"]["high_level"]) == ("0.4M", "0.6M")
    assert (rows["family"]["low_level"], rows["family"]["high_level"]) == ("gpt2", "llama")
    whole = rows.pop(TOGETHER)
    assert whole["share"] == pytest.approx(sum(row["share"] for row in rows.values()), abs=0.03)
    assert whole["share_low"] < whole["share"] < whole["share_high"]
    assert whole["value"] is None and whole["reason"]


def test_each_method_alone_and_known_before_are_there_too(table):
    assert set(table.filter(pl.col("outcome") == FORGOTTEN)["method"]) == {ALL_METHODS, "ga", "npo"}
    for method in ("ga", "npo"):
        assert main_rows(table, method=method)["asked"]["value"] == pytest.approx(-0.2, abs=0.05)
    known = main_rows(effects_of(replace(TRUTH, repeats=2, known={"recency": 0.3}), draws=300), KNOWN)
    assert known["recency"]["value"] == pytest.approx(0.25, abs=0.06)  # cut off at certainty
    assert abs(known["asked"]["value"]) < 0.06


def test_what_acts_through_starting_confidence_goes_when_it_is_held_equal():
    truth = FactorsTruth(start={"asked": 0.6}, of_start=-0.25, repeats=2)
    found = effects_of(truth, draws=300)
    assert main_rows(found)["asked"]["value"] == pytest.approx(-0.15, abs=0.04)
    assert main_rows(found, adjusted_for=START)["asked"]["value"] == pytest.approx(0.0, abs=0.05)


def test_factors_that_come_only_together_are_told_apart_by_nobody():
    two = tuple(model for model in MODELS if model[0] + model[1] in ("gpt20.4M", "llama0.6M"))
    rows = main_rows(effects_of(replace(TRUTH, models=two), draws=100))
    for name in ("size", "family"):
        assert rows[name]["value"] is None and rows[name]["share"] is None
        assert rows[name]["reason"] == ALIASED
    assert rows["asked"]["value"] is not None


def test_factors_of_models_need_more_models_than_kinds():
    rows = main_rows(effects_of(replace(TRUTH, pretrain_seeds=(0,), models=MODELS[:2]), draws=100))
    assert rows["size"]["value"] is not None
    assert (rows["size"]["low"], rows["size"]["p"], rows["size"]["share_low"]) == (None, None, None)
    assert rows["size"]["reason"] == FEW
    assert "family" not in rows


def test_three_families_have_a_share_but_no_single_effect():
    models = (*MODELS[::2], ("olmo2", "0.4M", 400_000))
    row = main_rows(effects_of(replace(TRUTH, models=models), draws=200))["family"]
    assert row["value"] is None and "several unordered levels" in row["reason"]
    assert row["share"] > 0 and row["p"] is not None and row["high_level"] == "others"


def test_a_level_that_was_hardly_known_leaves_its_factor_out_by_name():
    rows = main_rows(effects_of(replace(TRUTH, known={"recency": 1.6}), draws=100))
    assert rows["recency"]["verdict"] == EXCLUDED and rows["recency"]["rank"] is None
    assert rows["recency"]["reason"].startswith("level early: only")
    assert rows["asked"]["verdict"] != EXCLUDED


def test_what_does_not_vary_has_effects_of_nothing_and_no_shares():
    known = main_rows(effects_of(TRUTH, draws=50), KNOWN)
    assert known["asked"]["share"] is not None
    certain = replace(TRUTH, chance=1.0)
    for row in main_rows(effects_of(certain, draws=50), KNOWN).values():
        assert (row["share"], row["share_low"], row["share_high"]) == (None, None, None)
        assert row["value"] in (0.0, None)


def test_fewer_factors_and_none():
    rows = main_rows(effects_of(replace(TRUTH, cross=("asked",), repeats=16), draws=100))
    assert set(rows) == {"exposure", "asked", "size", "family", TOGETHER}
    made = simulate_factors(TRUTH)
    nothing = factor_effects(made.outcomes, made.observations, None, made.resampler(draws=10))
    assert nothing.is_empty() and nothing.schema == effects_of(TRUTH, draws=10).schema


def test_the_order_of_rows_changes_nothing():
    made = simulate_factors(TRUTH)
    tables = [
        factor_effects(outcomes, made.observations, factors, made.resampler(draws=50))
        for outcomes, factors in (
            (made.outcomes, made.factors),
            (made.outcomes.sample(fraction=1, shuffle=True, seed=1), made.factors.reverse()),
        )
    ]
    assert_frame_equal(*[one.sort("outcome", "method", "adjusted_for", "factor") for one in tables])


def test_levels_say_what_was_known_and_forgotten():
    made = simulate_factors(replace(TRUTH, repeats=2))
    table = factor_levels(made.outcomes, made.observations, made.factors, made.resampler(draws=100))
    rows = {(row["factor"], row["level"]): row for row in table.to_dicts()}
    assert [level for factor, level in rows if factor == "exposure"] == [f"{n}×" for n in EXPOSURES]
    n_facts = 2 * 2 * 2 * 16 * len(EXPOSURES)  # relations, seeds, repeats, runs
    assert rows["asked", "yes"]["n_facts"] == n_facts / 2
    assert rows["asked", "yes"]["known_share"] == pytest.approx(0.9, abs=0.05)
    gap = rows["asked", "yes"]["forgotten"] - rows["asked", "no"]["forgotten"]
    assert gap == pytest.approx(EFFECTS["asked"], abs=0.05)
    assert rows["asked", "yes"]["forgotten_low"] < rows["asked", "yes"]["forgotten"]
    assert rows["family", "llama"]["n_people"] == rows["family", "gpt2"]["n_people"]


def test_a_broken_table_of_factors_is_refused(tmp_path):
    path = tmp_path / "factors.parquet"
    assert read_factors(path) is None
    path.write_text("no table")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        read_factors(path)
    pl.DataFrame({"fact_id": ["a"], "wording": ["rerendered"], "asked": ["yes"]}).write_parquet(path)
    with pytest.raises(DataError, match="lacks the column pretrain_seed"):
        read_factors(path)


def long_run(truth, repetitions, draws):
    """Return per factor, of many studies: bias, coverage, how often off 0, bias and coverage of shares."""
    rows = []
    for repetition in range(repetitions):
        for name, row in main_rows(effects_of(truth, repetition, draws)).items():
            effect, share = truth.effects.get(name, 0.0), truth.share(name)
            if name == TOGETHER:
                share = sum(map(truth.share, truth.effects))
                rows.append({"factor": name, "share": row["share"] - share})
                continue
            rows.append(
                {
                    "factor": name,
                    "bias": row["value"] - effect,
                    "covered": row["low"] <= effect <= row["high"],
                    "off": row["low"] > 0 or row["high"] < 0,
                    "share": row["share"] - share,
                    "share_covered": row["share_low"] <= share <= row["share_high"],
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None).group_by("factor").agg(pl.all().mean())


def check_long_run(found, truth, covered, false):
    people = found.filter(pl.col("factor").is_in([*FACTORS, "exposure"]))
    assert people["bias"].abs().max() < 0.012
    assert people["share"].abs().max() < 0.012
    assert people["covered"].min() >= covered
    assert people["share_covered"].min() >= covered
    assert people.filter(~pl.col("factor").is_in(list(truth.effects)))["off"].mean() <= false
    models = found.filter(pl.col("factor").is_in(["size", "family"]))
    assert models["bias"].abs().max() < 0.012
    assert models["covered"].min() >= covered
    assert abs(found.filter(pl.col("factor") == TOGETHER)["share"][0]) < 0.03


@pytest.mark.full
def test_effects_and_shares_are_unbiased_and_covered():
    found = long_run(TRUTH, repetitions=20, draws=150)
    check_long_run(found, TRUTH, covered=0.8, false=0.06)  # 0.95 less three standard errors of 20


@pytest.mark.slow
@pytest.mark.parametrize(
    "truth",
    [TRUTH, FactorsTruth(model=0.02), replace(TRUTH, pretrain_seeds=(0, 1, 2))],
    ids=["effects", "null", "three seeds"],
)
def test_in_a_long_run_intervals_cover_and_nulls_are_left_alone(truth):
    check_long_run(long_run(truth, repetitions=200, draws=300), truth, covered=0.92, false=0.05)
