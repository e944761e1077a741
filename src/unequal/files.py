"""Files: atomic writes, content hashes, lock files, and I/O errors as user errors."""

import errno
import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unequal.errors import ConfigError, DataError, UserError
from unequal.strict import path_problem, value_problem
from unequal.temporary import held, prefix_for, remove_leftovers_of

if TYPE_CHECKING:
    import polars as pl


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; when the block succeeds, it is synced and renamed to ``path``.

    Raises `DataError` when the folder cannot be written. After an error the temporary file is removed.
    """
    with output_folder(path.parent):
        beside = _temporary_file(path)
        try:
            with _told_of(path), held(beside):
                yield beside
                with beside.open("rb+") as file:
                    os.fsync(file.fileno())
                beside.chmod(0o644)
                beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new temporary folder beside ``path``; when the block succeeds, it replaces ``path``."""
    with output_folder(path.parent):
        beside = _temporary_folder(path)
        try:
            with _told_of(path), held(beside):
                yield beside
                beside.chmod(0o755)
                _put_in_place(beside, path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _put_in_place(beside: Path, path: Path) -> None:
    """Rename the folder to the path; an earlier folder of this name is removed afterwards."""
    if not path.exists():
        beside.replace(path)
        return
    before = _temporary_folder(path)
    try:
        path.replace(before)
        beside.replace(path)
    except OSError:
        if not path.exists():
            before.replace(path)
        raise
    finally:
        shutil.rmtree(before, ignore_errors=True)


def _temporary_file(path: Path) -> Path:
    """Return a new empty file beside the path, after removing temporary files of dead processes."""
    remove_leftovers_of(path)
    with _told_of(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix_for(path), suffix=".tmp")
    os.close(handle)
    return Path(name)


def _temporary_folder(path: Path) -> Path:
    remove_leftovers_of(path)
    with _told_of(path):
        return Path(tempfile.mkdtemp(dir=path.parent, prefix=prefix_for(path), suffix=".tmp"))


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """Turn I/O errors into a `DataError` that names the path.

    Libraries that write tensors and tables report a full disk by errors other than `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error
    except Exception as error:
        reasons = [reason for reason in _NO_ROOM if reason in str(error)]
        if isinstance(error, UserError) or not reasons:
            raise
        raise DataError(f"cannot write {path}: {reasons[0]}") from error


_NO_ROOM = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)))


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, atomically."""
    with atomic_path(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def write_table(frame: "pl.DataFrame", path: Path) -> None:
    """Write a table as Parquet, atomically."""
    with atomic_path(path) as beside:
        frame.write_parquet(beside, compression="zstd")


def read_json(path: Path) -> Any:
    """Return the value of a JSON file; raises `DataError` when the file is missing or invalid.

    Values that are nested too deeply and whole numbers beyond 64 bits are invalid too.
    """
    if problem := path_problem(path):
        raise DataError(problem)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        reason = "a number has too many digits" if "digits" in str(error) else error
        raise DataError(f"{path} is not valid JSON: {reason}") from error
    except RecursionError as error:
        raise DataError(f"{path} is not valid JSON: its values stand in one another too deep") from error
    if problem := value_problem(value, record=True):
        raise DataError(f"{path}: {problem}")
    return value


def writable_folder(folder: Path) -> Path:
    """Create the folder if need be and return it; raises `DataError` when it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DataError(
            f"cannot write into {folder}: {error.strerror or error}; choose another --out"
        ) from error
    return folder


def check_file_name(out: Path, example: str) -> None:
    """Check that a path can name a file; raises `ConfigError`, with the example, for a folder."""
    if out.is_dir() or out.name in ("", ".."):
        raise ConfigError(f"--out {str(out) or '.'} is a folder; name a file, such as {example}")


def probe_folder(folder: Path, flag: str = "--out") -> None:
    """Check that a folder can be written, without keeping a folder that did not exist; raises `DataError`.

    ``flag`` names the setting in the message.
    """
    made = []
    try:
        for place in reversed([folder, *folder.parents]):
            if not place.exists():
                place.mkdir(exist_ok=True)
                made.append(place)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DataError(
            f"cannot write into {folder}: {error.strerror or error}; choose another {flag}"
        ) from error
    finally:
        with suppress(OSError):
            for place in reversed(made):
                place.rmdir()


def check_replaceable(out: Path, made: str) -> None:
    """Check that a folder is empty or an earlier result (with the file ``made``); raises `ConfigError`."""
    if out.is_dir() and any(out.iterdir()) and not (out / made).is_file():
        raise ConfigError(f"{out} holds other files and would be replaced as a whole; choose another --out")


@contextmanager
def output_folder(folder: Path) -> Iterator[Path]:
    """Yield a writable folder; when the block fails, empty folders created for it are removed again."""
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    writable_folder(folder)
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            for place in made:
                place.rmdir()
        raise


@contextmanager
def locked(lock: Path, doing: str, advice: str = "choose another --out") -> Iterator[None]:
    """Hold a file lock while the block runs; the system releases it when the process ends.

    Raises `ConfigError`, which says what the holder is ``doing``, when another process has the lock.
    """
    from filelock import FileLock, Timeout  # slow to import

    note = f"process {os.getpid()} on {socket.gethostname()} is {doing}"
    with output_folder(lock.parent):
        held = FileLock(lock)
        try:
            held.acquire(blocking=False)
        except Timeout as error:
            raise ConfigError(f"{_note_in(lock)}; wait for it or {advice}") from error
        except OSError as error:
            raise DataError(f"cannot write {lock}: {error.strerror or error}") from error
        try:
            with suppress(OSError):  # on a full disk there is no note
                lock.write_text(note, encoding="utf-8")
            yield
        finally:
            lock.unlink(missing_ok=True)
            held.release()


def _note_in(lock: Path) -> str:
    with suppress(OSError):
        if note := lock.read_text(encoding="utf-8", errors="replace"):
            return note
    return "another process is at work"


def lock_of(result: Path) -> Path:
    """Return the path of the lock file of a file or folder, which is beside it."""
    result = result if result.name not in ("", "..") else result.resolve()
    return result.with_name(f".{result.name}.lock")


def content_hash(*parts: Any) -> str:
    """Return the SHA-256 hex digest of the parts, each as canonical JSON."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def file_hash(path: Path) -> str:
    """Return the SHA-256 hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
