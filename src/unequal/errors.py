"""User errors: one-line messages, with which the command line exits with code 2."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from unequal.plain_text import MOST_OF_A_MESSAGE, one_line

MOST_OF_A_PROBLEM = 300
"""Maximum characters of one problem in a list of problems."""

SHOWN = 6
"""Maximum number of fact names of a batch in a message."""


class UserError(Exception):
    """An error that the user can fix; the message says what is wrong, where, what is allowed and what to do.

    The message is one line without control characters, whatever values or other libraries' messages it
    quotes.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


class ConfigError(UserError):
    """A setting, flag or run file is wrong."""


class DataError(UserError):
    """A file or folder is missing, unreadable or has invalid content."""


class DamagedError(DataError):
    """A file of ``folder`` does not match its checksum; ``what`` names the file."""

    def __init__(self, folder: str, what: str, advice: str) -> None:
        super().__init__(f"{folder} is damaged ({what}); {advice}")
        self.folder = folder
        self.what = what
        self.advice = advice

    def __reduce__(self) -> tuple[type["DamagedError"], tuple[str, str, str]]:
        return type(self), (self.folder, self.what, self.advice)


class OutOfMemoryError(UserError):
    """Memory ran out during the computation."""


class DivergedError(UserError):
    """Training diverged to NaN or infinity at ``step``; the state before this step is the last good one.

    ``batch`` has the names of the examples of the step.
    """

    def __init__(self, what: str, step: int, batch: Sequence[str] = ()) -> None:
        shown = ", ".join(batch[:SHOWN]) + (f" and {len(batch) - SHOWN} more" if len(batch) > SHOWN else "")
        super().__init__(f"{what}; lower the learning rate" + (f" (in its batch: {shown})" if batch else ""))
        self.what = what
        self.step = step
        self.batch = tuple(batch)

    def __reduce__(self) -> tuple[type["DivergedError"], tuple[str, int, tuple[str, ...]]]:
        return type(self), (self.what, self.step, self.batch)


class MissingExtraError(UserError):
    """A library that belongs to an optional extra is not installed."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(
            f"{purpose} needs libraries that are not installed; run: pip install 'unequal[{extra}]'"
        )
        self.purpose = purpose
        self.extra = extra

    def __reduce__(self) -> tuple[type["MissingExtraError"], tuple[str, str]]:
        return type(self), (self.purpose, self.extra)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or an empty string."""
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def first_line(error: object) -> str:
    """Return the first line of an error's message, or the name of its type."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def listed(problems: Sequence[str], limit: int = 50, n_all: int | None = None) -> str:
    """Return a list of problems as one line, truncated to the length of a message, with the number omitted.

    The problems are the first of ``n_all``, or all of them if it is None.
    """
    shown: list[str] = []
    room = MOST_OF_A_MESSAGE * 3 // 4
    for problem in problems[:limit]:
        shown.append(one_line(problem, MOST_OF_A_PROBLEM))
        room -= len(shown[-1])
        if room < 0:
            break
    if (n_more := (n_all or len(problems)) - len(shown)) > 0:
        shown.append(f"… and {n_more} more")
    return "; ".join(shown)
