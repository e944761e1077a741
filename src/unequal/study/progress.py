"""Progress of a study: a bar with the time left in a terminal, a line a step elsewhere."""

import time
from collections.abc import Sequence
from contextlib import ExitStack

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn

from unequal.console import BETWEEN_LINES, SLACK, bars, each_half_minute, say
from unequal.plain_text import short
from unequal.study.launch.launcher import Report
from unequal.study.step import Step
from unequal.study.step_status import Failure


class StudyProgress:
    """Counts work in estimated seconds, and learns from the steps done how long the rest will take."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.failures: dict[str, Failure] = {}
        left = TextColumn("{task.fields[left]}", markup=False)
        self._bars = bars(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), left, on=console)
        self._tasks: dict[str, TaskID] = {}
        self._costs: dict[str, float] = {}
        self._shares: dict[str, float] = {}
        self._work = self._work_done = 0.0
        self._n_done = 0
        self._n_total = 0
        self._started = self._last_line = time.monotonic()
        self._lines = ExitStack()

    def start(self, steps: Sequence[Step], to_do: Sequence[Step]) -> None:
        """Show what there is to do."""
        self._n_total = len(steps)
        self._n_done = len(steps) - len(to_do)
        self._costs = {step.folder: step.cost for step in to_do}
        self._work = sum(self._costs.values())
        self._shares = dict.fromkeys(self._costs, 0.0)
        self._started = time.monotonic()
        if self._n_done:
            self.say(f"{self._n_done} of {self._n_total} steps were done already")
        if not self._console.is_terminal:
            self._lines.enter_context(each_half_minute(self._say_if_due))
        elif to_do:
            self._bars.start()
            self._tasks[""] = self._bars.add_task(
                "steps", total=self._n_total, completed=self._n_done, left=""
            )

    def report(self, report: Report) -> None:
        """Take in how far a running step is."""
        folder, done, total = report
        self._take_in(folder, done / max(1, total))
        if not self._console.is_terminal:
            return
        if folder not in self._tasks and done < total:
            self._tasks[folder] = self._bars.add_task(short(folder), total=total, left="")
        if folder in self._tasks:
            self._bars.update(self._tasks[folder], completed=done, total=total)
        if "" in self._tasks:
            self._bars.update(self._tasks[""], left=self._time_left())

    def finish(self, step: Step) -> None:
        """Take in that a step is done."""
        self._n_done += 1
        self._end(step.folder)
        if "" in self._tasks:
            self._bars.update(self._tasks[""], completed=self._n_done, left=self._time_left())
        if not self._console.is_terminal:
            self.say(f"[{self._n_done}/{self._n_total}] {step.folder}  {self._time_left()}")

    def fail(self, failure: Failure) -> None:
        """Take in that a step has no result; of those that need a failed one only their number is shown."""
        self.failures[failure.folder] = failure
        self._end(failure.folder)
        if failure.kind != "blocked":
            self.say(f"{failure.folder} has no result: {failure.reason}")

    def say(self, text: str) -> None:
        """Print a line."""
        self._last_line = time.monotonic()
        say(text, on=self._console)

    def close(self) -> None:
        """Take the bars away."""
        self._lines.close()
        if self._console.is_terminal:
            self._bars.stop()

    def _say_if_due(self) -> None:
        """Print what is done of all steps and of those that run, after half a minute without a line."""
        if time.monotonic() - self._last_line < BETWEEN_LINES - SLACK:
            return
        running = [f"{folder} {share:.0%}" for folder, share in list(self._shares.items()) if 0 < share < 1]
        words = [f"{self._n_done} of {self._n_total} steps done", *running, self._time_left()]
        self.say(", ".join(word for word in words if word))

    def _end(self, folder: str) -> None:
        """Count the step's work as done."""
        self._take_in(folder, 1.0)
        if folder in self._tasks:
            self._bars.remove_task(self._tasks.pop(folder))

    def _take_in(self, folder: str, share: float) -> None:
        """Count this share of a step's work as done, and no longer what it was before."""
        if folder in self._costs:
            self._work_done += self._costs[folder] * (share - self._shares[folder])
            self._shares[folder] = share

    def _time_left(self) -> str:
        """Return the rest of the work at the speed so far, as words."""
        done = self._work_done
        rest = self._work - done
        if done <= 0 or rest <= 0:
            return ""
        seconds = rest * (time.monotonic() - self._started) / done
        return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"
