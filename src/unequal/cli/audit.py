"""``unequal audit``."""

import sys
from typing import TYPE_CHECKING

from unequal.auditing.settings import AuditSettings
from unequal.cli.flags import takes
from unequal.cli.options import require_training, with_stored_prompts
from unequal.console import progress_bar, say, show_table
from unequal.evaluation.general_table import sentences
from unequal.evaluation.known_by import READINGS

if TYPE_CHECKING:
    from unequal.auditing.conclude import Audit

NOT_PASSED = 3
"""The exit code when a policy was stated and does not hold, and whenever nothing was judged."""


@takes(AuditSettings, chat="prompts.chat", system="prompts.system")
def audit(settings: AuditSettings) -> None:
    """Give a verdict on every fact after unlearning.

    The exit code is 3 when the policy does not hold, and whenever nothing could be evaluated.
    """
    require_training("auditing a model")
    from unequal.auditing.run import run_audit

    settings = with_stored_prompts(settings, settings.after)
    with progress_bar("auditing") as progress:
        done = run_audit(settings, progress)
    _show(done)
    say(f"the page is {settings.out / 'audit.html'}, the numbers are in {settings.out / 'audit.json'}")
    for line in done.broken():
        say(f"policy: {line}")
    if nothing := done.summary["nothing_judged"]:
        say(f"this audit has not passed: {nothing}")
    if not done.passed:
        sys.exit(NOT_PASSED)
    if done.summary["policy"]:
        say(f"policy: all {len(done.summary['policy'])} lines hold")


def _show(done: "Audit") -> None:
    for sentence in done.summary["finding"]:
        say(sentence)
    reading = done.summary["known_by"]
    say(f"known by {reading}: {READINGS[reading]}")
    rows = [
        (row["verdict"], row["n_facts"], _percent(row.get("share")), _percent(row.get("never_seen")))
        for row in done.summary["verdicts"]
    ]
    known = f"{done.summary['n_known']} of {done.summary['n_facts']} facts were known before"
    show_table(known, ["verdict", "facts", "share of these", "of never-seen facts"], rows)
    losses = [
        (row["role"], row["kind"], f"{row['before']:.3f}", f"{row['after']:.3f}")
        for row in done.summary["utility"]
    ]
    if losses:
        show_table("What should survive", ["facts", "judged by", "before", "after"], losses)
    for sentence in sentences(done.summary["general"]):
        say(sentence)
    for note in done.summary["notes"]:
        say(f"note: {note}")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"
