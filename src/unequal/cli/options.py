"""What commands share: settings from flags and a file (a flag wins), and libraries that are optional."""

from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from unequal.config import build, read_toml
from unequal.console import say
from unequal.errors import ConfigError, DataError, MissingExtraError

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
    "quantised": ("bitsandbytes", "peft"),
}


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
            if not isinstance(table, dict):
                found = f"found {table!r}; it should be a table, since a flag sets {key}"
                raise ConfigError(f"{config}: {parent}: {found}")
        table[last] = value
    return build(model, values, str(config) if config else "command line")


def prompt_flags(chat: bool | None, system: str | None) -> dict[str, Any]:
    """Return the flags that every command which asks a model shares, by the keys that they set."""
    return {"prompts.chat": chat, "prompts.system": system}


def hint_chat(model: str, chat: bool) -> None:
    """Say so when a model that has a chat template is about to be asked in plain text."""
    from unequal.models.load import load_tokenizer  # noqa: PLC0415
    from unequal.scoring.encoding import has_chat_template  # noqa: PLC0415

    if chat:
        return
    with suppress(DataError):  # whatever is wrong with the model, the command itself says it better
        if has_chat_template(load_tokenizer(model)):
            say(
                f"note: {model} has a chat template and is asked in plain text, as is the default; to ask"
                " it in a chat give --chat, or set chat = true under prompts"
            )


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
