"""Standard output and error: escaped characters, one-line warnings, write failures."""

import io
import logging
import os
import sys
from contextlib import suppress

from unequal.plain_text import one_line


class OneLine(logging.Formatter):
    """Log formatter that writes a record as one sanitised line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message of a record, followed by its error if it has one."""
        error = record.exc_info[1] if record.exc_info else None
        return one_line(record.getMessage() + (f": {error}" if error else ""))


def prepare() -> None:
    """Make standard output and error escape characters outside their encoding, and warnings one line.

    Otherwise such a character would end the command, and a warning could contain control characters.
    """
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(OneLine())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_error(text: str) -> None:
    """Print an error message as one line on standard error, if it can be written."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(one_line(text), file=sys.stderr, flush=True)  # noqa: T201  the one place that prints errors


def output_failure(probe: str = "") -> OSError | None:
    """Return the error of standard output, or None when the probe and everything before it was written.

    An unbuffered stream drops what it could not write, so only writing a probe shows the failure.
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
