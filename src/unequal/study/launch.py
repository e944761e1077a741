"""Run steps in worker processes: each has one thread, keeps what it loaded, and ends when its parent does."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from unequal.errors import UserError
from unequal.study.step import Step

Report = tuple[str, int, int]  # folder of the step, done, total
OnReport = Callable[[Report], None]


class StepError(UserError):
    """A step failed in a way the user can do something about."""


def run_steps(study: Path, steps: Sequence[Step], workers: int, on_report: OnReport) -> Iterator[Step]:
    """Yield each step as it is finished, the costliest ready one first.

    A step is ready when none of its inputs is still to be done. Raises `StepError` naming the step when
    one fails with a user error or a worker dies; steps that are done stay done.
    """
    pending = sorted(steps, key=lambda step: -step.cost)
    if not pending:
        return
    context = multiprocessing.get_context("spawn")
    reports: SimpleQueue[Report] = context.SimpleQueue()
    stop = threading.Event()
    listener = threading.Thread(target=_listen, args=(reports, on_report, stop), daemon=True)
    listener.start()
    with ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(reports,)) as pool:
        running: dict[Future[None], Step] = {}
        try:
            while pending or running:
                for step in _ready(pending, running.values())[: workers - len(running)]:
                    pending.remove(step)
                    with _interrupts_held():
                        running[pool.submit(_run_step, study, step)] = step
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    step = running.pop(future)
                    _raise_failure(future, step)
                    yield step
        except KeyboardInterrupt:
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            stop.set()
            listener.join(timeout=5)


def _ready(pending: Sequence[Step], running: Iterable[Step]) -> list[Step]:
    unfinished = {step.folder for step in [*pending, *running]}
    return [step for step in pending if not unfinished.intersection(step.inputs)]


def _raise_failure(future: Future[None], step: Step) -> None:
    try:
        future.result()
    except UserError as error:
        raise StepError(f"step {step.folder}: {error}") from error
    except BrokenProcessPool as error:
        raise StepError(
            f"a worker died while step {step.folder} ran, perhaps for want of memory;"
            " run the same command again, with fewer --workers if it dies again"
        ) from error


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold back Ctrl-C for this thread; a process started meanwhile never gets it, its parent ends it."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _listen(reports: "SimpleQueue[Report]", on_report: OnReport, stop: threading.Event) -> None:
    """Pass reports on; waits by the clock, since a worker that was killed may hold the queue's lock."""
    while not stop.wait(0.1):
        while not reports.empty():
            on_report(reports.get())


_REPORTS: "list[SimpleQueue[Report]]" = []


def _start_worker(reports: "SimpleQueue[Report]") -> None:
    """Set the process up: one thread, a channel for progress, and an end when the parent ends."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ[name] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _REPORTS.append(reports)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _run_step(study: Path, step: Step) -> None:
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    step.run(study, lambda done, total: _REPORTS[0].put((step.folder, done, total)))
