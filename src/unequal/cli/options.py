"""Flags and a settings file become one settings object; a flag wins over the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from unequal.config import build, read_toml

Settings = TypeVar("Settings", bound=BaseModel)


def settings_from(model: type[Settings], config: Path | None, flags: Mapping[str, Any]) -> Settings:
    """Return settings from a TOML file (if given) with the flags that were given on top.

    A flag ``a.b`` sets key ``b`` of table ``a``. Raises `ConfigError` for unknown keys and bad values.
    """
    values = read_toml(config) if config else {}
    for key, value in flags.items():
        if value is None:
            continue
        table = values
        *parents, last = key.split(".")
        for parent in parents:
            table = table.setdefault(parent, {})
        table[last] = value
    return build(model, values, str(config) if config else "settings")
