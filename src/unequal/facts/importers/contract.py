"""The interface of importers: the columns of a published set, and the conversion of a row to a fact."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from unequal.facts.lists import bracketed
from unequal.facts.problems import shown
from unequal.files import content_hash

Row = Mapping[str, Any]
Columns = dict[str, Any]
"""The columns of one fact, as `unequal.facts.schema.Fact` takes them."""

NO_RELATION = "unspecified"
"""The relation of facts from sets without relations."""
BLANK = "___"
SAYS = ("subject", "relation", "object", "question", "answer")
"""The columns that identify a fact; two rows with equal values are the same fact."""


class BadRowError(Exception):
    """A row does not have the published format; the message says what was found and what is needed."""


class ExcludedRowError(Exception):
    """A valid row is excluded; the message is the reason, equal for all such rows."""


@dataclass(frozen=True)
class Context:
    """Context of a row: its file's name, and the statement patterns of each relation."""

    name: str = ""
    patterns: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class FactSet:
    """A public fact set. ``forms`` has the columns that a row needs, one tuple for each published layout."""

    title: str
    source: str
    forms: tuple[tuple[str, ...], ...]
    convert: Callable[[Row, Context], Columns]
    """Returns a fact's columns; raises `BadRowError` or `ExcludedRowError`."""
    notes: tuple[str, ...] = ()
    """Notes for users of the facts, one sentence each."""
    countable: bool = True
    """Whether subject and object are names that can be counted in text."""
    needs_patterns: bool = False
    """Whether a file of statement patterns is required to make the questions."""


def text(row: Row, column: str) -> str:
    """Return a cell as text without the white space around it; raises `BadRowError` when there is none."""
    value = row.get(column)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        found = "nothing" if value is None else repr(value)
        raise BadRowError(f"column {column}: found {found}; a text is required")
    return _writable(column, value.strip())


def texts(row: Row, column: str) -> list[str]:
    """Return a cell as a list of distinct texts; the cell may be a list or one text."""
    value = row.get(column)
    if isinstance(value, str) and value.lstrip().startswith(("[", "array(")):
        found = bracketed(value.strip())
        if found is None and value.lstrip().startswith("["):
            raise BadRowError(f"column {column}: found {shown(value)}; it is not a JSON array or other list")
        value = value if found is None else found
    items = value if isinstance(value, list) else [] if value is None else [value]
    items = [item for item in items if item is not None]
    if not all(isinstance(item, str) for item in items):
        raise BadRowError(f"column {column}: found {shown(value)}; a list of texts is required")
    return list(dict.fromkeys(_writable(column, item.strip()) for item in items if item.strip()))


def _writable(column: str, value: str) -> str:
    """Return the text; raises `BadRowError` for a lone surrogate, which cannot be written to a file."""
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise BadRowError(f"column {column}: found {value!r}; it holds half a character (a lone surrogate)")
    return value


def answers(row: Row, column: str) -> list[str]:
    """Return a cell of accepted answers, at least one; raises `BadRowError`."""
    found = texts(row, column)
    if not found:
        raise BadRowError(f"column {column}: found {row.get(column)!r}; at least one answer is required")
    return found


def number(row: Row, column: str) -> int | None:
    """Return a cell as a whole number, or None where it is empty; raises `BadRowError` for anything else."""
    value = row.get(column)
    if value is None:
        return None
    try:
        whole = int(value)
        if isinstance(value, bool) or whole != float(value):
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRowError(f"column {column}: found {value!r}; a whole number is required") from error
    return whole


def fact_id(set_name: str, columns: Columns) -> str:
    """Return the set's id of a fact, or a hash of its identifying columns."""
    given = columns.get("fact_id")
    return given or f"{set_name}-{content_hash(*(columns[name] for name in SAYS))[:12]}"


def statement_prefix(statement: str) -> str | None:
    """Return the text before the only blank if just punctuation follows it, else None."""
    match = re.fullmatch(r"(.*?)_{3,}\W*", statement, re.DOTALL)
    return match[1].strip() or None if match and BLANK not in match[1] else None
