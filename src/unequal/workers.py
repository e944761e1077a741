"""Pool of worker processes: one thread each, cached setup, and termination with the parent."""

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import cached_property
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any, Generic, NamedTuple, Self, TypeVar

from unequal.errors import OutOfMemoryError, UserError

Key = TypeVar("Key")

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""The environment of a worker: one thread, since there may be as many workers as cores."""

REPORT_EVERY = 0.1
"""Seconds between reads of the workers' reports; a full channel blocks them."""


def n_cores() -> int:
    """Return the number of cores this process may use (on macOS, of all cores)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkerDiedError(UserError):
    """A worker process ended before its job did."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(_ending(exit_code))
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[type["WorkerDiedError"], tuple[int | None]]:
        return type(self), (self.exit_code,)


class Workers(Generic[Key]):
    """A pool of worker processes, started on demand; leaving the block ends them.

    A worker that dies fails only its own job and is replaced. So is a worker whose job ran out of memory, to
    return its memory to the system. When an exception leaves the block, running jobs are finished first;
    Ctrl-C stops them at once.
    """

    def __init__(
        self, number: int, on_report: Callable[[Any], None], prepare: Callable[[], Any] | None = None
    ) -> None:
        self._context = multiprocessing.get_context("spawn")
        # Its start lets Ctrl-C through again, so it is not left to the first worker's, which holds it back.
        resource_tracker.ensure_running()
        self._number = number
        self._on_report = on_report
        # Pickled here, so that a worker unpickles, and imports numpy and the like, after it was set up.
        self._prepare = pickle.dumps(prepare)
        self._waiting: deque[tuple[Key, Callable[..., Any], tuple[object, ...]]] = deque()
        self._jobs: dict[Future[Any], tuple[Key, _Worker]] = {}
        self._idle: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None and not issubclass(error, Exception):
            self.terminate()
        self._waiting.clear()
        workers = self._workers
        try:
            while not all(future.done() for future in self._jobs):
                self._wait()
        finally:
            for worker in workers:
                worker.pool.shutdown(wait=True, cancel_futures=True)

    @property
    def running(self) -> list[Key]:
        """The keys of submitted jobs that have not been returned by `finished`."""
        return [*(key for key, _ in self._jobs.values()), *(key for key, _, _ in self._waiting)]

    def submit(self, key: Key, function: Callable[..., Any], *values: object) -> None:
        """Submit a call of an importable function; function, arguments and result are pickled.

        The job waits until a worker is free.
        """
        self._waiting.append((key, function, values))
        self._assign()

    def finished(self) -> list[tuple[Key, Future[Any]]]:
        """Wait until a job is done; return all done jobs, failed ones last, after their reports.

        A future raises the error of its job, or `WorkerDiedError` when its worker died.
        """
        done: set[Future[Any]] = set()
        while self._jobs and not done:
            done = self._wait()
        in_order = sorted(done, key=lambda future: future.exception() is not None)
        found = [self._take(future) for future in in_order]
        self._assign()
        return found

    def terminate(self) -> None:
        """Stop all workers at once."""
        for worker in self._workers:
            worker.process.terminate()

    @property
    def _workers(self) -> "list[_Worker]":
        return [*self._idle, *(worker for _, worker in self._jobs.values())]

    def _assign(self) -> None:
        """Assign waiting jobs to idle workers, or to new workers up to the maximum."""
        while self._waiting and len(self._jobs) < self._number:
            key, function, values = self._waiting.popleft()
            worker, future = self._given(function, *values)
            self._jobs[future] = key, worker

    def _given(self, function: Callable[..., Any], *values: object) -> tuple["_Worker", Future[Any]]:
        with _interrupts_held():
            while self._idle:
                worker = self._idle.pop()
                with suppress(BrokenProcessPool):  # of one that was killed while it had nothing to do
                    return worker, worker.pool.submit(function, *values)
            others = set(multiprocessing.active_children())
            # A channel of its own: one that is shared stays locked when a worker is killed as it writes.
            reports, writer = self._context.Pipe(duplex=False)
            number = min(set(range(self._number)) - {worker.number for worker in self._workers})
            pool = ProcessPoolExecutor(1, self._context, _start, (writer, self._prepare, number))
            future = pool.submit(function, *values)
            writer.close()
            (process,) = set(multiprocessing.active_children()) - others
            return _Worker(pool, process, reports, number), future

    def _take(self, future: Future[Any]) -> tuple[Key, Future[Any]]:
        key, worker = self._jobs.pop(future)
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            future = Future()
            future.set_exception(WorkerDiedError(worker.exit_code()))
        if isinstance(error, BrokenProcessPool | OutOfMemoryError | MemoryError):
            worker.pool.shutdown(wait=False)
        else:
            self._idle.append(worker)
        return key, future

    def _wait(self) -> set[Future[Any]]:
        done, _ = wait(self._jobs, timeout=REPORT_EVERY, return_when=FIRST_COMPLETED)
        for _, worker in self._jobs.values():
            for report in worker.reported():
                self._on_report(report)
        return done


class _Worker(NamedTuple):
    """One worker process, with its executor and report channel."""

    pool: ProcessPoolExecutor
    process: multiprocessing.process.BaseProcess
    reports: "Connection[Any, Any]"
    number: int

    def reported(self) -> Iterator[Any]:
        """Yield the reports received since the last call."""
        with suppress(EOFError, OSError):  # of a worker that died
            while self.reports.poll():
                yield self.reports.recv()

    def exit_code(self) -> int | None:
        """Return the exit code of the process, or None if it is not known."""
        end = time.monotonic() + 5
        while self.process.exitcode is None and time.monotonic() < end:
            time.sleep(0.01)
        return self.process.exitcode


def _ending(exit_code: int | None) -> str:
    if exit_code is None:
        return "its process died, as it does when memory runs out"
    if exit_code >= 0:
        return f"its process ended by itself (exit code {exit_code})"
    name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else f"signal {-exit_code}"
    cause = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"its process was killed ({name}{cause})"


def tell(report: Any) -> None:
    """Send a report from a worker to its parent, which receives it before the job's result."""
    _THIS_WORKER[0].reports.send(report)


def number() -> int | None:
    """Return the index of this worker, from 0; None outside a worker.

    A worker that replaces another has the same index.
    """
    return _THIS_WORKER[0].number if _THIS_WORKER else None


def prepared() -> Any:
    """Return the result of ``prepare`` in this worker; it is called once, on first use."""
    return _THIS_WORKER[0].prepared


class _Self:
    """State of a worker process."""

    def __init__(self, reports: "Connection[Any, Any]", pickled_prepare: bytes, number: int) -> None:
        self.reports = reports
        self.number = number
        self._pickled_prepare = pickled_prepare

    @cached_property
    def prepared(self) -> Any:
        return pickle.loads(self._pickled_prepare)()


_THIS_WORKER: list[_Self] = []


def _start(reports: "Connection[Any, Any]", pickled_prepare: bytes, number: int) -> None:
    """Set up a worker: one thread, an index, a report channel, and termination with the parent."""
    os.environ.update(ONE_THREAD)
    _THIS_WORKER.append(_Self(reports, pickled_prepare, number))
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Block Ctrl-C in this thread; a process started meanwhile never receives it, its parent ends it."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
