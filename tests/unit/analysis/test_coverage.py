"""Every estimator against simulated truth: few studies with fixed seeds here, many when asked for the slow
ones."""

import numpy as np
import pytest

from coverage_cases import CASES, run_case
from gate import sample

CONSERVATIVE = {"three seeds", "least forgotten level"}
"""Cases whose interval is known to be too wide: a product of weights counts seeds and people together, and
the least of several levels is a rough thing."""
COARSE = {"matched in deciles", "at equal confidence"}
"""Cases with a known bias: within a decile of confidence some of its influence is left."""
FEW = [case for case in CASES if "C-index" not in case.estimator]


def known(case, names):
    return any(name in case.name for name in names)


def of(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: f"{case.name}, {case.truth:+.2f}"[:110])


@of(sample(FEW, 6))
def test_an_estimate_is_near_its_truth_and_its_interval_mostly_holds_it(case):
    found = run_case(case, 10, 50)
    assert abs(found.bias) < 5 * found.spread / np.sqrt(10) + 0.1 * known(case, COARSE)
    assert found.covered >= 0.5
    assert case.truth != case.null or found.off <= 0.5


@pytest.mark.slow
@of(CASES)
def test_intervals_hold_the_truth_as_often_as_they_say_in_a_long_run(case):
    n = 150 if "C-index" in case.estimator else 400
    found = run_case(case, n, 300)
    if known(case, COARSE):
        assert found.covered >= 0.85
        return
    error = np.sqrt(0.95 * 0.05 / n)
    highest = (
        1.0 if known(case, CONSERVATIVE) or "size" in case.estimator or "C-index" in case.estimator else 0.985
    )
    assert 0.95 - 0.035 - 1.5 * error <= found.covered <= highest
    assert case.truth != case.null or found.off <= 0.05 + 0.035 + 1.5 * error
    assert abs(found.bias) <= 3.5 * found.bias_error + 0.15 * found.spread
