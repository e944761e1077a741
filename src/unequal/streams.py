"""Standard output and standard error: every character can be written, and a full disk is noticed."""

import io
import logging
import os
import sys
from contextlib import suppress

from unequal.plain_text import one_line


class OneLine(logging.Formatter):
    """Writes a warning as one line of text; names in it are not obeyed by the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message of a record, and the last words of its error if it has one."""
        error = record.exc_info[1] if record.exc_info else None
        return one_line(record.getMessage() + (f": {error}" if error else ""))


def prepare() -> None:
    """Have standard output and error write what their encoding lacks as an escape, and warnings as one line.

    Without this such a character would end the command, and a warning could hold what a terminal obeys.
    """
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(OneLine())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def complain(text: str) -> None:
    """Print a text as one line on standard error, if that can be written."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(one_line(text), file=sys.stderr, flush=True)  # noqa: T201  the one place that prints errors


def output_failure(probe: str = "") -> OSError | None:
    """Return why standard output cannot be written, or None when it takes the probe and all before it.

    A stream without a buffer forgets what it could not write, so only a probe shows that it failed.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.write(probe)
            sys.stdout.flush()
    except OSError as error:
        with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # so that Python's own last flush succeeds
        return error
    return None
