"""The contract of every launcher: a place that takes steps and says what became of each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from unequal.errors import UserError
from unequal.study.step import Step
from unequal.study.step_status import Failure

Report = tuple[str, int, int]  # folder of the step, done, total

Ending = tuple[Step, Exception | None]
"""A step that has come back, with what it raised: `WorkerDiedError` when its process died, `NodeLostError`
when the machine did."""


class NodeLostError(UserError):
    """The machine that had a step is gone."""


@dataclass(frozen=True)
class ExecutorSettings:
    """Who works: the launcher, how many steps side by side (None for one a core), and on which cluster."""

    workers: int | None = None
    launcher: str = "local"
    address: str | None = None


class ProgressListener(Protocol):
    """Is told what happens while steps run."""

    def report(self, report: Report) -> None:
        """Take in how far a running step is."""
        ...

    def fail(self, failure: Failure) -> None:
        """Take in that a step has no result."""
        ...

    def say(self, text: str) -> None:
        """Take in a sentence for the user."""
        ...


class Silence:
    """A watcher that nobody listens to."""

    def report(self, report: Report) -> None:
        """Do nothing."""

    def fail(self, failure: Failure) -> None:
        """Do nothing."""

    def say(self, text: str) -> None:
        """Do nothing."""


class Executor(Protocol):
    """Where steps run, each in a process that has others later; leaving the block ends them.

    After an exception steps that run go on to their end where that is possible; Ctrl-C stops them at once.
    """

    shares_memory: bool
    """Whether all steps run in one machine's memory, so that one is tried again while no other runs."""

    def __enter__(self) -> Self: ...

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None: ...

    @property
    def room(self) -> int:
        """How many more steps the place takes now."""
        ...

    def submit(self, step: Step) -> None:
        """Have a step run, whose inputs are done."""
        ...

    def finished(self) -> list[Ending]:
        """Return the steps that came back, failed ones last, when one has; their reports came before.

        None when there is room for more steps than before.
        """
        ...


class Launcher(Protocol):
    """Makes the place."""

    def __call__(self, study: Path, crew: ExecutorSettings, watcher: ProgressListener) -> Executor:
        """Return the place for the steps of a study folder; the watcher is called in the caller's thread.

        Raises `UserError` when it cannot be had.
        """
        ...
