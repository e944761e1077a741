"""The interface of launchers, and the jobs and tasks that they run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from unequal.counting.scan.shards import Shard
from unequal.counting.words import Bools
from unequal.errors import DataError

Result = TypeVar("Result", covariant=True)

OnBytes = Callable[[int], None]
"""Progress callback with the number of bytes read of a shard."""

Report = Callable[[int, int], None]
"""Progress callback with the index of a job and the bytes read of its shard."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A shard, and a mask of its documents to skip (None for none), shape (n_documents,)."""

    shard: Shard
    left_out: Bools | None = None


class Task(Protocol[Result]):
    """A computation on one shard."""

    def __call__(self, job: Job, on_bytes: OnBytes) -> Result:
        """Return the result; raises `DataError` when the shard cannot be read to its end."""
        ...


class Launcher(Protocol):
    """Runs a task on every job."""

    def __call__(
        self, prepare: Callable[[], Task[Result]], jobs: Sequence[Job], workers: int | None, report: Report
    ) -> Iterator[tuple[int, Result | DataError]]:
        """Yield the index of each finished job with its result; the result of a bad shard is its error.

        ``prepare`` is called once in every worker; it, the jobs and the results are pickled. With None for
        ``workers`` the launcher chooses their number. ``report`` is called in the caller's thread,
        and never for a job that has been yielded. Raises `UserError` when workers fail permanently.
        """
        ...
