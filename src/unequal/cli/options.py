"""What commands share: settings from flags and a file (a flag wins), and libraries that are optional."""

import re
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import metadata, requires
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from unequal.config import build, overlaid, read_toml
from unequal.console import say
from unequal.errors import DataError, MissingExtraError
from unequal.facts.probes import PromptFormat
from unequal.output_paths import check_settings

Settings = TypeVar("Settings", bound=BaseModel)

DEVELOPMENT = ("dev", "docs")
"""Extras of those who change the package itself."""


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


def with_stored_prompts(settings: Settings, model: str | Path) -> Settings:
    """Return settings with the prompt format that is stored with a model, unless they give ``prompts``.

    Says so, or that a model with a chat template is asked in plain text.
    """
    from unequal.models.stored_prompts import read_prompts

    given: PromptFormat = settings.prompts  # type: ignore[attr-defined]
    stored = None if "prompts" in settings.model_fields_set else read_prompts(model)
    if stored is None or stored == PromptFormat():
        hint_chat(str(model), given.chat)
        return settings
    how = "in its chat template" if stored.chat else f"by {stored.question!r}"
    say(
        f"note: {model} is asked {how}, as stored with it; to change that give --prompts.question or other"
        " settings of prompts"
    )
    return settings.model_copy(update={"prompts": stored})


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


def peek(config: Path | None, key: str, default: str) -> str:
    """Return one text of a TOML file before its settings are checked, or the default."""
    return str(read_toml(config).get(key, default)) if config else default


def extras() -> dict[str, tuple[str, ...]]:
    """Return the libraries of each extra by the names under which they are imported, as the package says."""
    found: dict[str, list[str]] = {name: [] for name in metadata("unequal").get_all("Provides-Extra") or ()}
    for line in requires("unequal") or ():
        library, _, condition = line.partition(";")
        if extra := re.search(r"extra == ['\"]([\w-]+)['\"]", condition):
            found[extra[1]].append(re.match(r"[\w-]+", library)[0].replace("-", "_"))  # type: ignore[index]
    return {name: tuple(libraries) for name, libraries in found.items() if name not in DEVELOPMENT}


def missing_libraries(extra: str) -> list[str]:
    """Return the names of an extra's libraries that are not installed."""
    return [name for name in extras()[extra] if not _is_installed(name)]


def require_training(purpose: str) -> None:
    """Raise `MissingExtraError` when a library of the extra ``train`` is not installed."""
    if missing_libraries("train"):
        raise MissingExtraError(purpose, "train")


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:
        return False
