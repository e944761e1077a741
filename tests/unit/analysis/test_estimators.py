"""Estimators against hand-worked numbers."""

import numpy as np
import polars as pl
import pytest

from unequal.analysis.agreement.contingency import kappa, mcnemar_p
from unequal.analysis.agreement.true_false import d_prime
from unequal.analysis.effects.dose_response import START, slope_samples
from unequal.analysis.effects.steps_to_forget import steps_to_forget, survival_medians
from unequal.analysis.outcomes import LABELS, forgotten_at_utility
from unequal.analysis.stats.bootstrap import make_resampler
from unequal.analysis.utility.cost import loss_at
from unequal.analysis.utility.retained import budget_steps, utility_by_run


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ((20, 5, 10, 15), 0.4),  # Po = .7, Pe = .5: the textbook example
        ((10, 0, 0, 10), 1.0),
        ((25, 25, 25, 25), 0.0),
        ((0, 10, 10, 0), -1.0),
    ],
)
def test_kappa_is_the_hand_worked_one(cells, expected):
    assert kappa(np.array(cells, dtype=float)) == pytest.approx(expected)


def test_kappa_is_undefined_when_both_always_say_the_same():
    assert np.isnan(kappa(np.array([12.0, 0, 0, 0])))


def test_mcnemar_is_exact_below_25_discordant_pairs_and_chi_square_above():
    assert mcnemar_p(1, 7) == pytest.approx(2 * (1 + 8) / 2**8)  # binomial tail: 0.0703
    assert mcnemar_p(0, 0) == 1.0
    assert mcnemar_p(10, 40) == pytest.approx(4.13e-5, rel=0.02)  # (|10−40|−1)²/50 = 16.82


def test_d_prime_is_the_hand_worked_one_with_the_log_linear_correction():
    # 9 of 10 hits and 2 of 10 false alarms: z(9.5/11) − z(2.5/11) = 1.0968 + 0.7479
    assert d_prime(*map(np.float64, (9, 10, 2, 10))) == pytest.approx(1.8447, abs=1e-3)
    assert d_prime(*map(np.float64, (5, 10, 5, 10))) == pytest.approx(0)
    assert np.isfinite(d_prime(*map(np.float64, (10, 10, 0, 10))))


def trajectories(paths, steps=(0, 1, 2, 5)):
    rows = [
        {
            "run_id": "r",
            "exposure": 30,
            "model": "m",
            "method": "ga",
            "target_kind": "mixed levels",
            "fact_id": f"f{n}",
            "person": f"p{n}",
            "seed_cluster": "0",
            "step": step,
            "said": float(right),
        }
        for n, path in enumerate(paths)
        for step, right in zip(steps, path, strict=True)
    ]
    return pl.DataFrame(rows)


def test_steps_to_forget_counts_only_forgetting_for_good():
    paths = [(1, 0, 0, 0), (1, 0, 1, 0), (1, 1, 1, 1), (1, 1, 0, 0)]
    times = steps_to_forget(trajectories(paths))
    assert times["time"].to_list() == [1, 5, 5, 2]
    assert times["forgotten"].to_list() == [True, True, False, True]


def test_the_kaplan_meier_median_is_the_hand_worked_one():
    # 5 facts: events at 1, 2, 2, 5 and one censored at 5: S(1) = .8, S(2) = .4, so the median is 2
    paths = [(1, 0, 0, 0), (1, 1, 0, 0), (1, 1, 0, 0), (1, 1, 1, 0), (1, 1, 1, 1)]
    times = steps_to_forget(trajectories(paths))
    row = survival_medians(times, make_resampler(times["person"], ["0"], 0, 200)).row(0, named=True)
    assert row["value"] == 2 and row["forgotten_share"] == 0.8
    assert row["low"] >= 1


