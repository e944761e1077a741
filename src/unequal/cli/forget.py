"""``unequal forget``."""

import sys
from typing import TYPE_CHECKING

from unequal.cli.audit import NOT_PASSED
from unequal.cli.flags import takes
from unequal.cli.options import require_training
from unequal.console import say, show_table
from unequal.forgetting.settings import ForgetSettings

if TYPE_CHECKING:
    from unequal.forgetting.run import Forgotten


@takes(
    ForgetSettings,
    chat="prompts.chat",
    system="prompts.system",
    steps="unlearn.steps",
)
def forget(settings: ForgetSettings, *, dry_run: bool = False) -> None:
    """Make a model forget facts, and audit the result: from a checkpoint to a checkpoint.

    Finds how to ask, fills in what the table lacks, tries methods, attacks each result, keeps the best. The
    exit code is 3 when the policy does not hold, or nothing could be judged.
    """
    require_training("forgetting")
    from unequal.forgetting import run
    from unequal.forgetting.plan import plan

    given = run.read_given(settings)
    if dry_run:
        for line in plan(settings, run.prepare(settings, given, say)):
            say(line)
        return
    found = run.forget(settings, given, say)
    _show(found)
    for line in found.audit.broken():
        say(f"policy: {line}")
    if not found.audit.passed:
        sys.exit(NOT_PASSED)


def _show(found: "Forgotten") -> None:
    rows = [
        (
            row["method"], f"{row['learning_rate']:.2g}", f"{row['left']:.0%}", f"{row['loss']:.0%}",
            f"{row['seconds'] / 60:.1f}", "kept" if row["kept"] else "",
        )
        for row in found.methods.iter_rows(named=True)
    ]  # fmt: skip
    columns = ["method", "learning rate", "still found", "lost at worst", "minutes", ""]
    show_table("Methods", columns, rows)
    for sentence in found.audit.summary["finding"]:
        say(sentence)
    out = found.settings.out
    say(f"the model is in {out / 'model'}, the audit in {out / 'audit.html'}")
    say(f"to repeat this: unequal forget --config {out / 'forget.toml'}")
