"""Shards of a corpus: local files, or files in an object store supported by fsspec (s3://, gs://, …)."""

import glob
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

from unequal.errors import DataError, MissingExtraError
from unequal.files import content_hash, file_hash

logger = logging.getLogger(__name__)

SUFFIXES = (JSONL, JSONL_ZST, JSON_ZST, JSONL_GZ, JSON_GZ, PARQUET, TEXT) = (
    ".jsonl",
    ".jsonl.zst",
    ".json.zst",
    ".jsonl.gz",
    ".json.gz",
    ".parquet",
    ".txt",
)
"""The formats of shards; .json.gz holds JSON Lines too, as the published corpora name it."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of a corpus: its path or URL, its size in bytes, and a stamp that changes with its content."""

    path: str
    size: int
    stamp: str

    @property
    def name(self) -> str:
        """The file's name, without its folder."""
        return self.path.rsplit("/", 1)[-1]

    def __str__(self) -> str:
        return self.path

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the file for reading bytes."""
        if is_remote(self.path):
            with _fsspec().open(self.path, "rb") as remote:
                yield cast(BinaryIO, remote)
        else:
            with Path(self.path).open("rb") as file:
                yield file


def is_remote(path: str) -> bool:
    """Return whether a path is a URL of an object store."""
    return "://" in path


def local_shard(path: Path) -> Shard:
    """Return the shard of a local file; raises `DataError` if it does not exist."""
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    return Shard(str(path), status.st_size, f"{status.st_size}-{status.st_mtime_ns}")


def find_shards(corpus: str, setting: str = "--corpus") -> list[Shard]:
    """Return the shards that match a glob, sorted by path, without duplicates through links.

    ``setting`` names the glob in messages. Raises `DataError` when no file matches, and
    `MissingExtraError` for a store whose library is not installed.
    """
    shards = _remote_shards(corpus) if is_remote(corpus) else _local_shards(corpus)
    if not shards:
        a_folder = not is_remote(corpus) and Path(corpus).expanduser().is_dir()
        what = "is a folder; add /*.jsonl.zst or the like" if a_folder else "matches no file"
        raise DataError(f"{setting} '{corpus}' {what}; shards end in {', '.join(SUFFIXES)}")
    return shards


def corpus_id(shards: Iterable[tuple[Shard, str]]) -> str:
    """Return the corpus id: 16 hex digits from the file names and SHA-256 of all shards, not their folder.

    Warns when two shards hold the same bytes: their documents are counted twice.
    """
    first: dict[str, Shard] = {}
    identities = []
    for shard, sha256 in shards:
        identities.append([shard.name, shard.size, sha256])
        if first.setdefault(sha256, shard) != shard:
            logger.warning("%s holds the same bytes as %s; both are counted", shard, first[sha256])
    return content_hash(sorted(identities))[:16]


def content_id(corpus: str, setting: str = "--corpus") -> str:
    """Return the `corpus_id` of the files that match a glob.

    Files in a store are identified by their stamps, since hashing would fetch them. Raises `DataError` when
    no file matches or one cannot be read.
    """
    shards = find_shards(corpus, setting)
    return corpus_id((shard, shard.stamp if is_remote(shard.path) else _sha256(shard)) for shard in shards)


@lru_cache(maxsize=4096)
def _sha256(shard: Shard) -> str:
    try:
        return file_hash(Path(shard.path))
    except OSError as error:
        raise DataError(f"cannot read {shard}: {error.strerror or error}") from error


def _local_shards(corpus: str) -> list[Shard]:
    pattern = str(Path(corpus).expanduser())
    found = [pattern] if Path(pattern).is_file() else glob.glob(pattern, recursive=True)  # noqa: PTH207
    files: dict[tuple[int, int], Path] = {}
    for path in sorted(Path(name) for name in found):
        if not path.is_file():
            continue
        status = path.stat()
        first = files.setdefault((status.st_dev, status.st_ino), path)
        if first != path:
            logger.warning("%s is the same file as %s and is read once", path, first)
    return [local_shard(path) for path in files.values()]


def _remote_shards(corpus: str) -> list[Shard]:
    fsspec = _fsspec()
    try:
        system, pattern = fsspec.core.url_to_fs(corpus)
        found = system.glob(pattern, detail=True)
    except ImportError as error:
        raise MissingExtraError(f"reading {corpus}", "remote") from error
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise DataError(
            f"--corpus '{corpus}': {error}; stores are s3://, gs://, hf:// and the like"
        ) from error
    except Exception as error:  # each store has errors of its own, such as missing credentials
        raise DataError(f"cannot list '{corpus}': {error or type(error).__name__}") from error
    return [
        Shard(system.unstrip_protocol(path), info["size"], _stamp(info))
        for path, info in sorted(found.items())
        if info["type"] == "file"
    ]


def _stamp(info: dict[str, Any]) -> str:
    """Return a hash of the store's metadata that changes with a file's content."""
    keys = ("size", "ETag", "etag", "md5Hash", "crc32c", "blob_id", "mtime", "created", "last_commit")
    return content_hash({key: str(info[key]) for key in keys if key in info})[:16]


def _fsspec() -> Any:
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError("reading a corpus in a store", "remote") from error
    return fsspec
