"""Run the steps of a study on a launcher: each after its inputs, and none that was done."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from unequal.study.launch import LAUNCHERS
from unequal.study.launch.launcher import ExecutorSettings, ProgressListener
from unequal.study.launch.scheduler import Scheduler
from unequal.study.step import Step


def run_steps(
    study: Path, steps: Sequence[Step], crew: ExecutorSettings, watcher: ProgressListener
) -> Iterator[Step]:
    """Yield each step that was not done as it is finished, the costliest ready one first.

    The watcher is told of steps that failed for good and of those that need them; the others go on. Raises
    `StepError` naming the step when one fails in a way the user has to mend; steps that are done stay done.
    """
    launch = LAUNCHERS.get(crew.launcher)
    study = study.absolute()  # other processes may work elsewhere
    if all(step.is_done(study) for step in steps):
        return
    if crew.launcher != "local":
        for step in steps:
            step.plugins  # noqa: B018  those that no other process can import are refused before any work
    with launch(study, crew, watcher) as place:
        agenda = Scheduler(study, steps, place.shares_memory, watcher.fail, watcher.say)
        while agenda.is_open:
            for step in agenda.take(place.room):
                place.submit(step)
            for step, error in place.finished():
                if error is None:
                    agenda.done(step)
                    yield step
                else:
                    agenda.failed(step, error)
