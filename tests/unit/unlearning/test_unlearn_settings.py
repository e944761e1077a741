"""How long a run lasts and when it is judged."""

import pytest
from pydantic import ValidationError

from unequal.unlearning.settings import TargetSettings, UnlearnSettings, log_spaced


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (0, (0,)),
        (1, (0, 1)),
        (4, (0, 1, 2)),
        (10, (0, 1, 2, 5, 10)),
        (20, (0, 1, 2, 5, 10, 20)),
        (1000, (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
        (1999, (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
    ],
)
def test_log_spaced_steps(last, expected):
    assert log_spaced(last) == expected


@pytest.mark.parametrize(
    ("steps", "evaluate_at", "expected"),
    [
        (20, None, (0, 1, 2, 5, 10, 20)),
        (7, None, (0, 1, 2, 5, 7)),
        (1, None, (0, 1)),
        (20, (5, 1, 5), (0, 1, 5, 20)),
        (3, (2, 8), (0, 2, 3)),
        (3, (0,), (0, 3)),
    ],
)
def test_the_first_and_the_last_step_are_always_judged(steps, evaluate_at, expected):
    assert UnlearnSettings(steps=steps, evaluate_at=evaluate_at).evaluated_steps() == expected


@pytest.mark.parametrize("evaluate_at", [(), (-1,), (3, -2)])
def test_impossible_steps_are_refused(evaluate_at):
    with pytest.raises(ValidationError, match="at least one step and none below 0"):
        UnlearnSettings(evaluate_at=evaluate_at)


def test_the_optimiser_has_the_methods_rate_and_the_runs_schedule():
    settings = UnlearnSettings(steps=10, schedule="linear", warmup_share=0.2, weight_decay=0.1, clip_norm=2.0)
    optimiser = settings.optimiser(3e-4)
    assert (optimiser.weight_decay, optimiser.clip_norm) == (0.1, 2.0)
    rates = [optimiser.rate(step, 10) for step in range(10)]
    assert max(rates) == pytest.approx(3e-4)
    assert rates[0] == pytest.approx(1.5e-4)
    constant = UnlearnSettings().optimiser(3e-4)
    assert {constant.rate(step, 20) for step in range(20)} == {3e-4}


def test_target_names():
    assert TargetSettings(relation="x").name == "mixed"
    assert TargetSettings(relation="x", level=16).name == "level-16"
