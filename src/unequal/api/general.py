"""General utility in the Python interface: on, off, or by its settings."""

from collections.abc import Mapping
from typing import Any

from unequal.config import build
from unequal.general_utility.settings import GeneralSettings

General = bool | Mapping[str, Any] | GeneralSettings


def general_settings(general: General) -> GeneralSettings:
    """Return the settings: the defaults for true, those of never measuring for false."""
    if isinstance(general, GeneralSettings):
        return general
    if isinstance(general, bool):
        return GeneralSettings() if general else GeneralSettings(when="never")
    return build(GeneralSettings, general, "general")
