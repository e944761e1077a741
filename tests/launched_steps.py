"""Steps that fail in the ways steps can fail; a module of their own, since workers must import them."""

import os
import resource
import signal
import time
from pathlib import Path
from typing import ClassVar, Literal

from unequal.errors import DataError, DivergedError
from unequal.shortage import at_most
from unequal.study.step import Progress, Step


class FailingStep(Step):
    """Does what its name says."""

    kind: ClassVar[str] = "test"

    end: Literal["done", "user error", "bug", "death", "one death", "memory", "large batch", "diverged"]
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
        match self.end:
            case "user error":
                raise DataError("the disk is full; make room")
            case "bug":
                raise ZeroDivisionError("a bug")
            case "death":
                os.kill(os.getpid(), signal.SIGKILL)
            case "one death":
                if marks(folder).count("begins") == 1:
                    os.kill(os.getpid(), signal.SIGKILL)
            case "memory":
                fill_memory(2000)
            case "large batch":
                fill_memory(at_most(800))
            case "diverged":
                raise DivergedError("the loss is nan at step 3", 3, ("a", "b"))
        (folder / "result").write_text(f"result of {self.end}")
        progress(2, 2)
        mark(folder, "ends")


def mark(folder: Path, event: str) -> None:
    """Note in the step's folder that something happened, in which process and when."""
    with (folder / "marks").open("a") as file:
        file.write(f"{event} {os.getpid()} {time.time()}\n")


def marks(folder: Path) -> list[str]:
    """Return what happened to a step, in order."""
    return [line.split()[0] for line in (folder / "marks").read_text().splitlines()]


def fill_memory(megabytes: int) -> None:
    """Ask PyTorch for so much where the system gives this process 400 MB more than it has."""
    import torch  # noqa: PLC0415

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 400 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    torch.ones(megabytes * 2**20 // 4)
