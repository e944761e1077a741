"""The file of trials of ``unequal tune``: settings and trials, from which a killed search goes on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unequal.checksums import is_own_json, warn_remade, write_checked_json
from unequal.errors import DamagedError, DataError
from unequal.records import read_checked_record
from unequal.unlearning.search import Trial


@dataclass(frozen=True)
class TrialsFile:
    """The contents of the file."""

    settings: dict[str, Any]
    trials: list[Trial]

    def find(self, method: str, rate: float, steps: int) -> Trial | None:
        """Return the trial of a method with a rate and so many steps, None if it was not made."""
        wanted = (method, rate, steps)
        return next((one for one in self.trials if (one.method, one.rate, one.steps) == wanted), None)


def read_trials(path: Path) -> TrialsFile:
    """Return the trials of a file; raises `DataError` for any other file, and for one that was changed."""
    advice = "make it with: unequal tune"
    if not path.is_file():
        raise DataError(f"there is no file of trials {path}; {advice}")
    try:
        return read_checked_record(TrialsFile, path, advice)
    except DamagedError as error:
        raise DataError(f"{path} holds no trials ({error.what}); {advice}") from error


def trials_to_go_on_from(path: Path, settings: dict[str, Any]) -> TrialsFile:
    """Return the trials of these settings in a file, none where there is no file or it is damaged.

    Raises `DataError` for a file of something else, or of other settings.
    """
    nothing = TrialsFile(settings, [])
    if not path.exists():
        return nothing
    try:
        held = read_checked_record(TrialsFile, path, "")
    except DamagedError as error:
        if not is_own_json(path, "settings", "trials"):
            raise DataError(f"{path} holds no trials ({error.what}); name another --out") from error
        warn_remade(str(path), error.what)
        return nothing
    if held.settings != settings:
        raise DataError(
            f"{path} holds trials of other settings; name another --out, or delete it to begin anew"
        )
    return held


def write_trials(path: Path, settings: dict[str, Any], trials: Sequence[Trial]) -> None:
    """Write the file of trials."""
    write_checked_json(path, {"settings": settings, "trials": [asdict(one) for one in trials]})
