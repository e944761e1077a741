"""The ``unequal`` command: names of the commands, and what an error looks like."""

import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn, get_args

from cyclopts import App, CycloptsError, Parameter, Token, convert

from unequal import __version__
from unequal import distributed_env as launched
from unequal.errors import ConfigError, UserError, first_line
from unequal.oom import is_out_of_memory
from unequal.streams import output_failure, prepare, print_error
from unequal.strict import value_problem

COMMANDS = {
    "count": "Count how often facts occur in a corpus.",
    "facts": "Check, import or bucket a fact table, or write the synthetic world's.",
    "corpus": "Build a controlled corpus with its exposure ledger.",
    "pretrain": "Train a model from scratch on a corpus.",
    "plan": "Predict what forgetting facts will take and cost, from a finished study.",
    "forget": "Make a model forget facts and audit it: from checkpoint to checkpoint.",
    "unlearn": "Make a model forget facts, evaluating it along the way.",
    "tune": "Find a method's learning rate within a utility budget.",
    "evaluate": "Evaluate a model on facts by generation and by probability.",
    "audit": "Give a verdict on every fact after unlearning, and check a policy.",
    "lm-eval": "Evaluate a model by tasks of lm-eval, or by tasks of your own.",
    "attack": "Try to get back what a model was made to forget.",
    "launch": "Run a command in several processes on this machine.",
    "study": "Run a whole study from a run file, or show its state.",
    "analyze": "Decide the claims that a study can decide.",
    "report": "Draw the report of a study.",
    "list": "List methods, metrics, attacks, models, facts and more, or show one.",
    "check-plugin": "Run the contract tests on a method, metric, attack, family or engine of yours.",
    "models": "Fetch a model by name, or list those that can be fetched.",
    "doctor": "Show what is installed and what is missing.",
}
ALIASES = ("methods", "metrics", "attacks")
"""Commands that list one kind, each the same as ``unequal list`` with its name."""

SHARED = ("pretrain", "unlearn", "tune", "evaluate", "attack", "audit")
"""The commands whose work several processes share."""

_WHOLE = re.compile(r"[+-]?(\d[\d_]*|0[xob][\da-f_]+)", re.IGNORECASE)


def _converted(kind: Any, tokens: Sequence[Token]) -> Any:
    """Return what a flag is given; raises `ConfigError` for a fraction where a whole number belongs.

    Cyclopts itself would round it. A share may be given as per cent, such as 10%.
    """
    if kind is float or float in get_args(kind):
        tokens = [_with_share(token) for token in tokens]
    if kind is int or int in get_args(kind):
        for token in tokens:
            if not _WHOLE.fullmatch(token.value.strip()):
                flag = token.keyword or "the value"
                raise ConfigError(f"{flag}: found {token.value[:60]!r}; it should be a whole number")
    return convert(kind, tokens)


def _with_share(token: Token) -> Token:
    """Return a word with the share that a number of per cent is; any other stays as it is."""
    text = token.value
    with suppress(ValueError):
        text = str(float(text.removesuffix("%")) / 100) if text.endswith("%") else text
    return Token(keyword=token.keyword, value=text, source=token.source, index=token.index)


def _default(value: object) -> str | None:
    """Return a default as help shows it; a flag that is off by default has none to show."""
    return None if value is False else str(value)


def _usable(_kind: object, value: object) -> None:
    """Refuse the value of a flag that nothing can work with; raises `ValueError` that says why."""
    if problem := value_problem(value):
        raise ValueError(problem)


app = App(
    name="unequal",
    version=__version__,
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(converter=_converted, validator=_usable, show_default=_default),
    help_format="plaintext",  # markdown would cost a fifth of the time to answer
    help="How hard is knowledge to remove from a language model, given how often it was seen?",
)
for _name, _help in COMMANDS.items():
    _module = _name.replace("-", "_")
    _function = "list_" if _name == "list" else _module
    app.command(f"unequal.cli.{_module}:{_function}", name=_name, help=_help)
for _name in ALIASES:
    app.command(
        f"unequal.cli.list:{_name}", name=_name, help=f"The same as unequal list {_name}.", show=False
    )


def main() -> None:
    """Run the command line: exit code 0 when done, 2 when the user can fix it, 1 for a bug."""
    prepare()
    try:
        if launched.is_distributed():
            _join_the_others(sys.argv[1:])
        app(exit_on_error=False, print_error=False)
        _check_output()
    except (UserError, CycloptsError) as error:
        _end(f"unequal: {error}", 2)
    except KeyboardInterrupt:
        _end("unequal: stopped; the same command goes on from here", 130)
    except Exception as error:
        if isinstance(error, OSError):
            _check_output("\n")
        if is_out_of_memory(error):
            _end(
                f"unequal: memory ran out ({first_line(error)}); take smaller batches, fewer --workers or a"
                " larger machine",
                2,
            )
        if launched.is_distributed() and _another_failed():
            sys.exit(2)
        if isinstance(error, OSError) and error.filename is not None:
            _end(f"unequal: cannot use {error.filename}: {error.strerror or error}", 2)
        raise


def _check_output(probe: str = "") -> None:
    """End when standard output could not be written: on a full disk, or because it was closed."""
    failure = output_failure(probe)
    if failure is not None:
        reason = failure.strerror or failure
        _end(f"unequal: cannot write to standard output: {reason}; send it where there is room", 2)


def _end(message: str, code: int) -> NoReturn:
    """End with the message, which of several processes the first to fail says."""
    if not launched.is_distributed() or _is_first_to_fail():
        print_error(message)
    sys.exit(code)


def _join_the_others(words: list[str]) -> None:
    """Meet the other processes that a launcher started; raises `ConfigError` for work of one process."""
    command = next((word for word in words if not word.startswith("-")), "")
    if command not in SHARED:
        raise ConfigError(
            f"unequal {command}".strip() + " is work of one process; run it without accelerate launch"
            f" (several processes share: {', '.join(SHARED)})"
        )
    if os.environ.get("ACCELERATE_MIXED_PRECISION", "no") != "no":
        raise ConfigError(
            "the launcher cannot choose the precision; leave out --mixed_precision and say --precision"
        )
    from unequal.cli.options import require_training

    require_training("sharing work between processes")
    from unequal.models.device import process_state

    process_state()


def _is_first_to_fail() -> bool:
    if "torch" not in sys.modules:  # then they have not met
        return launched.is_main_process()
    from unequal.models.distributed import is_first_to_fail

    return is_first_to_fail()


def _another_failed() -> bool:
    from unequal.models.distributed import another_failed

    return another_failed()
