"""SQLite: the embedded index, one file that another process can read while we write."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, assert_never

from streamer.core.documents import encode, encode_notification
from streamer.core.errors import Retryable, SinkError, StorageFull, StreamerError
from streamer.core.incident import Incident
from streamer.core.types import (
    Action,
    DeadLetter,
    DecisionDocument,
    EndpointDocument,
    FeatureDocument,
    Index,
    Kept,
    Notify,
    OperationsDocument,
    Reject,
    Retrain,
)

FORMAT: Final = 1
# "STRM": tells our files from other programs' databases.
APPLICATION: Final = 0x5354524D
_DAY: Final = 86_400_000
# Rows let go of with one delivery, so that a delivery never waits for long.
_PRUNED: Final = 5_000
# The endpoint of documents on the service itself.
_NOBODY: Final = ""

_SCHEMA: Final = f"""
CREATE TABLE documents (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, revision INTEGER NOT NULL, endpoint TEXT NOT NULL,
    variant TEXT NOT NULL, model_version TEXT NOT NULL, feature TEXT NOT NULL,
    window_start INTEGER NOT NULL, window_end INTEGER NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE INDEX documents_by_feature ON documents (endpoint, feature, window_start);
CREATE INDEX documents_by_end ON documents (endpoint, window_end);
CREATE INDEX incidents_by_state ON documents (state, window_start) WHERE kind = 'incident';
CREATE TABLE notifications (
    id TEXT PRIMARY KEY, incident TEXT NOT NULL, endpoint TEXT NOT NULL, why TEXT NOT NULL,
    changed INTEGER NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE INDEX notifications_by_time ON notifications (endpoint, changed);
CREATE TABLE dead_letters (
    id TEXT PRIMARY KEY, endpoint TEXT NOT NULL, reason TEXT NOT NULL, shard TEXT NOT NULL,
    position TEXT NOT NULL, noted INTEGER, body TEXT NOT NULL
) STRICT;
CREATE INDEX dead_letters_by_time ON dead_letters (noted);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
"""
_UPSERT: Final = """
INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    kind = excluded.kind, revision = excluded.revision, endpoint = excluded.endpoint, variant = excluded.variant,
    model_version = excluded.model_version, feature = excluded.feature, window_start = excluded.window_start,
    window_end = excluded.window_end, state = excluded.state, body = excluded.body
WHERE excluded.revision >= documents.revision
"""
_NOTIFICATION: Final = "INSERT INTO notifications VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
_LETTER: Final = "INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
_PRUNE_DOCUMENTS: Final = """
DELETE FROM documents WHERE rowid IN (
    SELECT rowid FROM documents
    WHERE endpoint = ? AND window_end < ? AND NOT (kind = 'incident' AND state != 'resolved') LIMIT ?)
"""
_PRUNE_NOTIFICATIONS: Final = """
DELETE FROM notifications WHERE rowid IN (
    SELECT rowid FROM notifications WHERE endpoint = ? AND changed < ? LIMIT ?)
"""
_PRUNE_LETTERS: Final = """
DELETE FROM dead_letters WHERE rowid IN (SELECT rowid FROM dead_letters WHERE noted < ? LIMIT ?)
"""

_Row = tuple[str | int | None, ...]


class SqliteSink:
    """Keeps documents, notifications and dead letters, one row of each id.

    Tables ``documents`` (windows' documents, incidents, decisions and those on the service itself, whose
    window is the moment they were made), ``notifications`` and ``dead_letters``
    have what is asked for often in columns, the whole as JSON in ``body``, times in milliseconds
    since the epoch (``datetime(window_start / 1000, 'unixepoch')``). An incident's window is from
    its first broken window to its end, or to its last change. ``noted`` of a dead letter is the end
    of the newest window when it was set aside, as it may have no time of its own.

    A delivery is one transaction, off the event loop. The write-ahead log lets others read
    meanwhile; it is written to the disk in time, but a power failure may cost the last seconds,
    never the file.

    Parameters
    ----------
    path : Path
        Made, with its directory, if it does not exist.
    retention_days : int or None
        Documents and notifications older than this are let go of, counted from the end of their
        endpoint's newest window, dead letters from that of all; incidents when resolved. Looked
        for once a day of event time, a lot with each delivery. ``None`` keeps everything.
    busy_seconds : float
        How long to wait for another writer.

    Raises
    ------
    SinkError
        The file can't be opened, is no SQLite database, another program's or of another format.
    """

    name = "sqlite"

    def __init__(self, path: Path, *, retention_days: int | None = None, busy_seconds: float = 5.0) -> None:
        self._path = path
        self._retention = None if retention_days is None else retention_days * _DAY
        self._lock = threading.Lock()
        self._closed = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise SinkError(f"can't open {path}: {error}") from error
        try:
            self._set_up()
            self._newest_at = self._newest()
        except sqlite3.Error as error:
            self._db.close()
            raise self._translated(error) from error
        except SinkError:
            self._db.close()
            raise
        # Day of event time that was last looked at, and what is still to be let go of, by endpoint.
        self._looked: dict[str, int] = {}
        self._due: dict[str, int] = {}

    def _set_up(self) -> None:
        # Looked at before anything is changed: a file that is not ours is left alone.
        self._is_new()
        mode = self._db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise SinkError(f"{self._path}: no write-ahead log is possible here (a network file system?)")
        self._db.execute("PRAGMA synchronous = NORMAL")
        # Two processes may find a new file at once: one makes the tables, the other waits.
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            if self._is_new():
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)

    def _is_new(self) -> bool:
        application = self._db.execute("PRAGMA application_id").fetchone()[0]
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if (application, version, tables) == (0, 0, 0):
            return True
        if application != APPLICATION:
            raise SinkError(f"{self._path}: a database of another program")
        if version != FORMAT:
            raise SinkError(f"{self._path}: format {version}, expected {FORMAT}; give another path")
        return False

    def _newest(self) -> dict[str, int]:
        """End of the newest window by endpoint, each found through the index."""
        newest: dict[str, int] = {}
        endpoint = self._db.execute("SELECT min(endpoint) FROM documents").fetchone()[0]
        while endpoint is not None:
            of_one = "SELECT max(window_end) FROM documents WHERE endpoint = ?"
            newest[endpoint] = self._db.execute(of_one, (endpoint,)).fetchone()[0]
            following = "SELECT min(endpoint) FROM documents WHERE endpoint > ?"
            endpoint = self._db.execute(following, (endpoint,)).fetchone()[0]
        return newest

    async def deliver(self, actions: Sequence[Action]) -> None:
        """Write these in one transaction.

        Raises
        ------
        Retryable
            Another writer is busy or the disk fails; ``StorageFull`` where it is full.
        SinkError
            The file is damaged or was made read-only.
        """
        await asyncio.to_thread(self._run, lambda: self._write(actions))

    async def commit(self) -> None:
        """Let go of all that is due and bring the log into the file.

        Raises
        ------
        Retryable
            As for ``deliver``.
        """
        await asyncio.to_thread(self._run, self._finish)

    async def close(self) -> None:
        """Close the file once a transaction under way is done."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._lock:
            self._closed = True
            self._db.close()

    def _run(self, work: Callable[[], None]) -> None:
        with self._lock:
            if self._closed:
                raise SinkError(f"{self._path}: closed before")
            try:
                work()
            except sqlite3.Error as error:
                raise self._translated(error) from error

    def _write(self, actions: Sequence[Action]) -> None:
        documents: list[_Row] = []
        notifications: list[_Row] = []
        letters: list[DeadLetter] = []
        newest_at = dict(self._newest_at)
        for action in actions:
            match action:
                case Index(document):
                    documents.append(_document_row(document))
                    if isinstance(document, FeatureDocument | EndpointDocument):
                        end_at = _at(document.window_end)
                        newest_at[document.endpoint] = max(newest_at.get(document.endpoint, 0), end_at)
                    elif isinstance(document, OperationsDocument):
                        newest_at[_NOBODY] = max(newest_at.get(_NOBODY, 0), _at(document.noted))
                case Notify():
                    notifications.append(_notification_row(action))
                case Reject(letter):
                    letters.append(letter)
                case Retrain():
                    # It goes to who can train; nothing of it is kept here.
                    continue
                case _:
                    assert_never(action)
        noted_at = _newest_window(newest_at)
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            self._db.executemany(_UPSERT, documents)
            self._db.executemany(_NOTIFICATION, notifications)
            self._db.executemany(_LETTER, [_letter_row(letter, noted_at) for letter in letters])
        # The delivery is done; what follows may be done again.
        self._newest_at = newest_at
        self._prune()

    def _prune(self) -> bool:
        """Let go of one lot of what is due; whether more may be due."""
        if self._retention is None:
            return False
        for endpoint, newest_at in self._newest_at.items():
            if newest_at // _DAY > self._looked.get(endpoint, -1):
                self._looked[endpoint] = newest_at // _DAY
                self._due[endpoint] = newest_at - self._retention
        if not self._due:
            return False
        endpoint, before_at = next(iter(self._due.items()))
        of_all_at = (_newest_window(self._newest_at) or 0) - self._retention
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            gone = [
                self._db.execute(_PRUNE_DOCUMENTS, (endpoint, before_at, _PRUNED)).rowcount,
                self._db.execute(_PRUNE_NOTIFICATIONS, (endpoint, before_at, _PRUNED)).rowcount,
                self._db.execute(_PRUNE_LETTERS, (of_all_at, _PRUNED)).rowcount,
            ]
        if max(gone) < _PRUNED:
            del self._due[endpoint]
        return bool(self._due)

    def _finish(self) -> None:
        while self._prune():
            pass
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _translated(self, error: sqlite3.Error) -> StreamerError:
        text = f"{self._path}: {error}"
        # The low byte is the kind, the rest says more.
        match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
            case sqlite3.SQLITE_FULL:
                return StorageFull(text)
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_IOERR:
                return Retryable(text)
            case _:
                return SinkError(text)


def _at(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _newest_window(newest_at: Mapping[str, int]) -> int | None:
    """End of the newest window of all endpoints; the service's own documents are of another clock."""
    return max((at for endpoint, at in newest_at.items() if endpoint != _NOBODY), default=None)


def _document_row(document: Kept) -> _Row:
    body = encode(document).decode()
    match document:
        case FeatureDocument(feature=feature):
            kind = "feature"
        case EndpointDocument():
            kind, feature = "endpoint", ""
        case Incident(id=identity, revision=revision, endpoint=endpoint, state=state):
            start_at, end_at = _at(document.since), _at(document.until or document.changed)
            return identity, "incident", revision, endpoint, "", "", "", start_at, end_at, state, body
        case DecisionDocument(id=identity, revision=revision, endpoint=endpoint, effect=effect):
            at, about = _at(document.taken or document.made), (document.model_version, document.feature or "")
            return identity, "decision", revision, endpoint, "", *about, at, at, effect, body
        case OperationsDocument(id=identity, revision=revision, noted=noted):
            return identity, "operations", revision, _NOBODY, "", "", "", _at(noted), _at(noted), "", body
        case _:
            assert_never(document)
    who = (document.endpoint, document.variant, document.model_version, feature)
    window = (_at(document.window_start), _at(document.window_end))
    return document.id, kind, document.revision, *who, *window, document.state, body


def _notification_row(notify: Notify) -> _Row:
    incident = notify.incident
    body = encode_notification(notify).decode()
    return notify.id, incident.id, incident.endpoint, notify.why, _at(incident.changed), body


def _letter_row(letter: DeadLetter, noted_at: int | None) -> _Row:
    body = encode(letter).decode()
    return letter.id, letter.endpoint, letter.reason, letter.shard, letter.position, noted_at, body
