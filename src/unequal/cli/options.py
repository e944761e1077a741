"""What commands share: settings from flags and a file (a flag wins), and libraries that are optional."""

from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from unequal.config import build, overlaid, read_toml
from unequal.console import say, show_table
from unequal.errors import ConfigError, DataError, MissingExtraError
from unequal.output_paths import check_settings

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

    A flag ``a.b`` sets key ``b`` of table ``a``. Raises `ConfigError` for unknown keys and bad values, and
    where an output cannot be written or would destroy what is read.
    """
    where = str(config) if config else "command line"
    values = read_toml(config) if config else {}
    settings = build(model, overlaid(values, flags, where), where)
    check_settings(settings, {"--config": config})
    return settings


def prompt_flags(chat: bool | None, system: str | None) -> dict[str, Any]:
    """Return the flags that every command which asks a model shares, by the keys that they set."""
    return {"prompts.chat": chat, "prompts.system": system}


def hint_chat(model: str, chat: bool) -> None:
    """Say so when a model that has a chat template is about to be asked in plain text."""
    from unequal.models.load import load_tokenizer
    from unequal.scoring.encoding import has_chat_template

    if chat:
        return
    with suppress(DataError):  # whatever is wrong with the model, the command itself says it better
        if has_chat_template(load_tokenizer(model)):
            say(
                f"note: {model} has a chat template and is asked in plain text, as is the default; to ask"
                " it in a chat give --chat, or set chat = true under prompts"
            )


def one_name(words: tuple[str, ...], noun: str, example: str) -> str | None:
    """Return the name in the words of ``list`` commands: nothing, ``show NAME`` or ``NAME``.

    Raises `ConfigError` for several names, or ``show`` without one.
    """
    names = words[1:] if words[:1] == ("show",) else words
    if len(names) > 1 or (words and not names):
        raise ConfigError(f"name one {noun}, not {len(names)}, for example: unequal {example}")
    return names[0] if names else None


def show_settings(settings: type[BaseModel]) -> None:
    """Print a table of the settings of a method or an attack, without the name that chooses it."""
    rows = [
        (key, "" if field.is_required() or field.default is None else field.default, field.description or "")
        for key, field in settings.model_fields.items()
        if key != "kind"
    ]
    show_table("Settings", ["setting", "default", "meaning"], rows)


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
