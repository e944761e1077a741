"""The cluster bootstrap: sums, intervals and what happens without enough to draw from."""

import numpy as np
import polars as pl
import pytest

from unequal.analysis.stats.bootstrap import group_intervals, grouped_ratio, interval, make_resampler


def frame(people, seeds, values):
    return pl.DataFrame(
        {"person": people, "seed_cluster": seeds, "fact_id": people, "value": np.array(values, dtype=float)}
    )


def test_row_zero_is_the_sample_and_draws_weigh_people_times_seeds():
    table = frame(["a", "a", "b", "b"], ["0", "1", "0", "1"], [1, 2, 3, 4])
    resampler = make_resampler(["a", "b"], ["0", "1"], seed=1, draws=50)
    groups = np.zeros(4, dtype=np.int64)
    sums = resampler.sums(table, groups, table["value"].to_numpy()[:, None], 1)[:, 0, 0]
    cells = np.array([[1, 2], [3, 4]])
    expected = np.einsum("bp,bs,ps->b", resampler.person_weights, resampler.seed_weights, cells)
    assert sums[0] == 10
    np.testing.assert_allclose(sums, expected)


def test_weights_of_n_minus_one_draws_sum_to_n_and_give_the_unbiased_variance_of_a_mean():
    rng = np.random.default_rng(0)
    values = rng.normal(size=30)
    people = [f"p{n}" for n in range(30)]
    resampler = make_resampler(people, ["0"], seed=0, draws=20_000)
    assert np.allclose(resampler.person_weights.sum(axis=1), 30)
    order = [resampler.people[name] for name in people]
    means = resampler.person_weights[1:, order] @ values / 30
    assert means.std() == pytest.approx(values.std(ddof=1) / np.sqrt(30), rel=0.03)


def test_the_same_seed_gives_the_same_intervals_and_another_seed_others():
    table = frame([f"p{n}" for n in range(20)], ["0"] * 20, np.arange(20))
    one, same, other = (
        grouped_ratio(make_resampler(table["person"], ["0"], seed, 200), table, ["seed_cluster"], "value")
        for seed in (0, 0, 1)
    )
    assert one.equals(same)
    assert not one.equals(other)


def test_more_groups_than_one_block_holds_give_each_group_its_own_mean():
    n = 600
    table = frame([f"p{k % 7}" for k in range(n)], ["0"] * n, np.arange(n)).with_columns(
        group=pl.int_range(n)
    )
    result = grouped_ratio(make_resampler(table["person"], ["0"], 0, 5), table, ["group"], "value")
    assert result["value"].to_list() == list(range(n))


def test_an_undefined_estimate_is_null_with_a_reason_never_nan():
    assert interval(np.full(11, np.nan)).value is None
    mostly_undefined = np.r_[1.0, np.full(90, np.nan), np.ones(10)]
    one = interval(mostly_undefined)
    assert one.value == 1.0 and one.low is None and "90%" in one.reason
    table = group_intervals(np.stack([mostly_undefined, np.ones(101), np.full(101, np.nan)], axis=1))
    assert table["low"].to_list() == [None, 1.0, None]
    assert table["reason"].is_null().to_list() == [False, True, False]


def test_p_agrees_with_the_interval():
    rng = np.random.default_rng(0)
    clear = interval(np.r_[1.0, rng.normal(1, 0.2, 1000)])
    unclear = interval(np.r_[0.1, rng.normal(0.1, 0.2, 1000)])
    assert clear.low > 0 and clear.p < 0.05
    assert unclear.low < 0 < unclear.high and unclear.p > 0.05
