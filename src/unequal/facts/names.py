"""Which names are the same, and lists of names in which none stands twice and no wrong answer is right."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

NAME_OF = {"subject_aliases": "subject", "object_aliases": "object", "answer_aliases": "answer"}


@lru_cache(maxsize=1 << 16)
def name_key(name: str) -> str:
    """Return what is the same in two names that are: all but case, white space and width (NFKC)."""
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name)
    return " ".join(name.casefold().split())


def without(names: Iterable[str], *unwanted: str) -> list[str]:
    """Return the different names that are the same as no unwanted one, in order."""
    seen = set(map(name_key, unwanted))
    kept: dict[str, str] = {}
    for name in names:
        if name_key(name) not in seen:
            kept.setdefault(name_key(name), name)
    return [*kept.values()]


@dataclass(frozen=True)
class LeftOut:
    """One item of a list column that was left out, and why."""

    column: str
    value: str
    why: str


def sound_lists(
    columns: Mapping[str, Any], lists: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], list[LeftOut]]:
    """Return what the lists of a fact become without what must not stand in them, and what is left out.

    A distractor must not be the same as the answer, the object, one of their aliases, or an earlier one: it
    is right, or counted twice. An alias must not be the same as its name or an earlier one. Where some names
    count only as written, and in all other lists, only items that are equal letter by letter are the same.
    """
    changed: dict[str, tuple[str, ...]] = {}
    lost: list[LeftOut] = []
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
                lost.append(LeftOut(column, name, reasons[key]))
            else:
                reasons[key] = "it stands there already"
                kept.append(name)
        changed[column] = tuple(kept)
    return changed, lost


def _unwanted(columns: Mapping[str, Any], column: str) -> tuple[str, ...]:
    """Return the names that must not stand in the column."""
    if column == "distractors":
        aliases: tuple[str, ...] = columns["object_aliases"] + columns["answer_aliases"]
        return (columns["object"], columns["answer"], *aliases)
    return (columns[NAME_OF[column]],) if column in NAME_OF else ()


def _why(columns: Mapping[str, Any], column: str, name: str) -> str:
    if column != "distractors":
        return f"it is the {NAME_OF[column]} itself"
    right = "answer" if name in (columns["answer"], *columns["answer_aliases"]) else "object"
    return f"it is the {right} or one of its aliases, so it is right"
