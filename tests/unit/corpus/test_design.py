"""Fractional designs: balanced, and main effects that nothing of two factors hides behind."""

from itertools import combinations

import numpy as np
import pytest

from unequal.corpus.factorial_design import fractional_design
from unequal.corpus.factors import FACTORS, FactorSettings

COUNTS = range(1, 17)


def signs(n_factors):
    return np.where(np.array(fractional_design(n_factors)), 1, -1)


@pytest.mark.parametrize("n_factors", COUNTS)
def test_no_main_effect_is_aliased_with_another_or_with_an_interaction_of_two(n_factors):
    design = signs(n_factors)
    for size in (1, 2, 3):  # a main effect, two of them, and one with an interaction of two others
        for columns in combinations(range(n_factors), size):
            assert design[:, columns].prod(axis=1).sum() == 0


@pytest.mark.parametrize("n_factors", COUNTS)
def test_effects_and_interactions_that_are_there_are_estimated_without_bias(n_factors):
    """The definition at work: least squares on main effects alone finds them beside any interactions."""
    design = signs(n_factors)
    rng = np.random.default_rng(n_factors)
    effects = rng.normal(size=n_factors)
    together = sum(
        (rng.normal() * design[:, one] * design[:, two] for one, two in combinations(range(n_factors), 2)), 0
    )
    found = np.linalg.lstsq(np.c_[np.ones(len(design)), design], design @ effects + together, rcond=None)[0]
    assert found[1:] == pytest.approx(effects)


@pytest.mark.parametrize(
    ("n_factors", "n_runs"), [(1, 2), (3, 8), (4, 8), (5, 16), (8, 16), (9, 32), (16, 32)]
)
def test_designs_are_as_small_as_they_can_be(n_factors, n_runs):
    assert len(fractional_design(n_factors)) == len(set(fractional_design(n_factors))) == n_runs


@pytest.mark.parametrize("n_factors", COUNTS)
def test_every_triple_of_levels_occurs_equally_often(n_factors):
    design = signs(n_factors)
    for columns in combinations(range(n_factors), min(3, n_factors)):
        _, counts = np.unique(design[:, columns], axis=0, return_counts=True)
        assert len(counts) == 2 ** len(columns) and len(set(counts)) == 1


def test_runs_name_the_levels_of_the_crossed_factors():
    runs = FactorSettings(cross=("asked", "recency")).runs()
    assert [tuple(run.items()) for run in runs] == [
        (("asked", asked), ("recency", recency)) for asked in ("no", "yes") for recency in ("early", "late")
    ]
    everything = FactorSettings().runs()
    assert len(everything) == 16
    assert all(tuple(run) == tuple(FACTORS) for run in everything)
