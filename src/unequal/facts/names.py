"""Comparison of names, and removal of duplicate names and correct distractors from lists."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

NAME_OF = {"subject_aliases": "subject", "object_aliases": "object", "answer_aliases": "answer"}


@lru_cache(maxsize=1 << 16)
def name_key(name: str) -> str:
    """Return the comparison key of a name, which ignores case, white space and width (NFKC)."""
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name)
    return " ".join(name.casefold().split())


def without(names: Iterable[str], *unwanted: str) -> list[str]:
    """Return the distinct names without the unwanted ones, in order."""
    seen = set(map(name_key, unwanted))
    kept: dict[str, str] = {}
    for name in names:
        if name_key(name) not in seen:
            kept.setdefault(name_key(name), name)
    return [*kept.values()]


@dataclass(frozen=True)
class ExcludedItem:
    """One excluded item of a list column, with the reason."""

    column: str
    value: str
    why: str


def valid_lists(
    columns: Mapping[str, Any], lists: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], list[ExcludedItem]]:
    """Return the changed lists of a fact without invalid items, and the excluded items.

    A distractor must not equal the answer, the object, one of their aliases, or an earlier distractor. An
    alias must not equal its name or an earlier alias. Items are compared by `name_key`, but exactly for facts
    with case-sensitive names and in all other lists.
    """
    changed: dict[str, tuple[str, ...]] = {}
    lost: list[ExcludedItem] = []
    for column in lists:
        given = columns[column]
        if not given:
            continue
        unwanted = _unwanted(columns, column)
        loosely = column == "distractors" or (column in NAME_OF and not columns["case_sensitive"])
        keys = [*map(name_key, given)] if loosely else given
        different = set(keys)
        if len(different) == len(keys) and different.isdisjoint(
            map(name_key, unwanted) if loosely else unwanted
        ):
            continue
        reasons = {name_key(name) if loosely else name: _why(columns, column, name) for name in unwanted}
        kept = []
        for key, name in zip(keys, given, strict=True):
            if key in reasons:
                lost.append(ExcludedItem(column, name, reasons[key]))
            else:
                reasons[key] = "it is a duplicate"
                kept.append(name)
        changed[column] = tuple(kept)
    return changed, lost


def _unwanted(columns: Mapping[str, Any], column: str) -> tuple[str, ...]:
    """Return the names that a column must not contain."""
    if column == "distractors":
        aliases: tuple[str, ...] = columns["object_aliases"] + columns["answer_aliases"]
        return (columns["object"], columns["answer"], *aliases)
    return (columns[NAME_OF[column]],) if column in NAME_OF else ()


def _why(columns: Mapping[str, Any], column: str, name: str) -> str:
    if column != "distractors":
        return f"it is the {NAME_OF[column]} itself"
    right = "answer" if name in (columns["answer"], *columns["answer_aliases"]) else "object"
    return f"it is the {right} or one of its aliases, so it is right"
