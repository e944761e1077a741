"""A time at which a run of the tests ends: tests that have not begun by then are skipped and counted."""

import os
import time

import pytest

UNTIL = "UNEQUAL_TESTS_UNTIL"
"""The variable with that time, in seconds since 1970; without it there is none."""

REASON = "no time was left for it"


def pytest_runtest_setup():
    if time.time() > float(os.environ.get(UNTIL, "inf")):
        pytest.skip(REASON)


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    n = sum(REASON in str(report.longrepr) for report in skipped)
    if n:
        terminalreporter.write_line(f"{n} tests were not run: {REASON}; make test-all runs them")
