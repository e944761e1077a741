"""The local launcher: counts shards in this process or in a pool of worker processes."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from unequal.counting.launch.launcher import Job, Report, Result, Task
from unequal.errors import DataError, UserError
from unequal.workers import WorkerDiedError, Workers, n_cores, prepared, tell

SMALL = 64 << 20
"""Bytes of shards below which one process is faster than starting a pool."""


def run_here(
    prepare: Callable[[], Task[Result]], jobs: Sequence[Job], workers: int | None, report: Report
) -> Iterator[tuple[int, Result | DataError]]:
    """Yield the index of each job with its result or error; a pool starts with the largest shards.

    With None for ``workers`` there is one a core, or one for a small corpus. One worker is this process.
    Raises `UserError` when a worker dies.
    """
    workers = min(workers or _default_workers(jobs), len(jobs))
    run = _one_by_one if workers <= 1 else partial(_in_pool, workers=workers)
    return run(prepare, jobs, report=report)


def _default_workers(jobs: Sequence[Job]) -> int:
    if sum(job.shard.size for job in jobs) < SMALL:
        return 1
    return n_cores()


def _one_by_one(
    prepare: Callable[[], Task[Result]], jobs: Sequence[Job], report: Report
) -> Iterator[tuple[int, Result | DataError]]:
    task = prepare()
    for number, job in enumerate(jobs):
        try:
            yield number, task(job, partial(report, number))
        except DataError as error:
            yield number, error


def _in_pool(
    prepare: Callable[[], Task[Result]], jobs: Sequence[Job], report: Report, workers: int
) -> Iterator[tuple[int, Result | DataError]]:
    waiting = sorted(range(len(jobs)), key=lambda number: jobs[number].shard.size)
    with Workers[int](workers, lambda told: report(*told), prepare) as pool:
        try:
            while waiting or pool.running:
                while waiting and len(pool.running) <= workers:  # one more, for who is ready first
                    number = waiting.pop()
                    pool.submit(number, _run_job, number, jobs[number])
                for number, future in pool.finished():
                    yield number, future.result()
        except WorkerDiedError as error:
            pool.terminate()
            raise UserError(
                f"one of {workers} worker processes died, perhaps for want of memory;"
                " the same command goes on where it stopped, with fewer workers if it dies again"
            ) from error
        except BaseException:
            pool.terminate()  # nobody takes what the others would still find
            raise


def _run_job(number: int, job: Job) -> Any:
    task: Task[Any] = prepared()
    try:
        return task(job, lambda bytes_read: tell((number, bytes_read)))
    except DataError as error:
        return error
