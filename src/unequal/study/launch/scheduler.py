"""The agenda of a study: which step may run next, what is tried again, and what cannot be done."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from unequal.errors import DamagedError, DivergedError, OutOfMemoryError, UserError
from unequal.study.launch.launcher import NodeLostError
from unequal.study.step import Step
from unequal.study.step_status import Failure, mark_damaged, read_failure, write_failure
from unequal.workers import WorkerDiedError

NODES_LOST = 10
"""How often a step is given to another machine after the one that had it was lost."""


class StepError(UserError):
    """A step failed in a way that the user has to mend before the study goes on."""


class Scheduler:
    """The steps of a study that are to be done; of those that are ready the costliest comes first.

    A step is ready when none of its inputs is still to be done. One whose memory ran out is tried once more
    with smaller batches; one whose process died is first tried again as it was, so that its result stays
    the same to the last bit. Where all share one memory, these run while no other does. A step that fails
    for good takes those that need it with it, and the others go on: ``fail`` is called for each of them.
    """

    def __init__(
        self,
        study: Path,
        steps: Sequence[Step],
        shared_memory: bool,
        fail: Callable[[Failure], None],
        say: Callable[[str], None],
    ) -> None:
        self._study = study
        self._shared_memory = shared_memory
        self._fail, self._say = fail, say
        self._steps = {step.folder: step for step in steps}
        self._needed_by: dict[str, list[str]] = defaultdict(list)
        self._missing: dict[str, set[str]] = {}  # of each step to be done the inputs that are not done
        self._ready: list[tuple[float, int, Step]] = []
        self._again: list[Step] = []
        self._running: set[str] = set()
        self._retried: set[str] = set()
        self._made_anew: set[str] = set()
        self._deaths: Counter[str] = Counter()
        self._losses: Counter[str] = Counter()
        self._order = count()
        self._begin([step for step in steps if not step.is_done(study)])

    def _begin(self, to_do: Sequence[Step]) -> None:
        folders = {step.folder for step in to_do}
        self._missing = {step.folder: folders.intersection(step.inputs) for step in to_do}
        for step in to_do:
            for folder in self._missing[step.folder]:
                self._needed_by[folder].append(step.folder)
        for step in to_do:
            if failure := read_failure(self._study / step.folder):
                self._give_up(failure)
        for step in to_do:
            if not self._missing.get(step.folder, True):
                self._queue(step)

    @property
    def is_open(self) -> bool:
        """Whether a step is still to be done."""
        return bool(self._missing)

    def take(self, room: int) -> list[Step]:
        """Return at most so many steps, to be run now."""
        taken: list[Step] = []
        if self._running & self._retried:  # which run alone
            return taken
        while self._ready and len(taken) < room:
            taken.append(heapq.heappop(self._ready)[2])
        if self._again and not (taken or self._running):
            taken.append(self._again.pop(0))
            self._retried.add(taken[0].folder)
        self._running.update(step.folder for step in taken)
        return taken

    def done(self, step: Step) -> None:
        """Take in that a step was done."""
        self._running.discard(step.folder)
        del self._missing[step.folder]
        for folder in self._needed_by[step.folder]:
            missing = self._missing.get(folder)
            if missing and step.folder in missing:
                missing.discard(step.folder)
                if not missing:
                    self._queue(self._steps[folder])

    def failed(self, step: Step, error: Exception) -> None:
        """Take in that a step failed.

        Raises `StepError` naming the step for what the user must mend first, and the error when it is a bug.
        """
        folder = step.folder
        self._running.discard(folder)
        match error:
            case DivergedError():
                self._give_up(Failure(folder, "diverged", str(error), error.step, error.batch))
            case OutOfMemoryError() if not step.second_try:
                self._try_again(step.saving_memory(), f"{error}; it is tried again with smaller batches")
            case OutOfMemoryError():
                self._give_up(Failure(folder, "memory", f"{error}, with smaller batches too"))
            case WorkerDiedError():
                self._after_death(step, error)
            case NodeLostError() if self._losses[folder] < NODES_LOST:
                self._losses[folder] += 1
                self._try_again(step, f"{error}; it runs again on another machine")
            case DamagedError() if producer := self._producer(step, error):
                self._make_anew(producer, step, error)
            case UserError():
                raise StepError(f"step {folder}: {error}") from error
            case _:
                raise error

    def _after_death(self, step: Step, error: WorkerDiedError) -> None:
        self._deaths[step.folder] += 1
        if self._deaths[step.folder] == 1:
            self._try_again(step, f"{error}; it is tried again")
        elif not step.second_try:
            self._try_again(step.saving_memory(), f"{error}; it is tried again with smaller batches")
        else:
            reason = f"{error}, {self._deaths[step.folder]} times, with smaller batches too"
            failure = Failure(step.folder, "died", reason)
            write_failure(self._study / step.folder, failure)
            self._give_up(failure)

    def _producer(self, step: Step, error: DamagedError) -> Step | None:
        """Return the step whose result is damaged, None when it is not of this study or was done twice."""
        found = next((one for one in step.inputs if str(self._study / one) == error.folder), None)
        producer = self._steps.get(found or "")
        if producer and producer.folder in self._made_anew and producer.folder not in self._missing:
            return None
        return producer

    def _make_anew(self, producer: Step, step: Step, error: DamagedError) -> None:
        """Have a result made again that is not as it was written, and then the step that needs it."""
        folder = producer.folder
        self._missing[step.folder] = {folder}
        self._needed_by[folder].append(step.folder)
        if folder not in self._missing:
            self._say(f"{folder} is damaged ({error.what}); it is made again")
            mark_damaged(self._study / folder)
            self._missing[folder] = set()
            self._made_anew.add(folder)
            self._queue(producer)

    def _try_again(self, step: Step, reason: str) -> None:
        self._say(f"{step.folder}: {reason}")
        if self._shared_memory:
            self._again.append(step)
        else:
            self._queue(step)

    def _queue(self, step: Step) -> None:
        heapq.heappush(self._ready, (-step.cost, next(self._order), step))

    def _give_up(self, failure: Failure) -> None:
        """Leave a step out, and those that need it."""
        if self._missing.pop(failure.folder, None) is None:
            return
        self._fail(failure)
        for folder in self._needed_by[failure.folder]:
            self._give_up(Failure(folder, "blocked", f"it needs {failure.folder}, which has no result"))
