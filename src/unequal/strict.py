"""Base class of settings: frozen, without unknown keys, and with limits on values."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

LARGEST = 2**63 - 1
"""The largest integer that tables and random generators accept."""
GREATEST = 1e37
"""The largest rate or similar number, within float32."""
MOST = 1_000_000
"""The largest number of items that are generated one by one, such as people, epochs or wordings."""
DEEPEST = 64
"""The deepest nesting of tables and lists."""
LONGEST_TEXT = 100_000
LONGEST_NAME, LONGEST_PATH = 255, 4095
"""Maximum bytes of one part of a path and of a whole path on common file systems."""


def value_problem(value: object, record: bool = False) -> str | None:
    """Return why a value, or a value nested in it, is not allowed; None if it is allowed.

    The message begins with the place of the value. A ``record`` of results may hold infinite numbers and
    long texts, which settings may not.
    """
    waiting: list[tuple[str, object, int]] = [("", value, 0)]
    while waiting:
        place, one, depth = waiting.pop()
        problem = None
        if depth > DEEPEST:
            return f"{place.split('.', 1)[0]}: tables and lists stand in one another more than {DEEPEST} deep"
        if isinstance(one, Mapping):
            waiting += [(_within(place, key), inner, depth + 1) for key, inner in one.items()]
            problem = next(filter(None, map(_problem, one)), None)
        elif isinstance(one, list | tuple | set | frozenset):
            waiting += [(_within(place, index), inner, depth + 1) for index, inner in enumerate(one)]
        elif not (record and (isinstance(one, float) or (isinstance(one, str) and is_unicode(one)))):
            problem = _problem(one)
        if problem:
            return f"{place}: {problem}" if place else problem
    return None


def _within(place: str, key: object) -> str:
    name = str(key)[:80]
    return f"{place}.{name}" if place else name


def _problem(value: object) -> str | None:
    """Return why a scalar value is not allowed."""
    match value:
        case bool():
            return None
        case int():
            if -LARGEST <= value <= LARGEST:
                return None
            return f"found a whole number of {value.bit_length()} bits; it should have at most 63"
        case float():
            return None if math.isfinite(value) else f"found {value}; it should be a finite number"
        case str():
            return _text_problem(value)
        case Path():
            return path_problem(value)
    return None


def _text_problem(text: str) -> str | None:
    if len(text) > LONGEST_TEXT:
        return f"found a text of {len(text)} characters; it should have at most {LONGEST_TEXT}"
    if "\0" in text:
        return "found a text with the character NUL; leave it out"
    return None if is_unicode(text) else "found a text that is not UTF-8"


def is_unicode(text: str) -> bool:
    """Return whether a text can be encoded as UTF-8 (it has no lone surrogates)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def path_problem(path: str | Path, longest: int = LONGEST_NAME) -> str | None:
    """Return why a path is invalid on common file systems, or None; ``longest`` limits its parts."""
    text = str(path)
    if "\0" in text:
        return "found a path with the character NUL; leave it out"
    if not is_unicode(text):
        return "found a path that is not UTF-8; rename the file"
    size = len(os.fsencode(text))
    if size > LONGEST_PATH:
        return f"found a path of {size} bytes; it should have at most {LONGEST_PATH}"
    part = max((len(os.fsencode(name)) for name in text.split("/")), default=0)
    if part > longest:
        return f"found a path with a name of {part} bytes; a name should have at most {longest}"
    return None


class StrictModel(BaseModel):
    """Base model of settings: frozen, unknown keys are refused, values are limited."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Copy the description of a setting from the parent model when only its default is changed."""
        for name, field in cls.model_fields.items():
            parents = (
                parent.model_fields.get(name) for parent in cls.__mro__[1:] if issubclass(parent, StrictModel)
            )
            field.description = field.description or next((p.description for p in parents if p), None)

    @field_validator("*")
    @classmethod
    def _usable(cls, value: Any) -> Any:
        if problem := value_problem(value):
            raise ValueError(problem)
        return value


def _as_path(text: str) -> str:
    if problem := path_problem(text):
        raise ValueError(problem)
    return text


Seed = Annotated[int, Field(ge=0, le=LARGEST)]
"""A random seed."""
PositiveInt = Annotated[int, Field(ge=1, le=MOST)]
"""A number of items, from 1 to `MOST`."""
PathOrName = Annotated[str, AfterValidator(_as_path)]
"""A name on the Hugging Face hub, or the path of a folder."""
