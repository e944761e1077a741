"""Runs that a study left out of its scores, as sentences: those that diverged or have no result."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unequal.records import read_record

FAILURES = "failures.json"
"""Which steps of a study have no result, and why: a list of ``{folder, kind, reason, step, batch}``."""

SHOWN = 5


@dataclass(frozen=True)
class Missing:
    """A step without a result."""

    folder: str
    kind: str
    reason: str


def left_out(study_folder: Path) -> list[str]:
    """Return one sentence for the runs that diverged and one for those without a result, if there are any."""
    path = study_folder / FAILURES
    failures: list[Missing] = []
    if path.is_file():
        failures = read_record(list[Missing], path, "delete it, or run the study again")
    runs = [failure for failure in failures if failure.folder.startswith("unlearn/")]
    diverged = [run for run in runs if run.kind == "diverged"]
    missing = [run for run in runs if run.kind != "diverged"]
    sentences = []
    if diverged:
        sentences.append(
            f"{_runs(diverged)} diverged and {_are(diverged)} left out of all comparisons; the scores from"
            f" before are in diverged.parquet: {_named(diverged)}."
        )
    if missing:
        sentences.append(f"{_runs(missing)} {_are(missing)} missing: {_named(missing)}.")
    return sentences


def _runs(runs: Sequence[Any]) -> str:
    return "One run" if len(runs) == 1 else f"{len(runs)} runs"


def _are(runs: Sequence[Any]) -> str:
    return "is" if len(runs) == 1 else "are"


def _named(runs: Sequence[Missing]) -> str:
    shown = [f"{run.folder.removeprefix('unlearn/')} ({run.reason})" for run in runs[:SHOWN]]
    more = f", and {len(runs) - SHOWN} more, which failures.json names" if len(runs) > SHOWN else ""
    return "; ".join(shown) + more
