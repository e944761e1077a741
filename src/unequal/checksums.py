"""SHA-256 checksums of files that are read back, so that damaged files are detected.

A folder has a file with the checksums of its files. A single binary file of this library ends with its own
checksum, and a JSON file holds the checksum of its values.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from unequal.errors import DamagedError, DataError
from unequal.files import atomic_path, content_hash, file_hash, read_json, write_json, write_text

CHECKSUM_FILE = "SHA256SUMS"
"""The file with the checksums of a folder; ``sha256sum --check`` reads it too."""

DIGEST = "sha256"
"""The key of a JSON object that holds the checksum of all other keys."""

_HEAD = "# files: "  # which sha256sum takes for a comment
_CHANGED = "has not the SHA-256 it was written with"

logger = logging.getLogger(__name__)


def warn_remade(what: str, reason: object) -> None:
    """Warn in one line that a cached file is damaged and is made again."""
    logger.warning("%s is damaged (%s); it is made again", what, reason)


def write_checksums(folder: Path) -> None:
    """Write the checksum of every file below a folder into the folder, before it gets its final name."""
    (folder / CHECKSUM_FILE).write_text(_sums(hashes(folder, {CHECKSUM_FILE})), encoding="utf-8")


def write_file_checksums(folder: Path, names: Iterable[str]) -> None:
    """Write the checksums of those of the named files that exist into the folder, atomically."""
    found = {name: _hash_of(folder / name) for name in names if (folder / name).is_file()}
    write_text(folder / CHECKSUM_FILE, _sums(found))


def _sums(found: Mapping[str, str]) -> str:
    lines = [f"{digest}  {name}\n" for name, digest in found.items()]
    return f"{_HEAD}{len(lines)}\n" + "".join(lines)


def verify_folder(folder: Path, advice: str = "", *, required: bool = False) -> None:
    """Verify the files of a folder against its checksum file; files that it does not list are ignored.

    Raises `DamagedError` for a file that is missing or has changed. A folder without checksums passes, unless
    they are ``required``.
    """
    seal_file = folder / CHECKSUM_FILE
    if not seal_file.is_file():
        if required:
            raise DamagedError(str(folder), f"{CHECKSUM_FILE} is missing", advice)
        return
    advice = advice or f"fetch or make it again, or delete {seal_file} if you changed it on purpose"
    try:
        head, *lines = seal_file.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] or [""]
    except OSError as error:
        raise DamagedError(
            str(folder), f"{CHECKSUM_FILE} cannot be read: {error.strerror}", advice
        ) from error
    if not head.startswith("#"):  # an older version wrote none
        lines = [head, *lines]
    expected = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if not expected or (head.startswith("#") and head != f"{_HEAD}{len(lines)}"):
        raise DamagedError(str(folder), f"{CHECKSUM_FILE} is not whole", advice)
    verify_hashes(folder, expected, advice)


def verify_file(path: Path) -> None:
    """Verify one file against the checksums of its folder, if they list it; raises `DamagedError`."""
    seal_file = path.parent / CHECKSUM_FILE
    if not (os.path.isfile(seal_file) and os.path.isfile(path)):  # noqa: PTH113  false for impossible paths
        return
    end = f"  {path.name}"
    lines = seal_file.read_text(encoding="utf-8", errors="replace").split("\n")
    listed = [line.removesuffix(end) for line in lines if line.endswith(end)]
    if listed and _hash_of(path) not in listed:
        advice = f"make it again, or delete {seal_file} if you changed it on purpose"
        raise DamagedError(str(path), f"it {_CHANGED}", advice)


def verify_hashes(folder: Path, expected: Mapping[str, str], advice: str) -> None:
    """Verify files against expected checksums; raises `DamagedError`, whose message ends with the advice."""
    for name, digest in expected.items():
        path = folder / name
        try:
            found = _hash_of(path) if path.is_file() else None
        except (OSError, ValueError) as error:  # a name that no file can have is an error too
            raise DamagedError(str(folder), f"a file cannot be read: {error}", advice) from error
        if found is None:
            raise DamagedError(str(folder), f"{name} is missing", advice)
        if found != digest:
            raise DamagedError(str(folder), f"{name} {_CHANGED}", advice)


def hashes(folder: Path, left_out: Collection[str] = ()) -> dict[str, str]:
    """Return the SHA-256 of each file below a folder, by its relative path.

    Excluded are paths whose first part is in ``left_out``, and temporary files, which belong to other
    processes.
    """
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    kept = {place: path for place, path in found.items() if place.parts[0] not in left_out}
    return {place.as_posix(): _hash_of(path) for place, path in kept.items() if not _is_temporary(place)}


def _is_temporary(place: Path) -> bool:
    return any(part.startswith(".") and part.endswith(".tmp") for part in place.parts)


def write_with_checksum(path: Path, data: bytes, identity: str = "") -> None:
    """Write bytes followed by their SHA-256, atomically.

    The checksum includes the ``identity``, so that another intact file is not accepted in its place.
    """
    with atomic_path(path) as beside:
        beside.write_bytes(data + _digest(data, identity))


def read_with_checksum(path: Path, identity: str = "", advice: str = "") -> bytes:
    """Return the bytes that `write_with_checksum` wrote; raises `DamagedError` if they have changed."""
    try:
        whole = path.read_bytes()
    except OSError as error:
        raise DamagedError(str(path), f"it cannot be read: {error.strerror or error}", advice) from error
    size = hashlib.sha256().digest_size
    data, digest = whole[:-size], whole[-size:]
    if len(whole) < size or _digest(data, identity) != digest:
        raise DamagedError(str(path), f"it {_CHANGED}", advice)
    return data


def _digest(data: bytes, identity: str) -> bytes:
    return hashlib.sha256(identity.encode() + b"\n" + data).digest()


def write_checked_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write an object as JSON, atomically, with the checksum of its values under the key ``sha256``."""
    write_json(path, {**value, DIGEST: _json_hash(value)})


