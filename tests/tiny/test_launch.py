"""Workers: the order of steps, and what is said when one fails or dies."""

import pytest

from launched_steps import FailingStep
from unequal.study.launch import StepError, run_steps

DONE = FailingStep(end="done")


def run(folder, *steps, workers=1, reports=None):
    reports = [] if reports is None else reports
    finished = []
    for one in run_steps(folder, steps, workers, reports.append):
        finished.append(one)
    return finished


def test_steps_run_after_their_inputs_and_the_costliest_ready_one_first(tmp_path):
    cheap = FailingStep(end="done", price=0.5)
    dear = FailingStep(end="done", price=9.0)
    last = FailingStep(end="done", after=(cheap.folder, DONE.folder), price=100.0)
    reports = []
    assert run(tmp_path, last, cheap, DONE, dear, reports=reports) == [dear, DONE, cheap, last]
    assert [(step.folder, done, 2) for step in (dear, DONE, cheap, last) for done in (1, 2)] == reports
    assert all(step.is_done(tmp_path) for step in (last, cheap, DONE, dear))


def test_nothing_to_do_starts_no_worker(tmp_path):
    assert run(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("end", "error", "message"),
    [
        ("user error", StepError, r"^step test/user-error-\w+: the disk is full; make room$"),
        ("death", StepError, r"^a worker died while step test/death-\w+ ran.*run the same command again"),
        ("bug", ZeroDivisionError, "a bug"),
    ],
)
def test_a_step_that_fails_is_named_and_what_was_done_stays_done(end, error, message, tmp_path):
    failing = FailingStep(end=end, after=(DONE.folder,))
    never = FailingStep(end="done", after=(failing.folder,))
    with pytest.raises(error, match=message):
        run(tmp_path, DONE, failing, never)
    assert DONE.is_done(tmp_path)
    assert (tmp_path / failing.folder / "status").read_text() == "running\n"
    assert not (tmp_path / never.folder).exists()
