"""Run files: which source of base models one names, and its settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unequal.config import build, read_toml
from unequal.errors import ConfigError, did_you_mean
from unequal.registry import Registry
from unequal.study.settings import StudySettings

CONTROLLED = "controlled"
SOURCES: Registry[type[StudySettings]] = Registry(
    "source of base models",
    {
        CONTROLLED: "unequal.study.controlled:ControlledStudy",
        "natural": "unequal.study.natural:NaturalStudy",
        "checkpoints": "unequal.study.checkpoints:CheckpointStudy",
    },
)


def study_settings(values: Mapping[str, Any], where: str) -> StudySettings:
    """Return the settings in the values of a run file, which is a controlled study unless it names a source.

    Raises `ConfigError` that lists all that is wrong.
    """
    source = str(values.get("source", CONTROLLED))
    if source not in SOURCES:
        known = ", ".join(SOURCES)
        raise ConfigError(
            f"{where}: source: unknown '{source}'{did_you_mean(source, SOURCES)} (known: {known})"
        )
    return build(SOURCES.get(source), values, where)


def load_study(path: Path) -> StudySettings:
    """Return the settings in a run file; raises `ConfigError` that lists all that is wrong in it."""
    return study_settings(read_toml(path), str(path))
