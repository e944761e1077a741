"""Temporary files and folders named after their process, so that those of dead processes can be removed."""

import fcntl
import hashlib
import os
import re
import shutil
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

A_DAY = 24 * 3600
"""Seconds without a change after which an unlocked temporary of another machine counts as abandoned."""

LONGEST_STEM = 150  # bytes of a target's name that stand in that of its temporary; file systems end at 255

_NAME = re.compile(r"\..*\.([0-9a-f]{8})-([0-9]+)-([0-9]+)\.\w+\.tmp", re.DOTALL)


def prefix_for(target: Path) -> str:
    """Return the prefix of names of this process's temporaries for a file or folder."""
    return f"{_stem(target)}{_machine()}-{os.getpid()}-{_started(os.getpid()) or 0}."


def _stem(target: Path) -> str:
    name = target.name
    if len(os.fsencode(name)) > LONGEST_STEM:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return f".{name}."


@contextmanager
def held(temporary: Path) -> Iterator[None]:
    """Hold a lock on a temporary while the block runs, so that other machines see that it is in use."""
    handle = None
    with suppress(OSError):  # some file systems know no locks
        handle = os.open(temporary, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def remove_leftovers_of(target: Path) -> None:
    """Delete temporaries of dead processes for this file or folder, which are beside it."""
    stem = _stem(target)
    with suppress(OSError):
        _remove(path for path in target.parent.iterdir() if path.name.startswith(stem))


def remove_leftovers_in(folder: Path) -> None:
    """Delete temporaries of dead processes directly in this folder."""
    with suppress(OSError):
        _remove([*folder.glob(".*.tmp")])


def remove_leftovers_below(folder: Path) -> None:
    """Delete temporaries of dead processes anywhere below this folder."""
    _remove([*folder.rglob(".*.tmp")])


def _remove(found: Iterable[Path]) -> None:
    for leftover in found:
        if not leftover.name.endswith(".tmp") or not _is_left(leftover):
            continue
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            with suppress(OSError):  # it may have been in a folder that is gone
                leftover.unlink(missing_ok=True)


def _is_left(temporary: Path) -> bool:
    """Return whether the writer of a temporary is certainly dead.

    For processes of this machine that is known. For other machines and older versions it is inferred from the
    lock and, where locks do not work over the network, the age.
    """
    named = _NAME.fullmatch(temporary.name)
    if named and named[1] == _machine():
        return not _runs(int(named[2]), int(named[3]))
    return _is_old(temporary) and not _is_locked(temporary)


def _runs(pid: int, started: int) -> bool:
    """Return whether a process is alive; its start time tells it from a later one with the same number."""
    found = _started(pid)
    if found is not None:
        return started in (0, found)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # somebody else's, whom the system hides
    return not Path(f"/proc/{os.getpid()}").exists()  # else a zombie


def _started(pid: int) -> int | None:
    """Return the start time of a process in clock ticks since boot, or None if it cannot be read."""
    try:
        words = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return None if words[0] in (b"Z", b"X") else int(words[19])
    except (OSError, ValueError, IndexError):
        return None


@lru_cache(maxsize=1)
def _machine() -> str:
    """Return an 8-digit id of the process-number space: a machine since its boot, or a container."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip())
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _is_old(temporary: Path) -> bool:
    places = [temporary, *temporary.rglob("*")] if temporary.is_dir() else [temporary]
    changed = 0.0
    for place in places:
        with suppress(OSError):
            changed = max(changed, place.lstat().st_mtime)
    return time.time() - changed > A_DAY


def _is_locked(temporary: Path) -> bool:
    try:
        handle = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False
