"""Run files: which source of base models one names, and its settings."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from unequal.config import build, overlaid, read_toml
from unequal.errors import ConfigError, did_you_mean
from unequal.registry import Registry
from unequal.study.packaged import resolve_run_file
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


def study_settings(
    values: Mapping[str, Any], where: str, flags: Mapping[str, Any] = MappingProxyType({})
) -> StudySettings:
    """Return the settings in the values of a run file, which is a controlled study unless it names a source.

    Raises `ConfigError` that lists all that is wrong.
    """
    source = str(values.get("source", CONTROLLED))
    if source not in SOURCES:
        known = ", ".join(SOURCES)
        raise ConfigError(
            f"{where}: source: unknown '{source}'{did_you_mean(source, SOURCES)} (known: {known})"
        )
    kind = SOURCES.get(source)
    known_flags = {key: value for key, value in flags.items() if key.split(".")[0] in kind.model_fields}
    return build(kind, overlaid(values, known_flags, where), where)


def load_study(path: Path, flags: Mapping[str, Any] = MappingProxyType({})) -> StudySettings:
    """Return the settings in a run file with the flags on top; a flag ``a.b`` sets key ``b`` of table ``a``.

    The name of a packaged run file is enough. A flag of a table that the run file's source does not know,
    such as ``pretrain`` where nothing is pre-trained, says nothing. Raises `ConfigError` that lists all that
    is wrong.
    """
    return study_settings(read_toml(resolve_run_file(path)), str(path), flags)
