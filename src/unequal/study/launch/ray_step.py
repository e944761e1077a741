"""A step as a task of Ray: what happens in a process of some machine of the cluster."""

import os
import pickle
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unequal import __version__
from unequal.errors import ConfigError, DataError, OutOfMemoryError, UserError
from unequal.files import locked
from unequal.progress import Progress
from unequal.registry import Plugin, load_plugins
from unequal.study.launch.launcher import Report
from unequal.study.step import Step
from unequal.study.step_status import read_status

VISIBLE_WITHIN = 60.0
"""Seconds until what one machine has written is seen by every other, at the latest."""

GONE_WITHIN = 180.0
"""Seconds until a process of a machine that the cluster has lost has ended, at the latest."""

REPORT_EVERY = 0.5
"""Seconds between reports of one step."""

LOOK_EVERY = 0.2
OUT_OF_MEMORY = 77
"""Exit code of a process that ends so that its memory goes back to the system."""


@dataclass(frozen=True)
class Order:
    """A pickled step, the study's folder, and what must be so where it runs."""

    step: bytes
    folder: str
    study: Path
    token: str
    working_folder: Path
    plugins: tuple[Plugin, ...] = ()
    version: str = __version__


class Reports:
    """The actor that keeps what running steps report until it is taken."""

    def __init__(self) -> None:
        self._kept: dict[str, Report] = {}

    def tell(self, report: Report) -> None:
        """Keep how far a step is."""
        self._kept[report[0]] = report

    def take(self) -> list[Report]:
        """Return what came since the last time, the newest of each step."""
        taken = [*self._kept.values()]
        self._kept.clear()
        return taken


def run_order(order: Order, reports: Any) -> None:
    """Do the step, unless another process has done it by the time this one has it to itself.

    Raises what the step raises, and `UserError` when this machine is not fit. When memory runs out the
    process ends; then the step's folder says so.
    """
    _check_machine(order)
    with chdir(order.working_folder):
        step = _step_of(order)
        with _to_itself(order.study / order.folder):
            if step.is_done(order.study):
                return
            _await_inputs(order.study, step)
            try:
                step.run(order.study, _teller(order.folder, reports))
            except OutOfMemoryError:
                os._exit(OUT_OF_MEMORY)


def _check_machine(order: Order) -> None:
    """Raise `ConfigError` for another version, `DataError` for a machine without the study's folder."""
    here = socket.gethostname()
    if order.version != __version__:
        raise ConfigError(f"machine {here} has unequal {__version__}; install {order.version} there")
    for folder, seen in ((order.study, order.study / order.token), (order.working_folder,) * 2):
        if not _within(VISIBLE_WITHIN, seen.exists):
            raise DataError(
                f"machine {here} does not see {folder}; put it on storage that every machine of the cluster"
                " mounts at the same path"
            )


def _step_of(order: Order) -> Step:
    try:
        load_plugins(order.plugins)
        step: Step = pickle.loads(order.step)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"machine {socket.gethostname()} cannot run the step ({error}); install the same packages on"
            " every machine of the cluster, and keep modules of plugins where all of them see them"
        ) from error
    return step


@contextmanager
def _to_itself(folder: Path) -> Iterator[None]:
    """Hold the step's lock, which a process of a lost machine may have for a while.

    Raises `UserError` when another process keeps it.
    """
    end = time.monotonic() + GONE_WITHIN
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(folder / ".lock", f"doing the step {folder.name}", "end it"))
                break
            except ConfigError:
                if time.monotonic() > end:
                    raise
            time.sleep(LOOK_EVERY)
        yield


def _await_inputs(study: Path, step: Step) -> None:
    """Wait until what other machines have written is seen here; whether it is whole the step looks itself."""
    _within(VISIBLE_WITHIN, lambda: all(read_status(study / one) == "done" for one in step.inputs))


def _within(seconds: float, is_so: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(LOOK_EVERY)
    return True


def _teller(folder: str, reports: Any) -> Progress:
    """Return what passes a step's progress on, not too often."""
    last = -REPORT_EVERY

    def tell(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= REPORT_EVERY:
            last = time.monotonic()
            reports.tell.remote((folder, done, total))

    return tell
