"""Streaming readers of the rows of fact tables: JSONL, CSV and Parquet."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from unequal.csv_injection import MARK, unescape_formula
from unequal.errors import DataError, did_you_mean, first_line
from unequal.facts.names import name_key
from unequal.facts.plain_rows import PLAIN_COLUMNS
from unequal.facts.problems import KEPT, Findings, shown
from unequal.facts.schema import REQUIRED_COLUMNS, Fact
from unequal.progress import Progress, no_progress

Rows = Iterator[tuple[int, dict[str, Any]]]
DEEPEST = 100
EVERY = 1000
BATCH = 4096
LONGEST_CELL = (1 << 31) - 1
ASKED = tuple(column for column in REQUIRED_COLUMNS if column != "fact_id")
NEEDED = f"{', '.join(ASKED)}; or {' or '.join(PLAIN_COLUMNS)} alone"
"""The columns that a table must have, for messages."""


class DuplicateKeyError(ValueError):
    """A JSON object has a duplicate key, which the message names."""


def read_rows(path: Path, findings: Findings, progress: Progress | None = None) -> Rows:
    """Yield the rows with their line (in Parquet, their number from 1); bad rows are added to the findings.

    Raises `DataError` when the file as a whole cannot be read.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: fact tables end in {', '.join(_READERS)}, not '{path.suffix}'")
    try:
        with path.open("rb") as file:
            yield from reader(path, file, findings, progress or no_progress)
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def decoded(text: str) -> Any:
    """Return the value of a JSON text; integers of thousands of digits stay texts.

    Raises `ValueError` with a message of one sentence for invalid JSON, a duplicate key, and deep nesting.
    """
    try:
        value, end = DECODER.raw_decode(text)
    except RecursionError as error:
        raise ValueError(f"nested deeper than {DEEPEST} levels") from error
    if end < len(text):
        raise ValueError(f"it goes on after the end of the value, at character {end + 1}")
    if text.count("[") + text.count("{") > DEEPEST and isinstance(value, dict | list):
        check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """Check the nesting of a JSON value; raises `ValueError`."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST} levels")
        inner = (item.values() if isinstance(item, dict) else item for item in level)
        level = [value for values in inner for value in values if isinstance(value, dict | list)]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DuplicateKeyError(f"the key {shown(twice)} occurs twice in one object; remove one of them")
    return row


def _whole(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:  # Python reads no more than some thousand digits
        return text


DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_int=_whole)


def _read_jsonl(path: Path, file: IO[bytes], findings: Findings, progress: Progress) -> Rows:
    total = path.stat().st_size
    layouts: set[tuple[str, ...]] = set()
    for line, text in enumerate(_lines(file, None), start=1):
        if line % EVERY == 0:
            progress(file.tell(), total)
        if not text.strip():
            continue
        try:
            row = decoded(text.strip())
        except DuplicateKeyError as error:
            findings.bad.add(f"{path}:{line}: {error}")
            continue
        except ValueError as error:
            findings.bad.add(f"{path}:{line}: not valid JSON ({error})")
            continue
        if not isinstance(row, dict):
            findings.bad.add(f"{path}:{line}: a line must be a JSON object, not {type(row).__name__}")
            continue
        if (layout := tuple(row)) not in layouts:
            if len(layouts) < EVERY:
                layouts.add(layout)
            findings.note(misnamed(layout))
            if problem := alike(layout):
                findings.bad.add(f"{path}:{line}: {problem}")
                continue
        yield line, row


def _read_csv(path: Path, file: IO[bytes], findings: Findings, progress: Progress) -> Rows:
    total = path.stat().st_size
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(_lines(file, ""), strict=True)
    line = 1
    try:
        columns = next(reader, [])
        if MARK in columns:
            columns = [unescape_formula(name) for name in columns]
        check_columns(path, columns, findings)
        line = reader.line_num + 1
        for n_rows, cells in enumerate(reader, start=1):
            if n_rows % EVERY == 0:
                progress(file.tell(), total)
            first, line = line, reader.line_num + 1
            if not cells:
                continue
            if len(cells) != len(columns):
                findings.bad.add(
                    f"{path}:{first}: the row does not have {len(columns)} cells, as the first line has, but"
                    f" {len(cells)}; a text with a comma must be in double quotes"
                )
                continue
            row = {column: cell for column, cell in zip(columns, cells, strict=True) if cell != ""}
            yield first, _unmarked(row)
    except csv.Error as error:
        raise DataError(
            f"{path}:{line}: not a readable csv file: {error}; quotes inside a quoted text are doubled"
        ) from error


def _unmarked(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row without the column `MARK` and without the apostrophes that it lists."""
    if MARK not in row:
        return row
    try:
        marked = json.loads(row.pop(MARK))
    except (ValueError, RecursionError):
        return row
    if isinstance(marked, list):
        for column in marked:
            if isinstance(column, str) and column in row:
                row[column] = unescape_formula(row[column])
    return row


