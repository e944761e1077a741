"""Equal utility is read anew in every draw: its people decide where, and intervals know it."""

import numpy as np
import polars as pl
import pytest

from simulated_outcomes import resampler_for
from simulated_paths import Paths, simulate_paths
from unequal.analysis.effects.dose_response import NOTHING, slope_samples
from unequal.analysis.outcomes import at_budget
from unequal.analysis.stats.bootstrap import grouped_ratio, make_resampler, ratio
from unequal.analysis.utility.matched import at_equal_utility
from unequal.analysis.utility.retained import budget_steps, kept_by_draw, utility_by_run, with_readings

BUDGET = at_budget(0.10)
TRUTH = Paths(seeds=(0, 1), people_per_level=12)


@pytest.fixture(scope="module")
def study():
    forget, utility = simulate_paths(TRUTH, 3)
    people = [*forget["person"], *utility["person"]]
    resampler = make_resampler(people, ["0/0", "0/1"], 0, 60)
    return forget, utility, with_readings(resampler, utility, {BUDGET: 0.10})


def test_values_are_summed_as_each_draw_reads_them():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "person": [f"p{n}" for n in rng.integers(0, 8, 40)],
            "seed_cluster": [f"0/{n % 2}" for n in range(40)],
            "run_id": [f"r{n % 4}" for n in range(40)], "comparison": [BUDGET] * 30 + ["equal steps"] * 10,
        }
    )  # fmt: skip
    plain = resampler_for(frame, draws=25)
    paths = rng.random((40, 4))
    frame = frame.with_columns(forgotten_path=pl.Series(paths.tolist()), forgotten=pl.Series(paths[:, 1]))
    places = {
        (BUDGET, f"r{n}"): np.concatenate([[1.0], rng.uniform(0, 3, size=25)]) for n in range(3)
    }  # r3, and what is read at equal steps, stay where they are
    resampler = type(plain)(plain.people, plain.seeds, plain.person_weights, plain.seed_weights, places)
    values, gains, groups = rng.normal(size=(40, 2)), rng.normal(size=(40, 2)), rng.integers(0, 3, 40)
    found = resampler.sums_as_read(frame, groups, values, gains, 3)
    weights = resampler.row_weights(frame)
    moved = np.zeros((26, 40))
    for row, key in enumerate(frame.select("comparison", "run_id").iter_rows()):
        if key in places:
            moved[:, row] = np.interp(places[key], np.arange(4), paths[row]) - paths[row, 1]
    for group in range(3):
        mine = groups == group
        read = values[None, mine] + moved[:, mine, None] * gains[None, mine]
        np.testing.assert_allclose(found[:, group], (weights[:, mine, None] * read).sum(axis=1))
    np.testing.assert_allclose(found[0], resampler.sums(frame, groups, values, 3)[0])


def test_each_draw_reads_a_run_where_its_own_utility_falls(study):
    _, utility, resampler = study
    run = utility["run_id"][0]
    mine = utility.filter(pl.col("run_id") == run)
    steps, kept = kept_by_draw(mine, resampler)
    assert steps.tolist() == list(TRUTH.steps)
    sample = utility_by_run(mine)
    np.testing.assert_allclose(kept[0], sample["utility"].to_numpy())
    reading = budget_steps(sample, 0.10).row(0, named=True)
    first = TRUTH.steps.index(reading["step_before"]) + reading["weight_after"]
    for draw in range(1, 20):
        below = np.flatnonzero(kept[draw] <= 0.9)
        at = below[0]
        place = at - 1 + (kept[draw, at - 1] - 0.9) / (kept[draw, at - 1] - kept[draw, at])
        assert resampler.readings[BUDGET, run][draw] == pytest.approx(place)
    assert resampler.readings[BUDGET, run][0] == pytest.approx(first)


def test_means_and_slopes_are_those_of_facts_read_anew(study):
    forget, utility, resampler = study
    outcomes = at_equal_utility(forget, utility, 0.10)
    weights = resampler.row_weights(outcomes)
    paths = np.stack(outcomes["forgotten_path"].to_numpy())
    places = [resampler.readings[BUDGET, run] for run in outcomes["run_id"]]
    pairs = zip(places, paths, strict=True)
    read = np.stack([np.interp(place, np.arange(len(TRUTH.steps)), path) for place, path in pairs], axis=1)
    np.testing.assert_allclose(read[0], outcomes["forgotten"].to_numpy())
    assert np.abs(read[1:] - read[0]).max() > 0.5
    table = grouped_ratio(resampler, outcomes, ["model"], "forgotten").row(0, named=True)
    means = ratio((weights * read).sum(axis=1), weights.sum(axis=1))
    assert (table["low"], table["high"]) == pytest.approx(np.quantile(means[1:], [0.025, 0.975]))
    slopes = slope_samples(outcomes, NOTHING, resampler)
    dose = outcomes["log2_exposure"].to_numpy()
    for draw in (0, 1, 7):
        fit = np.polyfit(dose, read[draw], 1, w=np.sqrt(weights[draw]))
        assert slopes[draw] == pytest.approx(fit[0])


def test_a_run_that_never_loses_so_much_is_read_at_its_end():
    forget, utility = simulate_paths(Paths(cost=0.01, others=200), 0)
    resampler = with_readings(resampler_for(utility, draws=40), utility, {BUDGET: 0.10})
    assert set(resampler.readings[BUDGET, utility["run_id"][0]]) == {5.0}
    outcomes = at_equal_utility(forget, utility, 0.10)
    last = forget.filter(pl.col("step") == 20)
    assert outcomes["forgotten"].mean() == pytest.approx(1 - last["said"].mean())
