"""Workers: the order of steps, and what is said when one fails or dies."""

import json

import pytest

from gate import only_in_full
from launched_steps import FailingStep, Listener, marks
from unequal.study.launch.launcher import ExecutorSettings
from unequal.study.launch.run import run_steps
from unequal.study.launch.scheduler import StepError
from unequal.study.runner import remove_leftovers
from unequal.study.step_status import check_result

DONE = FailingStep(end="done")


def run(folder, *steps, workers=1, listener=None):
    return list(run_steps(folder, steps, ExecutorSettings(workers), listener or Listener()))


def test_steps_run_after_their_inputs_and_the_costliest_ready_one_first(tmp_path):
    cheap = FailingStep(end="done", price=0.5)
    dear = FailingStep(end="done", price=9.0)
    last = FailingStep(end="done", after=(cheap.folder, DONE.folder), price=100.0)
    listener = Listener()
    assert run(tmp_path, last, cheap, DONE, dear, listener=listener) == [dear, DONE, cheap, last]
    assert [
        (step.folder, done, 2) for step in (dear, DONE, cheap, last) for done in (1, 2)
    ] == listener.reports
    assert all(step.is_done(tmp_path) for step in (last, cheap, DONE, dear))


def test_nothing_to_do_starts_no_worker(tmp_path):
    assert run(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("end", "error", "message"),
    [
        ("user error", StepError, r"^step test/user-error-\w+: the disk is full; make room$"),
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


def dependents_of(step):
    """Two steps, of which the second needs the first and the first the step."""
    first = FailingStep(end="done", after=(step.folder,), price=3.0)
    return first, FailingStep(end="done", after=(first.folder,), price=4.0)


def test_a_worker_that_dies_once_costs_nothing_but_time(tmp_path):
    """It is tried again as it was, while nobody else runs; what ran beside it goes on."""
    dying = FailingStep(end="one death", price=9.0)
    first, second = dependents_of(dying)
    others = [FailingStep(end="done", price=price) for price in (1.0, 2.0)]
    listener = Listener()
    finished = run(tmp_path, dying, *others, first, second, workers=2, listener=listener)
    assert {step.folder for step in finished} == {step.folder for step in (dying, *others, first, second)}
    assert marks(tmp_path / dying.folder) == ["begins", "begins", "ends"]
    for step in (*others, first, second):
        assert marks(tmp_path / step.folder) == ["begins", "ends"]
    assert listener.failures == {}
    killed = "its process was killed (SIGKILL, as the system does when memory runs out)"
    assert listener.said == [f"{dying.folder}: {killed}; it is tried again"]


@pytest.mark.parametrize(
    ("end", "kind", "reason", "n_tries"),
    [
        ("death", "died", "SIGKILL, as the system does when memory runs out), 3 times, with smaller", 3),
        *only_in_full(("memory", "memory", "memory, with smaller batches too", 2)),
        *only_in_full(
            (
                "diverged",
                "diverged",
                "the loss is nan at step 3; lower the learning rate (in its batch: a, b)",
                1,
            )
        ),
    ],
)
def test_a_step_that_fails_for_good_takes_only_those_with_it_that_need_it(
    end, kind, reason, n_tries, tmp_path
):
    failing = FailingStep(end=end, price=9.0)
    first, second = dependents_of(failing)
    listener = Listener()
    assert run(tmp_path, failing, first, second, DONE, listener=listener) == [DONE]
    assert {folder: failure.kind for folder, failure in listener.failures.items()} == {
        failing.folder: kind,
        first.folder: "blocked",
        second.folder: "blocked",
    }
    assert reason.replace("memory, with", "") in listener.failures[failing.folder].reason
    assert failing.folder in listener.failures[first.folder].reason
    assert marks(tmp_path / failing.folder) == ["begins"] * n_tries
    again = Listener()
    assert run(tmp_path, failing, first, second, DONE, listener=again) == []
    assert {folder: failure.kind for folder, failure in again.failures.items()} == {
        folder: failure.kind for folder, failure in listener.failures.items()
    }
    # What may go better is tried again; what diverges would do so again.
    assert marks(tmp_path / failing.folder) == ["begins"] * (1 if end == "diverged" else 2 * n_tries)


@pytest.mark.full
def test_what_a_killed_worker_had_begun_to_write_is_no_part_of_the_result(tmp_path):
    """It would be missing at the next start, when such files are removed, and the result be damaged."""
    dying = FailingStep(end="death in a file")
    assert run(tmp_path, dying) == [dying]
    remove_leftovers(tmp_path, [dying])
    check_result(tmp_path / dying.folder)


@pytest.mark.fault(
    "memory runs out in a step (a limit of the system)",
    "it is tried again with smaller batches, and marked; the others go on",
)
def test_a_step_out_of_memory_is_tried_again_with_smaller_batches(tmp_path):
    cramped = FailingStep(end="large batch")
    listener = Listener()
    assert [step.folder for step in run(tmp_path, cramped, listener=listener)] == [cramped.folder]
    assert marks(tmp_path / cramped.folder) == ["begins", "begins", "ends"]
    assert "memory ran out" in listener.said[0]
    assert "it is tried again with smaller batches" in listener.said[0]
    made = json.loads((tmp_path / cramped.folder / "manifest.json").read_text())
    assert made["second_try"] == "with smaller batches, since memory ran out"
    assert not (tmp_path / cramped.folder / "failure.json").exists()


def test_an_input_with_a_flipped_byte_is_made_anew(tmp_path):
    user = FailingStep(end="done", after=(DONE.folder,), price=2.0)
    run(tmp_path, DONE)
    result = tmp_path / DONE.folder / "result"
    whole = result.read_bytes()
    result.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    listener = Listener()
    assert run(tmp_path, DONE, user, listener=listener) == [DONE, user]
    assert result.read_bytes() == whole
    assert listener.said == [
        f"{DONE.folder} is damaged (result has not the SHA-256 it was written with); it is made again"
    ]
    assert marks(tmp_path / user.folder) == ["begins", "ends"]  # it never began on the damaged one
    assert marks(tmp_path / DONE.folder) == ["begins", "ends"] * 2


def test_a_damaged_input_that_nobody_here_made_stops_the_study(tmp_path):
    user = FailingStep(end="done", after=(DONE.folder,))
    run(tmp_path, DONE)
    (tmp_path / DONE.folder / "result").unlink()
    with pytest.raises(StepError, match=r"^step test/done-\w+: .*is damaged \(result is missing\)"):
        run(tmp_path, user)