def _read_parquet(path: Path, file: IO[bytes], findings: Findings, progress: Progress) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
        columns = table.schema_arrow.names
        check_columns(path, columns, findings)
        number, total = 1, table.metadata.num_rows
        for batch in table.iter_batches(batch_size=BATCH):
            values = [_values(column, name) for name, column in zip(columns, batch.columns, strict=True)]
            for cells in zip(*values, strict=True):
                yield number, dict(zip(columns, cells, strict=True))
                number += 1
            progress(number - 1, total)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"{path} is not a readable parquet file: {first_line(error)}") from error


def _values(column: Any, name: str) -> list[Any]:
    """Return the values of a Parquet column; values without a Python type become text."""
    import polars as pl
    import pyarrow as pa

    if not pa.types.is_temporal(column.type):  # of which Polars ends the process for years beyond 9999
        with suppress(Exception, pl.exceptions.PanicException):
            return list(pl.Series(name, column).to_list())
    for kind in (None, pa.string(), pa.int64()):
        with suppress(Exception):
            return list((column if kind is None else column.cast(kind)).to_pylist())
    return [column.slice(row, 1).to_string() for row in range(len(column))]


def _lines(file: IO[bytes], newline: str | None) -> Iterator[str]:
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline=newline)


def _not_utf8(path: Path) -> DataError:
    """Return the error for a file that is not UTF-8, with the position of the first invalid byte."""
    start = 0
    with path.open("rb") as file:
        for line, text in enumerate(file, start=1):
            try:
                text.decode()
            except UnicodeDecodeError as error:
                return DataError(
                    f"{path} is not UTF-8 (byte {start + error.start}); save it as UTF-8"
                    f" (the byte is on line {line})"
                )
            start += len(text)
    return DataError(f"{path} is not UTF-8; save it as UTF-8")


def check_columns(path: Path, columns: Sequence[str], findings: Findings) -> None:
    """Check a header: raises `DataError` for duplicate or missing required columns."""
    check_once(path, columns)
    missing = [column for column in ASKED if column not in columns]
    if missing and not any(column in columns for column in PLAIN_COLUMNS):
        hints = "".join(guess(column, columns) for column in missing)
        found = ", ".join(shown(name)[1:-1] for name in columns[:KEPT])
        raise DataError(
            f"{path}: missing column {', '.join(missing)}{hints}"
            f" (found: {found or 'none'}; required: {NEEDED})"
        )
    if problem := alike(columns):
        raise DataError(f"{path}: {problem}")
    findings.note(misnamed(columns))


def check_once(place: object, columns: Sequence[str]) -> None:
    """Check that no column name occurs twice; raises `DataError`."""
    for at, name in enumerate(columns):
        if name in columns[:at]:
            numbers = f"{columns.index(name) + 1} and {at + 1}"
            called = f"are both called {shown(name)}" if name else "have no name"
            raise DataError(f"{place}: columns {numbers} {called}; rename one of them or leave it out")


def alike(columns: Iterable[str]) -> str | None:
    """Return a message on the first column that differs from a known one beside it only by case or space."""
    given = list(columns)
    for name, known in _almost_known(given):
        if known in given:
            return (
                f"the columns {shown(name)} and {shown(known)} differ in nothing but case or white space;"
                " rename one of them or leave it out"
            )
    return None


def misnamed(columns: Iterable[str]) -> Iterator[str]:
    """Yield a message on each column that differs from a known one only by case or white space."""
    for name, known in _almost_known(columns):
        yield f"column {shown(name)} is kept but never used; did you mean '{known}'?"


def _almost_known(columns: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in columns:
        if name not in Fact.model_fields and (known := name_key(name)) in Fact.model_fields:
            yield name, known


def guess(column: str, found: Iterable[str]) -> str:
    """Return a hint at a column that may be the missing one misspelt."""
    return did_you_mean(column, [name for name in found if name not in Fact.model_fields])


_READERS: dict[str, Callable[[Path, IO[bytes], Findings, Progress], Rows]] = {
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
