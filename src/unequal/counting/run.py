"""Count the facts of a table in a corpus, and write and read count tables."""

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl

from unequal.counting.protocol import COUNT_SCHEMA, NUMBERS, Counter, CountSettings, count_table
from unequal.errors import DamagedError, DataError
from unequal.facts.schema import Fact
from unequal.facts.table import read_facts
from unequal.files import atomic_path
from unequal.output_paths import check_settings
from unequal.progress import Progress
from unequal.records import check_unique, read_table, refuse_rows, with_types

METADATA_KEY = "unequal"
DIGEST_KEY = "unequal-sha256"


def count_facts(
    settings: CountSettings, counter: Counter, progress: Progress | None = None
) -> tuple[list[Fact], pl.DataFrame, dict[str, Any]]:
    """Count facts and write ``settings.out``; return the facts, the count table and its metadata.

    Raises `DataError` for facts or a corpus that cannot be read, and for a table that cannot be written.
    """
    check_settings(settings)
    facts = read_facts(settings.facts)
    with atomic_path(settings.out) as beside:
        table = count_table(counter, facts, progress)
        metadata = counter.metadata() | {"settings": settings.model_dump(mode="json")}
        text = json.dumps(metadata, sort_keys=True)
        kept = {METADATA_KEY: text, DIGEST_KEY: _digest(table, text)}
        table.write_parquet(beside, metadata=kept)
    return facts, table, metadata


def read_counts(path: Path) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Return a count table and its metadata (empty if another program wrote it).

    Raises `DamagedError` when the table does not match its checksum, and `DataError` when the file cannot be
    read, lacks ``fact_id``, repeats one, or holds invalid counts.
    """
    table = read_table(path, "make a count table with: unequal count")
    _check_digest(path, table)
    if "fact_id" not in table.columns:
        raise DataError(f"{path} is not a count table: it has no column fact_id")
    table = with_types(
        table, {name: kind for name, kind in COUNT_SCHEMA.items() if name in table.columns}, path, _ADVICE
    )
    refuse_rows(table, pl.col("fact_id").is_null(), "a fact_id is missing", path, _ADVICE)
    negative = pl.any_horizontal(
        pl.lit(False), *(pl.col(name) < 0 for name in NUMBERS if name in table.columns)
    )
    refuse_rows(table, negative, "a count is below 0", path, _ADVICE)
    check_unique(table, ["fact_id"], path, _ADVICE)
    return table, _metadata(path)


def _metadata(path: Path) -> dict[str, Any]:
    """Return the metadata of a count table, empty if it cannot be read."""
    try:
        found = json.loads(pl.read_parquet_metadata(path).get(METADATA_KEY, "{}"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _check_digest(path: Path, table: pl.DataFrame) -> None:
    """Verify a table against the checksum in its metadata; raises `DamagedError`."""
    kept = pl.read_parquet_metadata(path)
    if DIGEST_KEY not in kept:
        return
    try:
        whole = kept[DIGEST_KEY] == _digest(table, kept.get(METADATA_KEY, "{}"))
    except pl.exceptions.PolarsError:  # such as a column of a type that none of ours has
        whole = False
    if not whole:
        raise DamagedError(str(path), "its counts have not the SHA-256 they were written with", _ADVICE)


def _digest(table: pl.DataFrame, metadata: str) -> str:
    """Return the SHA-256 of a count table's content, independent of the file encoding."""
    digest = hashlib.sha256(metadata.encode())
    for column in table:
        digest.update(f"{column.name} {column.dtype}".encode())
        digest.update(column.is_null().to_numpy().tobytes())
        if column.dtype == pl.String:
            texts = column.fill_null("")
            digest.update(texts.str.len_bytes().to_numpy().tobytes())
            digest.update("".join(texts).encode())
        else:
            digest.update(column.cast(pl.Int64).fill_null(0).to_numpy().tobytes())
    return digest.hexdigest()


_ADVICE = "make it anew with: unequal count"
