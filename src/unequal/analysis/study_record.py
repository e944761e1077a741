"""The study record ``study.json``: name, flags, settings, versions, seeds, commands."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from unequal.records import read_record

STUDY_RECORD = "study.json"


class _StudyRecord(BaseModel):
    """The values that are looked at; others are shown as they are."""

    model_config = ConfigDict(extra="allow")

    name: str | None = None
    flags: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    versions: dict[str, Any] = {}
    commands: list[str] = []


def read_study_record(folder: Path) -> dict[str, Any]:
    """Return the folder's ``study.json`` as it stands there, empty where there is none.

    Raises `DataError` when it holds something else than an object with these values.
    """
    path = folder / STUDY_RECORD
    if not path.is_file():
        return {}
    record = read_record(_StudyRecord, path, "delete it, or run the study again")
    return record.model_dump(exclude_unset=True)
