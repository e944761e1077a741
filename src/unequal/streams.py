"""Standard output and standard error: every character can be written, and a full disk is noticed."""

import io
import os
import sys
from contextlib import suppress

from unequal.plain_text import one_line


def accept_every_character() -> None:
    """Have standard output and error write what their encoding lacks as an escape, instead of failing."""
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
