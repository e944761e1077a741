"""Sources of rows: files of common formats, and data sets of the Hugging Face Hub."""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import zstandard

from unequal.errors import DataError, MissingExtraError, first_line
from unequal.facts.rows import DECODER, LONGEST_CELL, check_once, decoded

LARGEST_WINDOW = 1 << 31
Rows = Iterator[tuple[int, dict[str, Any]]]
"""Rows with their line, or their number in formats without lines; an empty cell is None."""


@dataclass(frozen=True)
class Source:
    """A file or a data set: its label in messages, its name (which may hold the relation), and its rows.

    ``rows(problems)`` appends a message for every row that cannot be read.
    """

    label: str
    name: str
    rows: Callable[[list[str]], Rows]


def file_source(path: Path) -> Source:
    """Return a .jsonl, .json, .csv, .tsv (each also .gz or .zst) or .parquet file as a source.

    Raises `DataError` for another ending; its rows raise one for a file that cannot be read.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = next((s for s in reversed(suffixes) if s not in _PACKED), "")
    packed = bool(suffixes) and suffixes[-1] in _PACKED
    if kind not in _READERS and (kind != ".parquet" or packed):
        known = ", ".join((*_READERS, ".parquet"))
        raise DataError(
            f"{path}: facts are imported from {known} (and .gz or .zst of text), not '{path.suffix}'"
        )
    if kind == ".parquet":
        return Source(str(path), path.name, lambda _problems: _parquet_rows(path))
    reader = _READERS[kind]
    return Source(str(path), path.name, lambda problems: reader(path, _text(path), problems))


def hub_source(dataset: str, revision: str | None = None) -> Source:
    """Return ``name[:config[:split]]`` of the Hub, or a local data set folder, as a source.

    ``revision`` is a commit, tag or branch; by default the newest. Code of a data set is never run.
    Raises `MissingExtraError` without the library `datasets`, and `DataError` when the data set cannot be
    loaded or has several splits and none is named.
    """
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise MissingExtraError("importing from the Hugging Face Hub", "hub") from error
    name, config, split = (*dataset.removeprefix("hf:").split(":", 2), "", "")[:3]
    try:
        pinned = {} if revision is None else {"revision": revision}
        found = load_dataset(name, config or None, split=split or None, **pinned)
    except Exception as error:
        raise DataError(f"cannot load the data set {dataset}: {first_line(error)}") from error
    if isinstance(found, dict):
        if len(found) != 1:
            splits = ", ".join(found)
            raise DataError(
                f"{dataset} has the splits {splits}; name one: {name}:{config}:{next(iter(found))}"
            )
        found = next(iter(found.values()))
    label = f"hf:{dataset.removeprefix('hf:')}"
    return Source(label, name.rpartition("/")[2], lambda _problems: enumerate(found, start=1))


def _parquet_rows(path: Path) -> Rows:
    try:
        frame = pl.read_parquet(path, glob=False)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} is not a readable parquet file: {first_line(error)}") from error
    return enumerate(frame.iter_rows(named=True), start=1)


def _text(path: Path) -> str:
    """Return the text of a file, decompressed if needed; raises `DataError` if damaged or not UTF-8."""
    try:
        data = path.read_bytes()
        unpack = _PACKED.get(path.suffix.lower())
        return (unpack(data) if unpack else data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except (gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
        raise DataError(f"{path} is not a sound {path.suffix[1:]} file ({error}); fetch it again") from error
    except EOFError as error:
        raise DataError(
            f"{path} is truncated: its {path.suffix[1:]} stream does not end; fetch it again"
        ) from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _unzstd(data: bytes) -> bytes:
    """Return the decompressed bytes of all frames; raises `EOFError` for a truncated last frame."""
    parts = []
    while data:
        frame = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW).decompressobj()
        parts.append(frame.decompress(data))
        if not frame.eof:
            raise EOFError
        data = frame.unused_data
    return b"".join(parts)


_PACKED: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".zst": _unzstd}


def _jsonl_rows(path: Path, text: str, problems: list[str]) -> Rows:
    for line, part in enumerate(text.split("\n"), start=1):
        if not part.strip():
            continue
        try:
            value = decoded(part.strip())
        except (ValueError, RecursionError) as error:
            problems.append(f"{path}:{line}: not valid JSON ({error})")
            continue
        yield from _object(path, line, value, problems)


def _json_rows(path: Path, text: str, problems: list[str]) -> Rows:
    """Yield the objects of a JSON array, or of JSON lines, with the lines they begin on."""
    if not text.lstrip().startswith("["):
        yield from _jsonl_rows(path, text, problems)
        return
    place, line, closed = _skip(text, text.index("[") + 1), 1, 0
    while place < len(text) and text[place] != "]":
        line += text.count("\n", closed, place)
        closed = place
        try:
            value, place = DECODER.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}:{line}: not valid JSON ({error})") from error
        yield from _object(path, line, value, problems)
        place = _skip(text, place)
        if place < len(text) and text[place] == ",":
            place = _skip(text, place + 1)
        elif text[place : place + 1] != "]":
            raise DataError(
                f"{path}:{line}: not valid JSON (the array does not go on or end after this item)"
            )
    if place >= len(text):
        raise DataError(f"{path} is truncated: its JSON array does not end")


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _object(path: Path, line: int, value: Any, problems: list[str]) -> Rows:
    if isinstance(value, dict):
        yield line, value
    else:
        problems.append(f"{path}:{line}: a row must be a JSON object, not {type(value).__name__}")


def _csv_rows(path: Path, text: str, problems: list[str], delimiter: str = ",") -> Rows:
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        check_once(path, reader.fieldnames or [])
        for row in reader:
            if None in row or None in row.values():
                n_columns = len(reader.fieldnames or [])
                problems.append(f"{path}:{reader.line_num}: the row does not have {n_columns} cells")
                continue
            yield reader.line_num, {column: value or None for column, value in row.items()}
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not a readable {delimiter!r} table: {error}") from error


_READERS: dict[str, Callable[[Path, str, list[str]], Rows]] = {
    ".jsonl": _jsonl_rows,
    ".json": _json_rows,
    ".csv": _csv_rows,
    ".tsv": partial(_csv_rows, delimiter="\t"),
}
