"""Settings of several studies compared: nested values by path, and those that differ."""

from collections.abc import Sequence
from typing import Any

NOT_SET = "not set"


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return the leaves of nested tables and lists by their paths, such as ``models.0.size``."""
    if isinstance(value, dict) and value:
        pairs = [(f"{path}.{name}" if path else str(name), one) for name, one in value.items()]
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        pairs = [(f"{path}.{index}", one) for index, one in enumerate(value)]
    else:
        return {path: value} if path else {}
    return {name: leaf for inner, one in pairs for name, leaf in flat(one, inner).items()}


def differing(settings: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the paths at which flat settings differ, each with its value in every one of them."""
    names = dict.fromkeys(name for one in settings for name in one)
    rows = {name: [one.get(name, NOT_SET) for one in settings] for name in names}
    return {name: values for name, values in rows.items() if any(value != values[0] for value in values)}
