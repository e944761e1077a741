"""Waiting in tests: for an event, never for a time; the limit is for a test that hangs."""

import time
from collections.abc import Callable

HANGS = 900.0
"""Seconds after which whatever a test waits for is taken never to come."""


def wait_until(happened: Callable[[], object], process=None) -> None:
    """Return once it has happened; fail when the process that should make it happen has ended before."""
    end = time.monotonic() + HANGS
    while not happened():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