def read_checked_json(path: Path, advice: str, *, required: bool = True) -> dict[str, Any]:
    """Return the object of a JSON file without its checksum; raises `DamagedError` if the checksum differs.

    An object without a checksum is damaged if one is ``required``, and is accepted otherwise.
    """
    try:
        held = read_json(path)
    except DataError as error:
        raise DamagedError(str(path), "it cannot be read as JSON", advice) from error
    if not isinstance(held, dict):
        raise DamagedError(str(path), "it holds no object", advice)
    if required and DIGEST not in held:
        raise DamagedError(str(path), "its SHA-256 is missing", advice)
    found: dict[str, Any] = without_checksum(held, path, advice)
    return found


def without_checksum(value: Any, path: Path, advice: str) -> Any:
    """Return a JSON value without its checksum, if any; raises `DamagedError` if the checksum differs."""
    if not isinstance(value, dict) or DIGEST not in value:
        return value
    rest = {key: inner for key, inner in value.items() if key != DIGEST}
    if value[DIGEST] != _json_hash(rest):
        raise DamagedError(str(path), f"it {_CHANGED}", advice)
    return rest


def _json_hash(value: Mapping[str, Any]) -> str:
    return content_hash(json.loads(json.dumps(value)))


def is_own_json(path: Path, *keys: str) -> bool:
    """Return whether an unreadable file looks like JSON of this library: at most one of its keys is missing.

    Files of other programs must never be overwritten.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return False
    words = [f'"{key}"'.encode() for key in (*keys, DIGEST)]
    return not data or sum(word in data for word in words) >= len(words) - 1


def _hash_of(path: Path) -> str:
    """Return a file's SHA-256, from a cache if this process has read the file and it has not changed since.

    A file that was written within the last second is not cached, since its time may not show a change.
    """
    stat = path.stat()
    identity = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    if identity in _KNOWN:
        return _KNOWN[identity]
    digest = file_hash(path)
    if time.time_ns() - stat.st_mtime_ns > 10**9:
        _KNOWN[identity] = digest
    return digest


_KNOWN: dict[tuple[int, ...], str] = {}
