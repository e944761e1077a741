"""Sealed folders: the SHA-256 of each of their files, so that a flipped byte is refused and not believed."""

import time
from collections.abc import Collection, Mapping
from pathlib import Path

from unequal.errors import DamagedError
from unequal.files import file_hash

SEAL = "SHA256SUMS"
"""The file of a folder's hashes, which ``sha256sum --check`` reads too."""


def seal(folder: Path) -> None:
    """Write the hash of every file below the folder into it; to be done before the folder takes its name."""
    lines = [f"{digest}  {name}\n" for name, digest in hashes(folder, {SEAL}).items()]
    (folder / SEAL).write_text("".join(lines), encoding="utf-8")


def check_seal(folder: Path, advice: str = "") -> None:
    """Raise `DamagedError` when a file is not as it was when the folder was sealed; others are not looked at.

    A folder without a seal is taken as it is.
    """
    if not (folder / SEAL).is_file():
        return
    lines = (folder / SEAL).read_text(encoding="utf-8", errors="replace").splitlines()
    expected = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    otherwise = f"fetch or make it again, or delete {folder / SEAL} if you changed it on purpose"
    check_hashes(folder, expected, advice or otherwise)


def check_hashes(folder: Path, expected: Mapping[str, str], advice: str) -> None:
    """Raise `DamagedError`, whose message ends with the advice, unless each file has the hash expected."""
    for name, digest in expected.items():
        path = folder / name
        if not path.is_file():
            raise DamagedError(str(folder), f"{name} is missing", advice)
        if _hash_of(path) != digest:
            raise DamagedError(str(folder), f"{name} has not the SHA-256 it was written with", advice)


def hashes(folder: Path, left_out: Collection[str] = ()) -> dict[str, str]:
    """Return the SHA-256 of each file below the folder by its path within, but for some paths at the top."""
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    kept = {place: path for place, path in found.items() if place.parts[0] not in left_out}
    return {place.as_posix(): _hash_of(path) for place, path in kept.items()}


def _hash_of(path: Path) -> str:
    """Return the file's hash; a file that this process has read is not read again until it changes.

    Of a file that was just written the time alone does not tell whether it has changed.
    """
    stat = path.stat()
    identity = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
    if identity in _KNOWN:
        return _KNOWN[identity]
    digest = file_hash(path)
    if time.time_ns() - stat.st_mtime_ns > 10**9:
        _KNOWN[identity] = digest
    return digest


_KNOWN: dict[tuple[int, int, int, int], str] = {}
