"""Settings from TOML files and flags: read, merged, and checked with errors in the user's words."""

import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from unequal.errors import ConfigError, did_you_mean, listed
from unequal.plain_text import short
from unequal.registry import Registry
from unequal.strict import path_problem, value_problem

Settings = TypeVar("Settings", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file; raises `ConfigError` with the place of what is wrong.

    That is a syntax error, or a value that no setting could have, such as a number beyond 64 bits.
    """
    if problem := path_problem(path):
        raise ConfigError(problem)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: tables and lists stand in one another too deep") from error
    except ValueError as error:  # of numbers with more digits than Python reads, and dates that are none
        reason = "a number has too many digits" if "digits" in str(error) else error
        raise ConfigError(f"{path} is not valid TOML: {reason}") from error
    if problem := value_problem(values):
        raise ConfigError(f"{path}: {problem}")
    return values


def overlaid(values: Mapping[str, Any], flags: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the values with the flags on top that are not None; a flag ``a.b`` sets ``b`` of table ``a``.

    Raises `ConfigError` when there is something else than a table.
    """
    result = deepcopy(dict(values))
    for key, value in flags.items():
        if value is None:
            continue
        table = result
        *parents, last = key.split(".")
        for parent in parents:
            table = table.setdefault(parent, {})
            if not isinstance(table, dict):
                found = f"found {table!r}; it should be a table, since a flag sets {key}"
                raise ConfigError(f"{where}: {parent}: {found}")
        table[last] = value
    return result


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
        raise ConfigError(f"{where} has {len(problems)} wrong settings: {listed(problems)}") from error


def chosen(registry: Registry[type[Settings]], value: Any) -> Settings:
    """Return the settings that a name, or a table with ``kind``, chooses from a registry of settings.

    For validators: raises `ValueError` that says what is wrong with the name or in the table.
    """
    noun = registry.noun
    table = {"kind": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping) or not isinstance(table.get("kind"), str):
        article = "an" if noun[0] in "aeiou" else "a"
        raise ValueError(f"{article} {noun} is a name or a table with 'kind' (known: {', '.join(registry)})")
    try:
        model = registry.get(table["kind"])
    except ConfigError as error:
        raise ValueError(str(error)) from error
    try:
        return model.model_validate(dict(table))
    except ValidationError as error:
        raise ValueError(f"{noun} {table['kind']}: {'; '.join(sentences(error, model))}") from error


def sentences(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return one sentence for each problem: the key, the value found, and what is allowed."""
    problems: dict[str, list[Any]] = {}
    for problem in error.errors():
        problems.setdefault(".".join(_keys(model, problem["loc"])), []).append(problem)
    parents = {key.rsplit(".", depth)[0] for key in problems for depth in range(1, key.count(".") + 1)}
    return [
        _sentence(key, found, model)
        for key, found in problems.items()
        if not (key in parents and found[0]["type"] == "too_short")  # for want of the items that are wrong
    ]


def _keys(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Return the keys of a location, without the names of a union's members that pydantic puts at its end."""
    keys: list[str] = []
    for part in map(str, location):
        fields = _model_at(model, keys)
        if fields is None and not part.isdigit():
            break
        keys.append(part)
    return keys


def _sentence(key: str, problems: Sequence[Any], model: type[BaseModel]) -> str:
    first = problems[0]
    if first["type"] == "extra_forbidden":
        *parents, last = key.split(".")
        inner = _model_at(model, parents)
        known = list(inner.model_fields) if inner else []
        return f"unknown key '{key}'{did_you_mean(last, known)} (known: {', '.join(known)})"
    if first["type"] == "missing":
        return f"'{key}' is required"
    if first["type"] == "value_error":
        message = str(first["msg"]).removeprefix("Value error, ")
        return f"{key}: {message}" if key else message
    return (
        f"{key}: found {short(_quoted(first['input']))}; it should be {' or '.join(map(_allowed, problems))}"
    )


_ALLOWED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "path_type": "a path",
    "tuple_type": "a list",
    "model_type": "a table",
}


def _quoted(value: Any) -> str:
    """Return a value as Python writes it, which it refuses for numbers of many thousand digits."""
    try:
        return repr(value)
    except ValueError:
        return "a number of too many digits"


def _allowed(problem: Any) -> str:
    """Return what a value should be, in the words of TOML rather than of Python."""
    if problem["type"] == "too_short":
        return f"a list of at least {problem['ctx']['min_length']}"
    if problem["type"] == "string_pattern_mismatch":
        return f"a text that matches {problem['ctx']['pattern']}"
    return _ALLOWED.get(problem["type"]) or str(problem["msg"]).removeprefix("Input should be ")


def _model_at(model: type[BaseModel], keys: Sequence[str]) -> type[BaseModel] | None:
    """Return the (nested) model whose keys stand below these, or None where there is none."""
    current: type[BaseModel] | None = model
    for key in keys:
        if key.isdigit():
            continue
        field = current.model_fields.get(key) if current else None
        current = _inner_model(field.annotation) if field else None
    return current


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    """Return the first model class inside an annotation such as ``tuple[Model, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner_model(part))), None)
