"""Run steps in worker processes: each has one thread, keeps what it loaded, and ends when its parent does."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from unequal.errors import UserError
from unequal.study.step import Step

Report = tuple[str, int, int]  # folder of the step, done, total
OnReport = Callable[[Report], None]


class StepError(UserError):
    """A step failed in a way the user can do something about."""


@dataclass(frozen=True)
class Finished:
    """A step that was done just now."""

    step: Step


def run_steps(study: Path, steps: Sequence[Step], workers: int, on_report: OnReport) -> Iterator[Finished]:
    """Yield each step as it is finished, the costliest ready one first.

    A step is ready when none of its inputs is still to be done. Raises `StepError` naming the step when
    one fails with a user error or a worker dies; steps that are done stay done.
    """
    pending = sorted(steps, key=lambda step: -step.cost)
    if not pending:
        return
    context = multiprocessing.get_context("spawn")
    reports: SimpleQueue[Report | None] = context.SimpleQueue()
    listener = threading.Thread(target=_listen, args=(reports, on_report), daemon=True)
    listener.start()
    with ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(reports,)) as pool:
        running: dict[Future[None], Step] = {}
        try:
            while pending or running:
                for step in _ready(pending, running.values())[: workers - len(running)]:
                    pending.remove(step)
                    running[pool.submit(_run_step, study, step)] = step
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    step = running.pop(future)
                    _raise_failure(future, step)
                    yield Finished(step)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        finally:
            reports.put(None)
            listener.join(timeout=5)


def _ready(pending: Sequence[Step], running: "Sequence[Step] | object") -> list[Step]:
    unfinished = {step.folder for step in [*pending, *running]}  # type: ignore[misc]
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


def _listen(reports: "SimpleQueue[Report | None]", on_report: OnReport) -> None:
    while (report := reports.get()) is not None:
        on_report(report)


_REPORTS: "list[SimpleQueue[Report | None]]" = []


def _start_worker(reports: "SimpleQueue[Report | None]") -> None:
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
