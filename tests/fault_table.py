"""The table of faults survived: tests marked ``fault(name, holds)`` fill it with what became of them.

``pytest --fault-table=FILE`` writes it as Markdown: one row a fault and what holds after it, with how many
tests were made of it and how many passed.
"""

import platform
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from unequal.manifest import manifest

HEAD = """\
# Faults survived

Written by `make faults`, which runs every test marked `fault`, the slow ones too, and counts what became of
them. Each makes its fault happen for real: processes are killed, disks filled, memory denied, bytes flipped.

| fault | what holds afterwards | tests | passed |
|---|---|---:|---:|
"""


def pytest_addoption(parser):
    parser.addoption("--fault-table", metavar="FILE", help="write the table of faults survived")


def pytest_configure(config):
    config.pluginmanager.register(_Table(config.getoption("--fault-table")), "fault table")


def pytest_collection_modifyitems(items):
    """Send the marker's words along with each test's report, from whichever process runs it."""
    for item in items:
        for marker in item.iter_markers("fault"):
            item.user_properties.append(("fault", list(marker.args)))


class _Table:
    """Counts outcomes and writes them at the end; a skipped test counts as one that has not passed."""

    def __init__(self, path):
        self._path = path
        self._outcomes = defaultdict(dict)

    def pytest_runtest_logreport(self, report):
        for key, words in report.user_properties:
            if key == "fault":
                passed = self._outcomes[tuple(words)].get(report.nodeid, True)
                self._outcomes[tuple(words)][report.nodeid] = passed and report.passed

    def pytest_sessionfinish(self, session):
        if not self._path or hasattr(session.config, "workerinput"):
            return
        rows = [
            f"| {name} | {holds} | {len(found)} | {sum(found.values())} |\n"
            for (name, holds), found in sorted(self._outcomes.items())
        ]
        passed = sum(sum(found.values()) for found in self._outcomes.values())
        tests = sum(map(len, self._outcomes.values()))
        made = manifest()
        foot = (
            f"\n{passed} of {tests} tests passed on {datetime.now(UTC):%Y-%m-%d}: unequal {made['unequal']},"
            f" Python {made['python']}, PyTorch {made['libraries']['torch']},"
            f" {platform.system()} {platform.machine()}.\n"
        )
        Path(self._path).write_text(HEAD + "".join(rows) + foot, encoding="utf-8")
