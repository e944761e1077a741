"""Settings that can be used: frozen tables without unknown keys, and values that computers can hold."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

LARGEST = 2**63 - 1
"""The largest whole number that tables and generators of random numbers take."""
GREATEST = 1e37
"""Of rates and the like: within float32."""
MOST = 1_000_000
"""Of what is made one by one, such as people, epochs or wordings; more would never end."""
DEEPEST = 64
"""Tables and lists within one another."""
LONGEST_TEXT = 100_000
LONGEST_NAME, LONGEST_PATH = 255, 4095
"""Bytes that file systems allow for one part of a path and for all of it."""


def value_problem(value: object, record: bool = False) -> str | None:
    """Return why nothing can work with a value or one inside it, None where nothing is wrong.

    The sentence begins with the place of what is wrong. A ``record`` of results may hold infinite numbers and
    long texts, which no setting may.
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
    """Return what is wrong with a value that holds no others."""
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
    """Return whether a text can be written as UTF-8, which halves of surrogate pairs cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def path_problem(path: str | Path, longest: int = LONGEST_NAME) -> str | None:
    """Return why no file system takes a path, None where nothing is wrong; ``longest`` is of its parts."""
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
    """A table of settings: frozen, unknown keys refused, every value one that can be used."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Describe a setting that a model only gives another default as its parent does."""
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
"""What random numbers are derived from."""
PositiveInt = Annotated[int, Field(ge=1, le=MOST)]
"""How many of what is made one by one."""
PathOrName = Annotated[str, AfterValidator(_as_path)]
"""The name of something on the hub, or the path of a folder."""
