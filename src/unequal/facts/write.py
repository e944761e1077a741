"""Write a fact table in any of the formats that `unequal.facts.table.read_facts` reads."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from unequal.cells import inert
from unequal.errors import ConfigError
from unequal.facts.schema import Fact
from unequal.facts.table import facts_frame
from unequal.files import atomic_path


def check_suffix(path: Path) -> None:
    """Raise `ConfigError` when a fact table cannot have the file's ending."""
    if path.suffix.lower() not in _WRITERS:
        raise ConfigError(f"--out {path}: fact tables end in {', '.join(_WRITERS)}, not '{path.suffix}'")


def write_facts(facts: Sequence[Fact], path: Path) -> None:
    """Write the facts atomically as .parquet, .jsonl or .csv, less the columns that no fact fills.

    Read again they are equal, but that CSV cells of unknown columns come back as text. Raises `ConfigError`
    for another ending and `DataError` for a place that cannot be written.
    """
    check_suffix(path)
    with atomic_path(path) as beside:
        _WRITERS[path.suffix.lower()](facts, beside)


def _write_parquet(facts: Sequence[Fact], path: Path) -> None:
    facts_frame(facts).write_parquet(path)


def _write_jsonl(facts: Sequence[Fact], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for fact in facts:
            row = {
                name: value for name, value in fact.model_dump(mode="json").items() if value not in (None, [])
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_csv(facts: Sequence[Fact], path: Path) -> None:
    """Write formulas inert, and lists as JSON arrays, whose texts may hold the bar of shorter ones."""
    frame = facts_frame(facts)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([inert(name) for name in frame.columns])
        for row in frame.iter_rows():
            writer.writerow([_cell(value) for value in row])


def _cell(value: object) -> object:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return "" if value is None else inert(value) if isinstance(value, str) else value


_WRITERS: dict[str, Callable[[Sequence[Fact], Path], None]] = {
    ".parquet": _write_parquet,
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
}
