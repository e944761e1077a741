"""``unequal check-plugin``."""

import sys

from unequal.cli.options import require_training
from unequal.console import progress_bar, say

BROKEN = 3
"""The exit code when a plugin breaks a contract."""


def check_plugin(place: str, /) -> None:
    """Run the contract tests that methods, metrics, attacks, model families and engines pass on one of yours.

    The exit code is 3 when one fails.

    Parameters
    ----------
    place
        module:attribute of a module that can be imported here, such as my_module:MyMethod, or a name
    """
    require_training("checking a plugin")
    from unequal.plugin_checks.run import check_plugin as run
    from unequal.plugin_checks.run import find_plugin

    kind, outcomes = run(find_plugin(place))
    say(f"{place} is a {kind}")
    with progress_bar("checking"):
        done = []
        for outcome in outcomes:
            say(outcome.sentence())
            done.append(outcome)
    failed = sum(outcome.problem is not None for outcome in done)
    say(f"{len(done) - failed} of {len(done)} checks passed")
    if failed:
        sys.exit(BROKEN)
