"""Worker processes: each has one thread, keeps what it prepared, and ends when its parent ends."""

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from functools import cached_property
from multiprocessing.queues import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

Key = TypeVar("Key")

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""The environment of a worker: as many workers as cores leave none for threads."""

REPORT_EVERY = 0.1
"""Seconds between looks at what workers report; a full channel makes them wait."""


class Workers(Generic[Key]):
    """Worker processes, started as jobs need them; leaving the block ends them.

    An exception that leaves the block lets jobs that run go on to their end; Ctrl-C stops them at once.
    """

    def __init__(
        self, number: int, on_report: Callable[[Any], None], prepare: Callable[[], Any] | None = None
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._on_report = on_report
        self._reports: SimpleQueue[Any] = context.SimpleQueue()
        self._jobs: dict[Future[Any], Key] = {}
        self._others = set(multiprocessing.active_children())
        # Pickled here, so that a worker unpickles, and imports numpy and the like, after it was set up.
        given = (self._reports, pickle.dumps(prepare), context.Value("i", 0))
        self._pool = ProcessPoolExecutor(number, context, _start, given)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None and not issubclass(error, Exception):
            self.terminate()
        for future in self._jobs:
            future.cancel()
        try:
            while not all(future.done() for future in self._jobs):
                self._wait()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def running(self) -> list[Key]:
        """The keys of the jobs that were submitted and have not come back."""
        return list(self._jobs.values())

    def submit(self, key: Key, function: Callable[..., Any], *values: object) -> None:
        """Have a worker call an importable function; it, the values and what it returns are pickled."""
        with _interrupts_held():
            self._jobs[self._pool.submit(function, *values)] = key

    def finished(self) -> list[tuple[Key, Future[Any]]]:
        """Return the jobs that are done, those that failed last, when one is; what they reported came before.

        A future raises what its job raised, or `BrokenProcessPool` when a worker died.
        """
        done: set[Future[Any]] = set()
        while self._jobs and not done:
            done = self._wait()
        in_order = sorted(done, key=lambda future: future.exception() is not None)
        return [(self._jobs.pop(future), future) for future in in_order]

    def terminate(self) -> None:
        """Stop the workers at once, whatever they do."""
        for process in set(multiprocessing.active_children()) - self._others:
            process.terminate()

    def _wait(self) -> set[Future[Any]]:
        done, _ = wait(self._jobs, timeout=REPORT_EVERY, return_when=FIRST_COMPLETED)
        while not self._reports.empty():
            self._on_report(self._reports.get())
        return done


def tell(report: Any) -> None:
    """Pass a report to the process that started this worker; it has it before the job's result."""
    _THIS_WORKER[0].reports.put(report)


def number() -> int | None:
    """Return which of the workers this process is, counted from 0; None in a process that is no worker."""
    return _THIS_WORKER[0].number if _THIS_WORKER else None


def prepared() -> Any:
    """Return what ``prepare`` returned in this worker, where it is called once, when first asked for."""
    return _THIS_WORKER[0].prepared


class _Worker:
    """What a worker process holds."""

    def __init__(self, reports: "SimpleQueue[Any]", pickled_prepare: bytes, number: int) -> None:
        self.reports = reports
        self.number = number
        self._pickled_prepare = pickled_prepare

    @cached_property
    def prepared(self) -> Any:
        return pickle.loads(self._pickled_prepare)()


_THIS_WORKER: list[_Worker] = []


def _start(reports: "SimpleQueue[Any]", pickled_prepare: bytes, started: "Synchronized[int]") -> None:
    """Set a worker up: one thread, a number, a channel for reports, and an end when the parent ends."""
    os.environ.update(ONE_THREAD)
    with started.get_lock():
        _THIS_WORKER.append(_Worker(reports, pickled_prepare, started.value))
        started.value += 1
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold back Ctrl-C for this thread; a process started meanwhile never gets it, its parent ends it."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
