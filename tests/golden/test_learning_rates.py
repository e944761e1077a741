"""The learning-rate schedules, worked by hand."""

from math import cos, pi

import pytest
from pydantic import ValidationError

from unequal.training.settings import OptimiserSettings


def rates(n_steps, **changes):
    settings = OptimiserSettings(learning_rate=1.0, **changes)
    return [settings.rate(step, n_steps) for step in range(n_steps)]


def test_warm_up_rises_in_equal_parts_and_ends_at_the_peak():
    assert rates(10, warmup_share=0.4, schedule="constant")[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])


def test_linear_falls_in_equal_parts_towards_the_final_share():
    expected = [1.0, 0.8, 0.6, 0.4, 0.2]  # 1 − step/5, and 0 would come at step 5, after the last
    assert rates(5, warmup_share=0.0, schedule="linear", final_share=0.0) == pytest.approx(expected)


def test_linear_after_warm_up():
    # 2 warm-up steps of 10, then 8 steps from 1 towards 0.2: 1 − 0.8 · k/8 for k = 0 … 7
    expected = [0.5, 1.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    assert rates(10, warmup_share=0.2, schedule="linear", final_share=0.2) == pytest.approx(expected)


def test_cosine_is_half_way_in_the_middle():
    # 0.1 + 0.9 · (1 + cos(π k/4)) / 2: k = 1 gives (2 + √2)/4 = 0.853553, k = 2 gives 0.5
    expected = [1.0, 0.1 + 0.9 * 0.8535533906, 0.55, 0.1 + 0.9 * 0.1464466094]
    assert rates(4, warmup_share=0.0, schedule="cosine", final_share=0.1) == pytest.approx(expected)
    assert expected[1] == pytest.approx(0.1 + 0.9 * (1 + cos(pi / 4)) / 2)


def test_constant_stays():
    assert rates(7, warmup_share=0.0, schedule="constant") == [1.0] * 7


def test_rates_scale_with_the_peak_and_one_step_is_enough():
    assert OptimiserSettings(learning_rate=2e-3, warmup_share=0.0).rate(0, 1) == pytest.approx(2e-3)
    assert OptimiserSettings(learning_rate=2e-3, warmup_share=0.9).rate(0, 1) == pytest.approx(2e-3)


@pytest.mark.parametrize(
    "changes",
    [{"learning_rate": 0.0}, {"warmup_share": 1.0}, {"schedule": "step"}, {"final_share": 1.1}, {"rate": 1}],
)
def test_settings_out_of_range_are_refused(changes):
    with pytest.raises(ValidationError):
        OptimiserSettings(**changes)
