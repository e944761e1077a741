"""Progress callbacks of long computations, and progress within one part of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

Progress = Callable[[int, int], None]
"""Called with the number done and the total, such as the function of `console.progress_bar`."""
Part = Callable[[str, int, int], None]
"""Called with a noun, such as ``batch``, the number done and the total."""
UNITS = 1000
"""Units of progress that a part of cost 1 has."""


def no_progress(_done: int, _total: int) -> None:
    """Ignore progress."""


def _no_part(_noun: str, _done: int, _total: int) -> None:
    pass


_shown: ContextVar[Part] = ContextVar("progress of a part", default=_no_part)


def report_part(noun: str, done: int, total: int) -> None:
    """Say how far the pass or training is that runs now, to whoever shows it: such as batch 3 of 40."""
    _shown.get()(noun, done, total)


@contextmanager
def parts_shown_by(show: Part) -> Iterator[None]:
    """Let ``show`` be told how far a pass or training is while the block runs."""
    token = _shown.set(show)
    try:
        yield
    finally:
        _shown.reset(token)


def split_progress(progress: Progress, costs: Sequence[float]) -> list[Progress]:
    """Return the progress of each part of a computation, whose costs are relative to one another."""
    units = [round(UNITS * cost) for cost in costs]
    total = max(1, sum(units))

    def of_part(number: int) -> Progress:
        before = sum(units[:number])
        return lambda done, whole: progress(before + units[number] * done // max(1, whole), total)

    return [of_part(number) for number in range(len(units))]
