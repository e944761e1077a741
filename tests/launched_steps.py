"""Steps that fail in the ways steps can fail; a module of their own, since workers must import them."""

import os
import resource
import signal
import time
from contextlib import nullcontext
from pathlib import Path
from typing import ClassVar, Literal

from unequal.errors import DataError, DivergedError
from unequal.files import atomic_path
from unequal.oom import current_batch_size
from unequal.study.launch.launcher import Report, Silence
from unequal.study.step import Progress, Step
from unequal.study.step_status import Failure
from waiting import wait_until

NAP = 3.0
"""Seconds that a step takes which is to be interrupted."""


class FailingStep(Step):
    """Does what its name says."""

    kind: ClassVar[str] = "test"

    end: Literal[
        "done", "nap", "meeting", "user error", "bug", "death", "one death", "death in a file",
        "memory", "no memory", "large batch", "diverged",
    ]  # fmt: skip
    after: tuple[str, ...] = ()
    price: float = 1.0

    @property
    def name(self) -> str:
        return self.end.replace(" ", "-")

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.after

    @property
    def cost(self) -> float:
        return self.price

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:
        mark(folder, "begins")
        progress(1, 2)
        assert all((study / path / "status").read_text() == "done\n" for path in self.inputs)
        self._meet_end(folder, is_first=marks(folder).count("begins") == 1)
        (folder / "result").write_text(f"result of {self.end}")
        progress(2, 2)
        mark(folder, "ends")

    def _meet_end(self, folder: Path, is_first: bool) -> None:
        match self.end:
            case "nap":
                time.sleep(NAP)
            case "meeting":
                meet(folder)
            case "user error":
                raise DataError("the disk is full; make room")
            case "bug":
                raise ZeroDivisionError("a bug")
            case "death" | "one death" | "death in a file":
                die(folder, in_file=self.end == "death in a file", if_so=is_first or self.end == "death")
            case "no memory":
                raise MemoryError
            case "memory" | "large batch":
                fill_memory(2000 if self.end == "memory" else current_batch_size(800))
            case "diverged":
                raise DivergedError("the loss is nan at step 3", 3, ("a", "b"))


class Listener(Silence):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.failures: dict[str, Failure] = {}
        self.said: list[str] = []

    def report(self, report: Report) -> None:
        self.reports.append(report)

    def fail(self, failure: Failure) -> None:
        self.failures[failure.folder] = failure

    def say(self, text: str) -> None:
        self.said.append(text)


def meet(folder: Path) -> None:
    """Wait for another such step that is at work on another machine."""
    here = folder.parent
    wait_until(
        lambda: len({line[3] for path in here.glob("meeting-*/marks") for line in lines(path.parent)}) > 1
    )


def die(folder: Path, in_file: bool, if_so: bool) -> None:
    """Be killed by the system, perhaps while a file is half written."""
    with atomic_path(folder / "half") if in_file else nullcontext(folder / "unused") as beside:
        beside.write_text("half a")
        if if_so:
            os.kill(os.getpid(), signal.SIGKILL)


def mark(folder: Path, event: str) -> None:
    """Note in the step's folder that something happened, in which process, when, and in whose child."""
    with (folder / "marks").open("a") as file:
        file.write(f"{event} {os.getpid()} {time.time()} {os.getppid()}\n")


def lines(folder: Path) -> list[list[str]]:
    """Return the words of a step's marks."""
    return [line.split() for line in (folder / "marks").read_text().splitlines()]


def marks(folder: Path) -> list[str]:
    """Return what happened to a step, in order."""
    return [line[0] for line in lines(folder)]


def fill_memory(megabytes: int) -> None:
    """Ask PyTorch for so much where the system gives this process 400 MB more than it has."""
    import torch

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 400 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    torch.ones(megabytes * 2**20 // 4)
