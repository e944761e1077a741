"""Errors a user can see: each is one clear line, and the command line exits with code 2."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from unequal.plain_text import MOST_OF_A_MESSAGE, one_line

MOST_OF_A_PROBLEM = 300
"""Characters of one problem in a list of them."""

SHOWN = 6
"""Names of a batch that a message shows."""


class UserError(Exception):
    """Something the user can fix; the message says what, where, what is allowed and what to do next.

    It is one line without control characters, whatever the values and other libraries' words in it hold.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


class ConfigError(UserError):
    """A setting, flag or run file is wrong."""


class DataError(UserError):
    """A file or folder is missing, unreadable or does not hold what it should."""


class DamagedError(DataError):
    """A file of a sealed ``folder`` is not as it was written; ``what`` names it."""

    def __init__(self, folder: str, what: str, advice: str) -> None:
        super().__init__(f"{folder} is damaged ({what}); {advice}")
        self.folder = folder
        self.what = what
        self.advice = advice

    def __reduce__(self) -> tuple[type["DamagedError"], tuple[str, str, str]]:
        return type(self), (self.folder, self.what, self.advice)


class ShortOfMemoryError(UserError):
    """Memory ran out in the middle of the work."""


class DivergedError(UserError):
    """Training came to what is no number at ``step``; the state after the step before is the last good one.

    ``batch`` names what the step saw.
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


def listed(problems: Sequence[str], limit: int = 50, n_all: int | None = None) -> str:
    """Return the problems in one line, as many as a message has room for, and how many were left out.

    They are the first of ``n_all``, or all there are.
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