def test_a_median_beyond_the_last_step_is_null_with_a_reason():
    times = steps_to_forget(trajectories([(1, 1, 1, 1)] * 3 + [(1, 0, 0, 0)]))
    row = survival_medians(times, make_resampler(times["person"], ["0"], 0, 200)).row(0, named=True)
    assert row["value"] is None and row["high"] is None
    assert "fewer than half" in row["reason"]


def test_utility_budget_is_read_between_the_steps_around_the_first_crossing():
    utility = pl.DataFrame(
        {"run_id": ["a"] * 3 + ["b"] * 3, "step": [0, 1, 5] * 2, "utility": [1.0, 0.98, 0.88, 1.0, 1.0, 0.97]}
    )
    readings = {row["run_id"]: row for row in budget_steps(utility, 0.10).to_dicts()}
    assert readings["a"]["step_before"] == 1 and readings["a"]["step_after"] == 5
    assert readings["a"]["weight_after"] == pytest.approx(0.8)
    assert not readings["b"]["reached"] and readings["b"]["step_after"] == 5


def test_forgetting_at_equal_utility_is_interpolated():
    facts = pl.DataFrame({"run_id": ["a"] * 3, "step": [0, 1, 5], "said": [1.0, 1.0, 0.0]})
    facts = facts.with_columns([pl.lit("x").alias(name) for name in LABELS if name != "run_id"])
    place = {"step_before": [1], "step_after": [5], "weight_after": [0.8], "steps": [[0, 1, 5]]}
    found = forgotten_at_utility(facts, pl.DataFrame({"run_id": ["a"], **place}), 0.1)
    assert found["forgotten"].to_list() == [pytest.approx(0.8)]
    assert found["forgotten_path"].to_list() == [[0.0, 0.0, 1.0]]


def test_utility_counts_roles_equally_and_is_null_when_nothing_was_right():
    rows = pl.DataFrame(
        {
            "run_id": ["a"] * 4,
            "step": [1] * 4,
            "role": ["utility", "utility", "utility", "neighbour"],
            "start": [1.0, 1, 1, 1],
            "value": [1.0, 1, 1, 0],
        }
    )
    assert utility_by_run(rows)["utility"].to_list() == [0.5]
    assert utility_by_run(rows.with_columns(start=pl.lit(0.0)))["utility"].to_list() == [None]


def test_loss_at_matched_forgetting_is_interpolated_and_nan_when_never_reached():
    forgotten = np.array([[0, 0.4, 0.8], [0, 0.1, 0.3]])
    kept = np.array([[1, 0.9, 0.5], [1, 0.9, 0.5]])
    loss = loss_at(forgotten, kept, 0.5)
    assert loss[0] == pytest.approx(0.2)  # a quarter of the way from .9 to .5
    assert np.isnan(loss[1])


def test_the_slope_is_least_squares_within_strata_and_adjusts_like_statsmodels():
    rng = np.random.default_rng(0)
    n = 200
    x, stratum = rng.integers(1, 6, n).astype(float), rng.integers(0, 2, n)
    z = 0.5 * x + rng.normal(size=n)
    y = 0.3 * x - 0.7 * z + 2.0 * stratum + rng.normal(size=n)
    facts = pl.DataFrame(
        {
            "log2_exposure": x,
            "forgotten": y,
            "start_log_prob": z,
            "base": stratum.astype(str),
            "relation": "r",
            "person": [f"p{k}" for k in range(n)],
            "seed_cluster": "0",
        }
    )
    dummies = np.stack([stratum == 0, stratum == 1], axis=1).astype(float)
    resampler = make_resampler(facts["person"], ["0"], 0, 5)
    plain = np.linalg.lstsq(np.c_[x, dummies], y, rcond=None)[0][0]
    adjusted = np.linalg.lstsq(np.c_[x, z, dummies], y, rcond=None)[0][0]
    assert slope_samples(facts, "nothing", resampler)[0] == pytest.approx(plain)
    assert slope_samples(facts, START, resampler)[0] == pytest.approx(adjusted)
