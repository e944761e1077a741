"""Disk cache of the web service's responses, keyed by the whole request."""

import json
import logging
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unequal.errors import DataError
from unequal.files import content_hash

FILE_NAME = "answers.sqlite"

logger = logging.getLogger(__name__)

_TABLE = (
    "CREATE TABLE IF NOT EXISTS answers"
    " (request TEXT PRIMARY KEY, answer TEXT NOT NULL, hash TEXT NOT NULL, answered_at TEXT NOT NULL)"
)

_COLUMNS = ("request", "answer", "hash", "answered_at")
_NO_DAMAGE = frozenset({
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_AUTH,
})  # fmt: skip
"""SQLite errors that do not mean that the file is damaged."""


def default_cache_folder() -> Path:
    """Return the user's cache folder for responses, in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification says that a relative path in the variable is to be ignored.
    return (base if base.is_absolute() else Path.home() / ".cache") / "unequal" / "infinigram"


class AnswerCache:
    """Cache of responses in one SQLite file; each response is its own transaction, so a kill loses none.

    A damaged file is renamed, and its responses are requested again.
    """

    def __init__(self, folder: Path) -> None:
        """Open or create the file; raises `DataError` when the folder or the file cannot be used."""
        self.path = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"cannot make the cache folder {folder}: {error.strerror or error}"
            raise DataError(f"{problem}; choose another --cache") from error
        self._ask(f"SELECT {', '.join(_COLUMNS)} FROM answers LIMIT 0")

    def get(self, url: str, payload: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the cached response to a request, or None if there is none or it is damaged."""
        request = _canonical(url, payload)
        rows = self._ask("SELECT answer, hash FROM answers WHERE request = ?", (request,))
        if not rows:
            return None
        if content_hash(request, rows[0][0]) != rows[0][1]:
            logger.warning("a cached response in %s is damaged; it is requested again", self.path)
            return None
        answer: dict[str, Any] = json.loads(rows[0][0])
        return answer

    def put(self, url: str, payload: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Cache a response; it is on disk when this returns."""
        request, text = _canonical(url, payload), json.dumps(answer, ensure_ascii=True)
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        row = (request, text, content_hash(request, text), stamp)
        self._ask("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", row)

    def _ask(self, statement: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of an SQL statement; raises `DataError` if the file is locked or not writable."""
        try:
            try:
                return self._execute(statement, values)
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if not self._tells_of_damage(error):
                    raise
                self._set_aside(error)
                return self._execute(statement, values)
        except (sqlite3.Error, UnicodeDecodeError, OSError) as error:
            raise DataError(
                f"the cache {self.path} cannot be used ({error}); delete it, and its responses are requested"
                " again, or choose another --cache"
            ) from error

    def _execute(self, statement: str, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, timeout=60.0, isolation_level=None)) as database:
            database.execute(_TABLE)
            return database.execute(statement, values).fetchall()

    def _tells_of_damage(self, error: Exception) -> bool:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code == sqlite3.SQLITE_READONLY:  # SQLite says so of a file of a version that it does not know
            return os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)
        return code not in _NO_DAMAGE

    def _set_aside(self, error: Exception) -> None:
        beside = self.path.with_name(f"{FILE_NAME}.damaged")
        self.path.replace(beside)
        self.path.with_name(f"{FILE_NAME}-journal").unlink(missing_ok=True)
        logger.warning(
            "%s is damaged (%s) and set aside as %s; its responses are requested again",
            self.path, error, beside.name,
        )  # fmt: skip


def _canonical(url: str, payload: Mapping[str, Any]) -> str:
    return json.dumps([url, payload], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
