"""Progress callbacks of long computations."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with the number done and the total, such as the function of `console.progress_bar`."""


def no_progress(_done: int, _total: int) -> None:
    """Ignore progress."""
