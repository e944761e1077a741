"""Contract tests: a named check of a plugin passes, or says what is wrong and how to mend it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from unequal.errors import first_line


class BrokenError(Exception):
    """A contract that a plugin breaks: what is wrong, and how to mend it."""


@dataclass(frozen=True)
class Check:
    """A contract test; ``run(plugin)`` raises `BrokenError`."""

    name: str
    run: Callable[[Any], None]


@dataclass(frozen=True)
class Outcome:
    """The result of a check: no ``problem`` when it passed."""

    name: str
    problem: str | None

    def sentence(self) -> str:
        """Return it as a line."""
        return f"passed: {self.name}" if self.problem is None else f"failed: {self.name}: {self.problem}"


def require(holds: object, problem: str) -> None:
    """Raise `BrokenError` unless something holds."""
    if not holds:
        raise BrokenError(problem)


def run_checks(plugin: Any, checks: Sequence[Check]) -> Iterator[Outcome]:
    """Yield the outcome of each check; what the plugin's own code raises is a problem too."""
    for check in checks:
        try:
            check.run(plugin)
        except BrokenError as error:
            yield Outcome(check.name, str(error))
        except Exception as error:  # whatever the plugin's own code raises
            yield Outcome(check.name, f"it raised {type(error).__name__}: {first_line(error)}")
        else:
            yield Outcome(check.name, None)
