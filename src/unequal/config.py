"""Settings from TOML files and flags: read, merged, and checked with errors in the user's words."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from unequal.errors import ConfigError, bullet_list, did_you_mean

Settings = TypeVar("Settings", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file; raises `ConfigError` with the place of a syntax error."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def build(model: type[Settings], values: Mapping[str, Any], where: str) -> Settings:
    """Return validated settings; raises `ConfigError` that lists every wrong value and unknown key.

    ``where`` names the source of the values in the message, such as a file.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problems = sentences(error, model)
        if len(problems) == 1:
            raise ConfigError(f"{where}: {problems[0]}") from error
        raise ConfigError(f"{where} has {len(problems)} wrong settings:\n{bullet_list(problems)}") from error


def sentences(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return one sentence for each problem: the key, the value found, and what is allowed."""
    return [_sentence(problem, model) for problem in error.errors()]


def _sentence(problem: Any, model: type[BaseModel]) -> str:
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location)
    if problem["type"] == "extra_forbidden":
        known = _known_keys(model, location[:-1])
        hint = did_you_mean(location[-1], known)
        return f"unknown key '{key}'{hint}" + (f" (known: {', '.join(known)})" if known else "")
    if problem["type"] == "missing":
        return f"'{key}' is required"
    message = str(problem["msg"]).removeprefix("Value error, ").replace("Input should be", "it should be")
    if problem["type"] == "value_error":
        return f"{key}: {message}" if key else message
    return f"{key}: found {problem['input']!r}; {message}"


def _known_keys(model: type[BaseModel], location: list[str]) -> list[str]:
    """Return the keys of the (nested) model at a location, or none where that is not clear."""
    current: Any = model
    for part in location:
        if part.isdigit() or not (isinstance(current, type) and issubclass(current, BaseModel)):
            continue
        field = current.model_fields.get(part)
        if field is None:
            return []
        current = _inner_model(field.annotation)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return list(current.model_fields)
    return []


def _inner_model(annotation: Any) -> Any:
    """Return the first model class inside an annotation such as ``tuple[Model, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner_model(part))), None)
