"""Readers that stream documents from shards; errors name the shard and the line."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import zstandard

from unequal.counting.scan.shards import (
    JSON_GZ,
    JSON_ZST,
    JSONL,
    JSONL_GZ,
    JSONL_ZST,
    PARQUET,
    TEXT,
    Shard,
)
from unequal.errors import DataError, did_you_mean, first_line

CHUNK = 1 << 18
BATCH_ROWS = 256
LARGEST_WINDOW = 1 << 31


class Document(NamedTuple):
    """One document, and the bytes of its shard read so far."""

    text: str
    id: str | None
    bytes_read: int


class ShardReader:
    """Iterator over the documents of a shard, with about one of them in memory.

    When all have been read, `sha256` is the hash of the shard's bytes. Raises `DataError` for an unknown
    suffix, and for any document that cannot be read.
    """

    def __init__(self, shard: Shard, text_key: str = "text") -> None:
        self.shard = shard
        self.text_key = text_key
        self.sha256 = ""
        self._read = reader_of(shard)

    def __iter__(self) -> Iterator[Document]:
        """Yield the documents; a `.txt` file is one document."""
        try:
            with self.shard.open() as file:
                hashed = _HashedFile(file)
                yield from self._read(hashed, self.shard, self.text_key)
                self.sha256 = hashed.digest()
        except OSError as error:
            raise DataError(f"cannot read {self.shard}: {error.strerror or error}") from error


class _HashedFile:
    """A file that hashes what is read from it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.bytes_read = 0
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self._hash.update(data)
        self.bytes_read += len(data)
        return data

    def digest(self) -> str:
        """Return the hash of the whole file, after reading its remaining bytes."""
        while self.read(CHUNK):
            pass
        return self._hash.hexdigest()


Reader = Callable[[_HashedFile, Shard, str], Iterator[Document]]


def reader_of(shard: Shard) -> Reader:
    """Return the reader for a shard's suffix; raises `DataError` when there is none."""
    for suffix, reader in _READERS.items():
        if shard.name.lower().endswith(suffix):
            return reader
    suffixes = "".join(Path(shard.name).suffixes[-2:])
    raise DataError(f"{shard}: shards end in {', '.join(_READERS)}, not '{suffixes}'")


def _read_jsonl(file: _HashedFile, shard: Shard, text_key: str) -> Iterator[Document]:
    yield from _json_documents(_plain(file), file, shard, text_key)


def _read_jsonl_gz(file: _HashedFile, shard: Shard, text_key: str) -> Iterator[Document]:
    yield from _json_documents(_gunzipped(file, shard), file, shard, text_key)


def _read_jsonl_zst(file: _HashedFile, shard: Shard, text_key: str) -> Iterator[Document]:
    yield from _json_documents(_unzstd(file, shard), file, shard, text_key)


def _read_text(file: _HashedFile, shard: Shard, _text_key: str) -> Iterator[Document]:
    data = file.read()
    try:
        yield Document(data.decode("utf-8-sig"), shard.name, len(data))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{shard}:{line}: not UTF-8; save it as UTF-8") from error


def _read_parquet(file: _HashedFile, shard: Shard, text_key: str) -> Iterator[Document]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file.file)
        names = table.schema_arrow.names
        if text_key not in names:
            raise DataError(f"{shard}: {_missing(text_key, names, 'column')}")
        columns = [text_key, *(["id"] if "id" in names and text_key != "id" else [])]
        row = 0
        for batch in table.iter_batches(batch_size=BATCH_ROWS, columns=columns):
            texts = batch.column(text_key).to_pylist()
            ids = batch.column("id").to_pylist() if "id" in names else [None] * len(texts)
            for text, identity in zip(texts, ids, strict=True):
                row += 1
                share = shard.size * row // max(table.metadata.num_rows, 1)
                yield _document(text, identity, share, f"{shard}: row {row}: column", text_key)
        file.file.seek(0)
    except UnicodeDecodeError as error:
        raise DataError(f"{shard}: column '{text_key}' is not UTF-8 after row {row}") from error
    except pa.ArrowException as error:
        raise DataError(f"{shard} is not a readable Parquet file: {first_line(error)}") from error


_READERS: dict[str, Reader] = {
    JSONL: _read_jsonl,
    JSONL_ZST: _read_jsonl_zst,
    JSON_ZST: _read_jsonl_zst,
    JSONL_GZ: _read_jsonl_gz,
    JSON_GZ: _read_jsonl_gz,
    PARQUET: _read_parquet,
    TEXT: _read_text,
}


def _plain(file: _HashedFile) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _gunzipped(file: _HashedFile, shard: Shard) -> Iterator[bytes]:
    """Yield the uncompressed bytes of a gzip file of one or more members."""
    try:
        with gzip.GzipFile(fileobj=cast(BinaryIO, file)) as unzipped:
            while chunk := unzipped.read(CHUNK):
                yield chunk
    except EOFError as error:
        raise DataError(f"{shard} is truncated: its gzip stream does not end; fetch it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{shard} is not a sound gzip file ({error}); fetch it again") from error


def _unzstd(file: _HashedFile, shard: Shard) -> Iterator[bytes]:
    """Yield the uncompressed bytes of a zstd file of one or more frames.

    Frames are handled explicitly, because the library's stream reader accepts a truncated one.
    """
    context = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
    frame = context.decompressobj()
    whole = True
    try:
        while data := file.read(CHUNK):
            while data:
                if frame.eof:
                    frame = context.decompressobj()
                yield frame.decompress(data)
                data = frame.unused_data
                whole = frame.eof
    except zstandard.ZstdError as error:
        raise DataError(f"{shard} is not a sound zstd file ({error}); fetch it again") from error
    if not whole:
        raise DataError(f"{shard} is truncated: its last zstd frame does not end; fetch it again")


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines, without line ends, of a stream of byte chunks."""
    begun: list[bytes] = []
    for chunk in chunks:
        head, *others = chunk.split(b"\n")
        begun.append(head)
        if others:
            yield b"".join(begun)
            yield from others[:-1]
            begun = [others[-1]]
    yield b"".join(begun)


def _json_documents(
    chunks: Iterator[bytes], file: _HashedFile, shard: Shard, text_key: str
) -> Iterator[Document]:
    """Yield the document of every non-blank line."""
    for number, line in enumerate(_lines(chunks), start=1):
        if not line.strip():
            continue
        where = f"{shard}:{number}:"
        try:
            row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            raise DataError(f"{where} not UTF-8 (byte {error.start} of the line)") from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where} not valid JSON ({error})") from error
        if not isinstance(row, dict):
            raise DataError(f"{where} a line must be a JSON object, not {_kind(row)}")
        if text_key not in row:
            raise DataError(f"{where} {_missing(text_key, list(row), 'key')}")
        yield _document(row[text_key], row.get("id"), file.bytes_read, f"{where} key", text_key)


def _document(text: Any, identity: Any, bytes_read: int, where: str, text_key: str) -> Document:
    if not isinstance(text, str):
        raise DataError(f"{where} '{text_key}' holds {_kind(text)}, not a text")
    return Document(text, None if identity is None else str(identity), bytes_read)


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _missing(text_key: str, names: Sequence[str], what: str) -> str:
    found = ", ".join(names) or "none"
    return f"no {what} '{text_key}'{did_you_mean(text_key, names)} (found: {found}); set --text-key"
