"""Reading of fact tables (JSONL, CSV or Parquet), with all bad rows reported at once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from unequal.console import say
from unequal.errors import DataError
from unequal.facts.frame import facts_frame
from unequal.facts.lists import HOW, ListSyntaxError, list_in
from unequal.facts.names import ExcludedItem
from unequal.facts.packaged import resolve_facts
from unequal.facts.plain_rows import fact_rows
from unequal.facts.problems import Findings, shown
from unequal.facts.rows import NEEDED, guess, read_rows
from unequal.facts.schema import LIST_COLUMNS, Fact
from unequal.progress import Progress

__all__ = ["facts_frame", "iter_facts", "read_facts"]

WHOLE_NUMBERS = ("count", "exposure")
_said: Counter[str] = Counter()


def read_facts(path: Path, progress: Progress | None = None) -> list[Fact]:
    """Return the facts of a table in file order, without correct distractors and duplicate names.

    A path may be the name of the packaged table. A note reports excluded items, once a file. Raises
    `DataError` that lists bad rows with file, line, column, value and what is allowed.
    """
    findings = Findings()
    facts = list(iter_facts(path, findings, progress))
    for sentence in summary(path, findings):
        if sentence not in _said:
            say(f"note: {sentence}")
        _said[sentence] += 1
    return facts


def iter_facts(path: Path, findings: Findings, progress: Progress | None = None) -> Iterator[Fact]:
    """Yield the facts of a table in file order, and add bad rows and excluded items to the findings.

    If there are bad rows, it raises `DataError` at the end; the facts yielded before must not be used then.
    """
    yield from _checked(str(path), read_rows(resolve_facts(path), findings, progress), findings)


def facts_of_rows(rows: Iterable[Mapping[str, Any]], name: str = "rows") -> list[Fact]:
    """Return the facts of rows in memory, as `read_facts` does of a table; ``name`` is theirs in messages."""
    findings = Findings()
    facts = list(_checked(name, enumerate(map(dict, rows), start=1), findings))
    for sentence in summary(name, findings):
        say(f"note: {sentence}")
    return facts


def _checked(name: str, rows: Iterable[tuple[int, dict[str, Any]]], findings: Findings) -> Iterator[Fact]:
    """Yield the facts of numbered rows, and raise `DataError` at the end if there are bad ones."""
    first_line: dict[str, int] = {}
    for line, row in rows:
        for fact in _facts(f"{name}:{line}", row, findings):
            earlier = first_line.setdefault(fact.fact_id, line)
            if earlier != line:
                findings.bad.add(f"{name}:{line}: {_repeated(fact, row, earlier)}")
            yield fact
    if findings.bad.n:
        raise DataError(f"{name} has {findings.bad.n} bad entries: {findings.bad.listed()}")
    if not first_line:
        raise DataError(f"{name} holds no facts; it needs the columns {NEEDED}")


def summary(path: Path | str, findings: Findings) -> Iterator[str]:
    """Yield a message on excluded items and each note."""
    if findings.left_out.n:
        yield (
            f"{path}: {findings.left_out.n} distractors or other names are excluded, the first at"
            f" {findings.left_out.first[0]} (unequal facts check names them)"
        )
    for note in findings.notes:
        yield f"{path}: {note}"


def _repeated(fact: Fact, row: Mapping[str, Any], line: int) -> str:
    """Return the message on a fact whose id an earlier line has."""
    if row.get("fact_id") is None:
        return f"the row is the same as line {line}; remove one of them, or give each a fact_id"
    return f"column fact_id: {shown(fact.fact_id)} is on line {line} already; every fact_id must be unique"


def _facts(place: str, row: dict[str, Any], findings: Findings) -> Iterator[Fact]:
    """Yield the facts that a row stands for, without those whose problems are added to the findings."""
    try:
        rows = list(fact_rows(row, findings))
    except ValueError as error:
        findings.bad.add(f"{place}: column {error}")
        return
    for one in rows:
        fact = _fact(place, one, findings)
        if fact is not None:
            yield fact


def _fact(place: str, row: dict[str, Any], findings: Findings) -> Fact | None:
    """Return the row as a fact, or None after adding its problems to the findings."""
    given = {column: value for column, value in row.items() if value is not None}
    problems = [*_as_lists(given), *_no_numbers(given)]
    lost: list[ExcludedItem] = []
    fact = None
    try:
        fact = Fact.model_validate(given, context=lost)
    except ValidationError as error:
        if not problems and _without_empty_items(place, given, findings):
            return _fact(place, given, findings)
        problems += [_sentence(problem, row) for problem in error.errors(include_url=False)]
    if problems or fact is None:
        for problem in problems:
            findings.bad.add(f"{place}: column {problem}")
        return None
    for one in lost:
        findings.left_out.add(f"{place}: column {one.column}: {shown(one.value)} is excluded: {one.why}")
    return fact


def _as_lists(row: dict[str, Any]) -> Iterator[str]:
    """Parse the texts of list columns in place; yields the problems."""
    for column in LIST_COLUMNS:
        value = row.get(column)
        if isinstance(value, str | bytes):
            try:
                row[column] = list_in(value.decode() if isinstance(value, bytes) else value)
            except (ListSyntaxError, UnicodeDecodeError) as error:
                yield f"{column}: found {shown(row.pop(column))}; {error}"


def _without_empty_items(place: str, row: dict[str, Any], findings: Findings) -> bool:
    """Remove empty items from the lists; returns whether there were any."""
    found = False
    for column in LIST_COLUMNS:
        value = row.get(column)
        if isinstance(value, list | tuple) and any(map(_is_empty, value)):
            found = True
            row[column] = [item for item in value if not _is_empty(item)]
            findings.left_out.add(f"{place}: column {column}: an empty item is excluded")
    return found


def _is_empty(item: Any) -> bool:
    return not item.strip() if isinstance(item, str) else item is None or item != item


def _no_numbers(row: dict[str, Any]) -> Iterator[str]:
    for column in WHOLE_NUMBERS:
        if isinstance(row.get(column), bool):
            yield f"{column}: found {row.pop(column)}; it should be a whole number"


def _sentence(problem: Any, row: dict[str, Any]) -> str:
    column, *item = problem["loc"]
    if problem["type"] == "missing":
        return f"{column}: found nothing; a text is required{guess(str(column), row)}"
    where = f"{column}, item {item[0] + 1}" if item else str(column)
    return f"{where}: found {shown(problem['input'])}; {_allowed(problem, str(column), bool(item))}"


def _allowed(problem: Any, column: str, is_item: bool) -> str:
    if column in LIST_COLUMNS and not is_item:
        return f"it should be a list of texts: {HOW}"
    message = str(problem["msg"]).replace("Input should be", "it should be")
    if problem["type"] == "string_type":
        return f"{message}: put it between quotes, or make the column one of texts"
    return message
