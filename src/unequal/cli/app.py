"""The ``unequal`` command: names of the commands, and what an error looks like."""

import sys

from cyclopts import App, CycloptsError

from unequal import __version__
from unequal.errors import UserError
from unequal.shortage import first_line, ran_out

COMMANDS = {
    "count": "Count how often facts occur in a corpus.",
    "facts": "Check, import or bucket a fact table, or write the synthetic world's.",
    "corpus": "Build a controlled corpus with its exposure ledger.",
    "pretrain": "Train a model from scratch on a corpus.",
    "plan": "Predict what forgetting facts will take and cost, from a finished study.",
    "unlearn": "Make a model forget facts, judging it along the way.",
    "tune": "Find a method's learning rate within a utility budget.",
    "evaluate": "Judge a model on facts by generation and by probability.",
    "audit": "Give a verdict on every fact after unlearning, and hold a policy.",
    "lm-eval": "Judge a model by tasks of lm-eval, or of one's own.",
    "attack": "Try to get back what a model was made to forget.",
    "study": "Run a whole study from a run file, or show its state.",
    "analyze": "Decide the claims that a study can decide.",
    "report": "Draw the report of a study.",
    "methods": "List the unlearning methods, or show one.",
    "attacks": "List the attacks, or show one.",
    "metrics": "List the metrics, or show one.",
    "doctor": "Show what is installed and what is missing.",
}

app = App(
    name="unequal",
    version=__version__,
    suppress_keyboard_interrupt=False,
    help_format="plaintext",  # markdown would cost a fifth of the time to answer
    help="How hard is knowledge to remove from a language model, given how often it was seen?",
)
for _name, _help in COMMANDS.items():
    _module = _name.replace("-", "_")
    app.command(f"unequal.cli.{_module}:{_module}", name=_name, help=_help)


def main() -> None:
    """Run the command line: exit code 0 when done, 2 when the user can fix it, 1 for a bug."""
    try:
        app(exit_on_error=False, print_error=False)
    except (UserError, CycloptsError) as error:
        print(f"unequal: {error}", file=sys.stderr)  # noqa: T201  the one place that prints errors
        sys.exit(2)
    except Exception as error:
        if not ran_out(error):
            raise
        print(  # noqa: T201
            f"unequal: memory ran out ({first_line(error)}); take smaller batches, fewer --workers"
            " or a larger machine",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        print("unequal: stopped; the same command goes on from here", file=sys.stderr)  # noqa: T201
        sys.exit(130)
