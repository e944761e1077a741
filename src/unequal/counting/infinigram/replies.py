"""Parsing of untrusted responses: JSON of limited depth, error messages and Retry-After."""

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from unequal.plain_text import short

MOST_LEVELS = 32
"""Maximum nesting of JSON; normal responses have four levels."""

_SECONDS = re.compile(r"[0-9]+")


class TooDeepError(ValueError):
    """JSON is nested too deeply."""

    def __init__(self) -> None:
        super().__init__(f"it answered with JSON nested more than {MOST_LEVELS} levels deep")


def parsed(body: bytes) -> Any:
    """Return the value of a JSON text.

    Raises `TooDeepError`, and `ValueError` for invalid JSON, including NaN and infinities.
    """
    try:
        value = json.loads(body, parse_constant=_no_number)
    except RecursionError as error:
        raise TooDeepError from error
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [item for whole in level for item in _items(whole)]
        if not level:
            return value
    raise TooDeepError


def message_of(body: bytes) -> str:
    """Return the error message of a response, or an empty text if it is not JSON."""
    try:
        answer = parsed(body)
    except ValueError:
        return ""
    return short(answer.get("error", "")) if isinstance(answer, dict) else ""


def pause_of(retry_after: str) -> float:
    """Return the seconds of a Retry-After header, given as a number or a date; 0 if invalid."""
    text = retry_after.strip()
    if _SECONDS.fullmatch(text):
        return float(text[:300])  # more digits are more than anybody waits
    try:
        date = parsedate_to_datetime(text)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0.0, (date - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _items(value: Any) -> list[Any]:
    """Return the items of a list or the values of an object."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
