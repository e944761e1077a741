"""The Ray launcher: counts shards on a cluster with one actor a core; jobs of lost actors are reassigned.

Only the actor that currently has a job may deliver its result, so a retry is never counted twice.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from unequal import __version__
from unequal.counting.launch.launcher import Job, Report, Result, Task
from unequal.errors import DataError, UserError
from unequal.ray_cluster import connected, load_ray

logger = logging.getLogger(__name__)

RETRIES = 3
"""How often a shard is reassigned after its actor died."""

ASK_EVERY = 1.0
"""Seconds between progress requests to the actors."""


def run_on_ray(
    prepare: Callable[[], Task[Result]], jobs: Sequence[Job], workers: int | None, report: Report
) -> Iterator[tuple[int, Result | DataError]]:
    """Yield the index of each job with its result or error; the largest shards come first.

    The cluster is the one that ``RAY_ADDRESS`` names, one that runs here, or a new one on this machine. With
    None for ``workers`` there is one a core. Raises `UserError` when there is no such cluster, when no
    worker starts, or when several died on one shard, and `MissingExtraError` without Ray.
    """
    ray = load_ray("counting on Ray")
    with connected(ray):
        workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        pool = _Actors(ray, ray.put(prepare), jobs, min(workers, len(jobs)))
        try:
            yield from pool.results(report)
        finally:
            pool.close()


class _Worker:
    """The Ray actor that counts shards."""

    def __init__(self, prepare: Callable[[], Task[Any]]) -> None:
        self._prepare = prepare
        self._task: Task[Any] | None = None
        self._at = (-1, 0)

    def version(self) -> str:
        """Return the version of this package on the actor's node."""
        return __version__

    def at(self) -> tuple[int, int]:
        """Return the index of the current job and the bytes read of its shard."""
        return self._at

    def run(self, number: int, job: Job) -> Any:
        """Return the result of a job, or its error when the shard is bad."""
        self._task = self._task or self._prepare()

        def on_bytes(bytes_read: int) -> None:
            self._at = (number, bytes_read)

        try:
            return self._task(job, on_bytes)
        except DataError as error:
            return error


class _Actors:
    """The starting actors, the running actors with their jobs, and the waiting jobs."""

    def __init__(self, ray: Any, prepare: Any, jobs: Sequence[Job], number: int) -> None:
        self._ray = ray
        self._prepare = prepare
        self._jobs = jobs
        self._number = number
        # Two threads an actor: one counts, the other says how far it is.
        self._actor = ray.remote(num_cpus=1, max_concurrency=2)(_Worker)
        self._waiting = sorted(range(len(jobs)), key=lambda number: jobs[number].shard.size)
        self._starting: dict[Any, Any] = {}  # the promise of a version: its actor
        self._running: dict[Any, tuple[Any, int]] = {}  # the promise of a result: its actor and job
        self._asked: dict[Any, int] = {}  # the promise of an answer: the job it was about
        self._deaths: Counter[int] = Counter()
        self._failed_starts = 0
        for _ in range(number):
            self._start()

    def results(self, report: Report) -> Iterator[tuple[int, Any]]:
        """Yield the index of each job with its result."""
        while self._waiting or self._running:
            promises = [*self._starting, *self._running]
            kept, _ = self._ray.wait(promises, num_returns=1, timeout=ASK_EVERY)
            for promise in kept:
                if promise in self._starting:
                    self._welcome(promise)
                else:
                    yield from self._take(promise)
            self._ask(report)

    def close(self) -> None:
        """Stop all actors."""
        for actor in [*self._starting.values(), *(actor for actor, _ in self._running.values())]:
            self._ray.kill(actor)

    def _start(self) -> None:
        actor = self._actor.remote(self._prepare)
        self._starting[actor.version.remote()] = actor

    def _welcome(self, promise: Any) -> None:
        """Give a started actor its first job; replace one that died while starting."""
        actor = self._starting.pop(promise)
        try:
            version = self._ray.get(promise)
        except self._ray.exceptions.RayError as error:
            self._failed_starts += 1
            broken = getattr(error, "actor_init_failed", False)
            if broken or self._failed_starts > self._number + RETRIES:
                reason = str(error).strip().rpartition("\n")[2]
                raise UserError(
                    f"a worker does not start on Ray ({reason}); install unequal {__version__} with its extra"
                    " 'ray' on every node, for the same Python"
                ) from error
            self._start()
            return
        if version != __version__:
            raise UserError(f"a node of the Ray cluster has unequal {version}; install {__version__} there")
        self._failed_starts = 0
        self._give(actor)

    def _give(self, actor: Any) -> None:
        """Give an actor the largest waiting shard, or release its core if none waits."""
        if self._waiting:
            number = self._waiting.pop()
            self._running[actor.run.remote(number, self._jobs[number])] = (actor, number)
        else:
            self._ray.kill(actor)

    def _take(self, promise: Any) -> Iterator[tuple[int, Any]]:
        """Yield the index and result of a finished job; nothing when its actor was lost."""
        actor, number = self._running.pop(promise)
        try:
            result = self._ray.get(promise)
        except self._ray.exceptions.RayTaskError as error:
            self._ray.kill(actor)
            raise error.cause if isinstance(error.cause, Exception) else error from error
        except self._ray.exceptions.RayError as error:
            self._ray.kill(actor)  # it may be out of reach only; what it still finds nobody takes
            self._lose(number, error)
            return
        self._give(actor)
        yield number, result

    def _lose(self, number: int, error: Exception) -> None:
        self._deaths[number] += 1
        shard = self._jobs[number].shard
        if self._deaths[number] > RETRIES:
            raise UserError(
                f"{self._deaths[number]} workers on Ray died one after the other while they counted {shard},"
                " perhaps for want of memory; the same command goes on where it stopped"
            ) from error
        logger.warning("a worker on Ray died while it counted %s; another one does", shard)
        self._waiting.append(number)
        self._start()

    def _ask(self, report: Report) -> None:
        """Report received progress, and request it from every actor without an open request."""
        at_work = {number for _, number in self._running.values()}
        if self._asked:
            answers, _ = self._ray.wait([*self._asked], num_returns=len(self._asked), timeout=0)
            for answer in answers:
                del self._asked[answer]
                with suppress(self._ray.exceptions.RayError):
                    number, bytes_read = self._ray.get(answer)
                    if number in at_work:
                        report(number, bytes_read)
        owing = set(self._asked.values())
        for actor, number in self._running.values():
            if number not in owing:
                self._asked[actor.at.remote()] = number
