"""Read the fact table (JSONL, CSV or Parquet); every bad row is reported at once."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from unequal.cells import as_written
from unequal.errors import DataError, did_you_mean, listed
from unequal.facts.schema import LIST_COLUMNS, REQUIRED_COLUMNS, Fact

Rows = Iterator[tuple[int, dict[str, Any]]]


def read_facts(path: Path) -> list[Fact]:
    """Return the facts of a table in file order.

    Raises `DataError` that names every bad row with file, line, column, value and what is allowed.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: fact tables end in {', '.join(_READERS)}, not '{path.suffix}'")
    problems: list[str] = []
    facts: list[Fact] = []
    first_line: dict[str, int] = {}
    for line, row in _rows(path, reader, problems):
        fact = _validated(path, line, row, problems)
        if fact is None:
            continue
        if fact.fact_id in first_line:
            earlier = first_line[fact.fact_id]
            problems.append(
                f"{path}:{line}: column fact_id: '{fact.fact_id}' stands on line {earlier} already;"
                " every fact_id must be unique"
            )
        first_line.setdefault(fact.fact_id, line)
        facts.append(fact)
    if problems:
        raise DataError(f"{path} has {len(problems)} bad entries: {listed(problems)}")
    if not facts:
        raise DataError(f"{path} holds no facts; it needs the columns {', '.join(REQUIRED_COLUMNS)}")
    return facts


def facts_frame(facts: Sequence[Fact]) -> pl.DataFrame:
    """Return one row a fact with the table's columns, less those that no fact fills."""
    rows = [fact.model_dump(mode="json") for fact in facts]
    columns = dict.fromkeys(column for row in rows for column in row)
    filled = [
        c for c in columns if c in REQUIRED_COLUMNS or any(row.get(c) not in (None, []) for row in rows)
    ]
    return pl.DataFrame([{c: row.get(c) for c in filled} for row in rows], infer_schema_length=None)


def _rows(path: Path, reader: Callable[[Path, list[str]], Rows], problems: list[str]) -> Rows:
    """Yield the rows; what keeps the whole file from being read becomes a `DataError`."""
    try:
        yield from reader(path, problems)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (pl.exceptions.PolarsError, csv.Error) as error:
        first = (str(error).splitlines() or [""])[0]
        raise DataError(f"{path} is not a readable {path.suffix[1:]} file: {first}") from error


def _read_jsonl(path: Path, problems: list[str]) -> Rows:
    with path.open(encoding="utf-8-sig") as file:
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
            except (ValueError, RecursionError) as error:
                problems.append(f"{path}:{line}: not valid JSON ({error})")
                continue
            if isinstance(row, dict):
                yield line, row
            else:
                problems.append(f"{path}:{line}: a line must be a JSON object, not {type(row).__name__}")


def _read_csv(path: Path, problems: list[str]) -> Rows:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        reader.fieldnames = [as_written(name) for name in reader.fieldnames or []]
        _check_columns(path, reader.fieldnames or [])
        for row in reader:
            if None in row or None in row.values():
                n_columns = len(reader.fieldnames or [])
                problems.append(f"{path}:{reader.line_num}: the row does not have {n_columns} cells")
                continue
            cells = {column: as_written(value) for column, value in row.items() if value != ""}
            yield reader.line_num, {c: _cell(c, value) for c, value in cells.items()}


def _cell(column: str, value: str) -> Any:
    """Return a CSV cell as the column's type: lists are JSON arrays or parts between ``|``."""
    if column not in LIST_COLUMNS:
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value.split("|")


def _read_parquet(path: Path, _problems: list[str]) -> Rows:
    frame = pl.read_parquet(path, glob=False)
    _check_columns(path, frame.columns)
    yield from enumerate(frame.iter_rows(named=True), start=1)


_READERS: dict[str, Callable[[Path, list[str]], Rows]] = {
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    missing = [column for column in REQUIRED_COLUMNS if column not in columns]
    if missing:
        hints = "".join(_guess(column, columns) for column in missing)
        raise DataError(
            f"{path}: missing column {', '.join(missing)}{hints}"
            f" (found: {', '.join(columns) or 'none'}; required: {', '.join(REQUIRED_COLUMNS)})"
        )


def _guess(column: str, found: Iterable[str]) -> str:
    """Return a hint at a column that may be the missing one misspelt; known columns never are."""
    return did_you_mean(column, [name for name in found if name not in Fact.model_fields])


def _validated(path: Path, line: int, row: dict[str, Any], problems: list[str]) -> Fact | None:
    """Return the row as a fact, or None after adding what is wrong with it to the problems."""
    row = {column: value for column, value in row.items() if value is not None}
    try:
        return Fact.model_validate(row)
    except ValidationError as error:
        for problem in error.errors():
            column = str(problem["loc"][0])
            value = "nothing" if problem["type"] == "missing" else repr(problem["input"])
            problems.append(f"{path}:{line}: column {column}: found {value}; {_allowed(problem, row)}")
        return None


def _allowed(problem: Any, row: dict[str, Any]) -> str:
    if problem["type"] == "missing":
        return f"a text is required{_guess(str(problem['loc'][0]), row)}"
    return str(problem["msg"]).replace("Input should be", "it should be")
