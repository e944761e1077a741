"""Excluded runs: those that diverged, have no result or were ended by a rule, as sentences."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from unequal.checksums import verify_file
from unequal.records import read_record

FAILURES = "failures.json"
"""Which steps of a study have no result, and why: a list of ``{folder, kind, reason, step, batch}``."""

STOPPED = "stopped.json"
"""Which runs a rule ended: a list of ``{run, step, steps, rule, why, kept_step}``."""

SHOWN = 5
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Ended:
    """A run that a rule ended, at a step of so many, and why."""

    run: str
    step: int
    steps: int
    rule: str
    why: str
    kept_step: int


@dataclass(frozen=True)
class Missing:
    """A step without a result."""

    folder: str
    kind: str
    reason: str


def excluded_runs(study_folder: Path) -> list[str]:
    """Return one sentence for the runs that diverged and one for those without a result, if there are any."""
    failures = _listed(study_folder / FAILURES, list[Missing])
    runs = [failure for failure in failures if failure.folder.startswith("unlearn/")]
    diverged = [run for run in runs if run.kind == "diverged"]
    missing = [run for run in runs if run.kind != "diverged"]
    sentences = []
    if diverged:
        sentences.append(
            f"{_runs(diverged)} diverged and {_are(diverged)} excluded from all comparisons; the scores from"
            f" before are in diverged.parquet: {_named(diverged)}."
        )
    if missing:
        sentences.append(f"{_runs(missing)} {_are(missing)} missing: {_named(missing)}.")
    return sentences


def stopped_early(study_folder: Path) -> list[str]:
    """Return a sentence on the runs that a stopping rule ended before their last step, if there are any."""
    runs = _listed(study_folder / STOPPED, list[Ended])
    if not runs:
        return []
    first = f"{runs[0].run} at step {runs[0].step} of {runs[0].steps}: {runs[0].why}"
    rules = Counter(run.rule for run in runs)
    by_rule = ", ".join(f"{name} {number}" for name, number in sorted(rules.items()))
    return [f"{_runs(runs)} ended early by a stopping rule ({by_rule}), such as {first}; see {STOPPED}."]


def _listed(path: Path, kind: type[list[Kind]]) -> list[Kind]:
    verify_file(path)
    return read_record(kind, path, "delete it, or run the study again") if path.is_file() else []


def _runs(runs: Sequence[Any]) -> str:
    return "One run" if len(runs) == 1 else f"{len(runs)} runs"


def _are(runs: Sequence[Any]) -> str:
    return "is" if len(runs) == 1 else "are"


def _named(runs: Sequence[Missing]) -> str:
    shown = [f"{run.folder.removeprefix('unlearn/')} ({run.reason})" for run in runs[:SHOWN]]
    more = f", and {len(runs) - SHOWN} more, which failures.json names" if len(runs) > SHOWN else ""
    return "; ".join(shown) + more
