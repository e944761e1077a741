"""Writing of fact tables as Parquet, JSONL or CSV."""

import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl

from unequal.csv_injection import MARK, escape_formula
from unequal.errors import ConfigError, DataError
from unequal.facts.frame import as_json, as_text, facts_frame
from unequal.facts.schema import Fact
from unequal.files import atomic_path


def check_suffix(path: Path) -> None:
    """Check the suffix of a fact table; raises `ConfigError`."""
    if path.suffix.lower() not in _WRITERS:
        raise ConfigError(f"--out {path}: fact tables end in {', '.join(_WRITERS)}, not '{path.suffix}'")


def write_facts(facts: Iterable[Fact], path: Path) -> None:
    """Write a fact table as .parquet, .jsonl or .csv, atomically, without empty columns.

    Reading it gives equal facts, except that unknown columns become text in CSV, and in any format if their
    values had to be written as JSON text. Raises `ConfigError` for another
    suffix and `DataError` for a path that cannot be written.
    """
    check_suffix(path)
    with atomic_path(path) as beside:
        _WRITERS[path.suffix.lower()](facts, beside)


def _write_parquet(facts: Iterable[Fact], path: Path) -> None:
    facts_frame(facts).write_parquet(path)


def _write_jsonl(facts: Iterable[Fact], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for fact in facts:
            known = {name: getattr(fact, name) for name in Fact.model_fields}
            row = {name: value for name, value in known.items() if value not in (None, ())}
            file.write(as_json(row | (fact.model_extra or {})) + "\n")


def _write_csv(facts: Iterable[Fact], path: Path) -> None:
    """Write a CSV table, with lists as JSON arrays and formulas escaped.

    A last column lists the cells of its row with an added apostrophe, so that reading removes
    only those.
    """
    frame = facts_frame(facts)
    if MARK in frame.columns:
        raise DataError(f"a CSV table cannot have a column {MARK}: it means something there; rename it")
    names = [escape_formula(name) for name in frame.columns]
    marked = names != frame.columns or any(map(_may_reckon, frame.iter_columns()))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, MARK] if marked else names)
        for row in frame.iter_rows():
            cells = [_cell(value) for value in row]
            safe = [escape_formula(cell) if isinstance(cell, str) else cell for cell in cells]
            changed = [
                name for name, old, new in zip(frame.columns, cells, safe, strict=True) if old is not new
            ]
            mark = [json.dumps(changed, ensure_ascii=False) if changed else ""] if marked else []
            writer.writerow(safe + mark)


def _may_reckon(column: pl.Series) -> bool:
    """Return whether `escape_formula` may change a cell of the column."""
    if column.dtype == pl.String:
        return any(text is not None and escape_formula(text) != text for text in column)
    kind = column.dtype
    return not (kind.is_float() or kind.is_integer() or kind.is_nested() or kind == pl.Boolean)


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return as_json(value) if value else "" if isinstance(value, list) else "{}"
    return value if isinstance(value, str | int | float) else "" if value is None else as_text(value)


_WRITERS: dict[str, Callable[[Iterable[Fact], Path], None]] = {
    ".parquet": _write_parquet,
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
}
