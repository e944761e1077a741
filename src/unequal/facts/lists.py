"""Parsing of lists written in one text cell: JSON, Python, NumPy, or parts between bars."""

import ast
import json
import re
import warnings
from typing import Any

LONGEST_SHOWN = 60
HOW = 'write a list as a JSON array, such as ["a", "b"], or as parts between bars, such as a|b'

_DECODER = json.JSONDecoder()
_QUOTED = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_ITEM = re.compile(
    rf"(?P<numpy>(?:np|numpy)\.str_\(\s*)?[uU]?(?P<text>{_QUOTED})(?(numpy)\s*\))|None\b|nan\b", re.DOTALL
)
_GAP = re.compile(r"\s*(,)?\s*")
_ARRAY = re.compile(r"(?:np\.|numpy\.)?array\(\s*(\[.*\])\s*(?:,\s*dtype=[^()]*)?\)", re.DOTALL)
_BEGINS_AS_LIST = re.compile(r"\[\s*(?:[uU]?['\"]|\]|None\b|(?:np|numpy)\.)")


class ListSyntaxError(ValueError):
    """A text starts like a list but is invalid; the message says how to write a list."""


def list_in(text: str) -> list[Any]:
    """Return the items of a JSON array, a Python or NumPy list, a tuple, a set, or parts between ``|``.

    Items that were ``None`` or ``nan`` are None. Raises `ListSyntaxError` for a text that begins with a
    bracket and is no valid list: it may be a broken list or a name.
    """
    stripped = text.strip()
    found = bracketed(stripped)
    if found is not None:
        return found
    if stripped.startswith("["):
        parted = stripped.endswith("|") or ("|" in stripped and not _BEGINS_AS_LIST.match(stripped))
        if not parted:
            raise ListSyntaxError(_no_list(stripped))
    if "|" not in text:
        return [text] if stripped else []
    parts = text.split("|")
    return parts[:-1] if not parts[-1].strip() else parts


def bracketed(stripped: str) -> list[Any] | None:
    """Return the items of a list in brackets as programs write it, or None if the text is not one."""
    if stripped.startswith("["):
        try:
            found, end = _DECODER.raw_decode(stripped)
            if end == len(stripped):
                return found if isinstance(found, list) else None
        except (ValueError, RecursionError):
            pass
        return _quoted_items(stripped[1:-1])[0] if stripped.endswith("]") else None
    if array := _ARRAY.fullmatch(stripped):
        return bracketed(array[1])
    if stripped.startswith("(") and stripped.endswith(")"):
        items, n_commas = _quoted_items(stripped[1:-1])
        return items if n_commas or items == [] else None  # ("Heroes") is a name, ("Heroes",) a tuple
    if stripped.startswith(("{'", '{"')) and stripped.endswith("}"):
        return _quoted_items(stripped[1:-1])[0]
    return None


def _quoted_items(body: str) -> tuple[list[Any] | None, int]:
    """Return the quoted items of a list body and the number of commas, or None if it is invalid.

    Items are separated by commas (Python) or by white space (NumPy), but not both, since
    Python would concatenate the texts.
    """
    items: list[Any] = []
    gaps: list[bool] = []
    place = len(body) - len(body.lstrip())
    while place < len(body):
        item = _ITEM.match(body, place)
        if item is None:
            return None, 0
        try:
            items.append(item["text"] and _unquoted(item["text"]))
        except (ValueError, SyntaxError):
            return None, 0
        gap = _GAP.match(body, item.end())
        if gap is None or (gap.end() == item.end() and gap.end() < len(body)):
            return None, 0
        place = gap.end()
        if place < len(body) or gap[1]:
            gaps.append(bool(gap[1]))
    return (items, sum(gaps)) if len(set(gaps)) < 2 else (None, 0)


def _unquoted(text: str) -> str:
    if "\\" not in text:
        return text[1:-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a backslash that means itself
        return str(ast.literal_eval(text.replace("\n", "\\n")))


def _no_list(text: str) -> str:
    one = json.dumps([text], ensure_ascii=False)
    return (
        f"it begins with a bracket but is no list: {HOW}; a name that begins with a bracket is"
        f" {one if len(one) <= LONGEST_SHOWN else 'an array of one text'}, or has a bar at its end"
    )
