"""What commands share: settings from flags and a file (a flag wins), and libraries that are optional."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from unequal.config import build, overlaid, read_toml
from unequal.errors import MissingExtraError

Settings = TypeVar("Settings", bound=BaseModel)

EXTRAS = {
    "train": ("torch", "transformers", "accelerate", "tokenizers", "safetensors"),
    "ray": ("ray",),
    "remote": ("fsspec", "gcsfs", "huggingface_hub", "s3fs"),
    "hub": ("datasets",),
    "hyperscan": ("hyperscan",),
    "infinigram": ("infini_gram",),
    "lm-eval": ("lm_eval",),
    "peft": ("peft",),
}


def settings_from(model: type[Settings], config: Path | None, flags: Mapping[str, Any]) -> Settings:
    """Return settings from a TOML file (if given) with the flags that were given on top.

    A flag ``a.b`` sets key ``b`` of table ``a``. Raises `ConfigError` for unknown keys and bad values.
    """
    where = str(config) if config else "command line"
    values = read_toml(config) if config else {}
    return build(model, overlaid(values, flags, where), where)


def peek(config: Path | None, key: str, default: str) -> str:
    """Return one text of a TOML file before its settings are checked, or the default."""
    return str(read_toml(config).get(key, default)) if config else default


def missing_libraries(extra: str) -> list[str]:
    """Return the names of an extra's libraries that are not installed."""
    return [name for name in EXTRAS[extra] if not _is_installed(name)]


def require_training(purpose: str) -> None:
    """Raise `MissingExtraError` when a library of the extra ``train`` is not installed."""
    if missing_libraries("train"):
        raise MissingExtraError(purpose, "train")


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:
        return False
