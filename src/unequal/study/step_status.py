"""What became of a step, as its folder says it: done with results of these hashes, or why there is none."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from unequal.checksums import verify_hashes, warn_remade, write_checked_json
from unequal.errors import DamagedError, DataError
from unequal.files import write_text
from unequal.records import read_checked_record, read_record

FAILURE = "failure.json"
NO_RESULTS = frozenset({"status", "config.json", "manifest.json", "checkpoints", FAILURE, ".lock"})
"""What stands in a step's folder beside its results."""

Kind = Literal["diverged", "memory", "died", "blocked"]


@dataclass(frozen=True)
class Manifest:
    """What is read again of ``manifest.json``."""

    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """Why a step has no result.

    It ``diverged`` at a ``step`` of training, whose ``batch`` is named; ran out of ``memory``, twice; its
    process ``died``; or it is ``blocked``, since one of its inputs failed.
    """

    folder: str
    kind: Kind
    reason: str
    step: int | None = None
    batch: tuple[str, ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether another try would end the same."""
        return self.kind == "diverged"


def read_status(folder: Path) -> str:
    """Return ``done``, ``diverged``, ``failed`` or ``running``, and nothing for a step not begun."""
    try:
        return (folder / "status").read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return ""


def write_failure(folder: Path, failure: Failure) -> None:
    """Mark the step as one without a result; one that diverged is not run again."""
    write_checked_json(folder / FAILURE, asdict(failure))
    write_text(folder / "status", "diverged\n" if failure.is_final else "failed\n")


def read_failure(folder: Path) -> Failure | None:
    """Return why the step diverged, None for one that did not or may be tried again."""
    if read_status(folder) != "diverged":
        return None
    try:
        return read_checked_record(Failure, folder / FAILURE, "")
    except DamagedError as error:
        warn_remade(error.folder, error.what)
        mark_damaged(folder)
        return None


def check_result(folder: Path) -> None:
    """Raise `DamagedError` when a step's result is not as the step wrote it.

    Steps of older versions noted no hashes and are taken as they are.
    """
    advice = "run the same command again, and the step is done anew"
    try:
        expected = written(folder)
    except DataError as error:
        raise DamagedError(str(folder), "manifest.json cannot be read", advice) from error
    verify_hashes(folder, expected, advice)


def written(folder: Path) -> Mapping[str, str]:
    """Return the hashes of a step's files as the step noted them, none for steps of older versions.

    Raises `DataError` when its manifest cannot be read.
    """
    return read_record(Manifest, folder / "manifest.json", "run the same command again").files


def mark_damaged(folder: Path) -> None:
    """Have a step run again whose result is not as it was written."""
    write_text(folder / "status", "damaged\n")


def is_whole(folder: Path) -> bool:
    """Return whether a step's result is as it was written."""
    try:
        check_result(folder)
    except DamagedError:
        return False
    return True
