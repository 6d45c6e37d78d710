"""JSON Lines files of results: what a replay writes, whole or not at all."""

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final, assert_never

from streamer.core.documents import encode, encode_notification
from streamer.core.errors import Retryable, SinkError, StorageFull
from streamer.core.types import Action, Index, Notify, Reject, Retrain

DOCUMENTS: Final = "documents.jsonl"
ALERTS: Final = "alerts.jsonl"
DEAD_LETTERS: Final = "dead_letters.jsonl"
PARTIAL: Final = ".partial"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def _open(path: Path) -> FileIO:
    return FileIO(path, "wb")


class JsonLinesSink:
    """Appends what is delivered to three files in a directory.

    ``documents.jsonl`` has a line for each revision of a window's document or an incident: of the
    lines with one ``id`` the one with the largest ``revision`` is true. ``alerts.jsonl`` has a line
    for each notification, ``dead_letters.jsonl`` for each record set aside. A repeated delivery
    repeats its lines; ids tell.

    The files are called ``*.partial`` until ``commit`` has written them out to the disk and renamed
    them, so a file under its final name is always of a whole run. A delivery that fails leaves no
    trace in them: every line there is whole.

    Parameters
    ----------
    directory : Path
        Made if it does not exist. Partial files of a run before are overwritten at once, results of
        a run before by ``commit``.
    open_file : callable
        Opens a file for writing, empty and without a buffer.

    Raises
    ------
    SinkError
        The directory or a file can't be made.
    """

    name = "jsonlines"

    def __init__(self, directory: Path, *, open_file: Callable[[Path], FileIO] = _open) -> None:
        self._directory = directory
        self._files: dict[str, FileIO] = {}
        self._sizes = dict.fromkeys((DOCUMENTS, ALERTS, DEAD_LETTERS), 0)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for name in self._sizes:
                self._files[name] = open_file(directory / (name + PARTIAL))
        except OSError as error:
            self._close()
            raise SinkError(f"can't write results to {directory}: {error.strerror or error}") from error

    async def deliver(self, actions: Sequence[Action]) -> None:
        """Append these, all or none.

        Raises
        ------
        Retryable
            They can't be written; ``StorageFull`` where the disk or a quota is full.
        """
        lines: dict[str, list[bytes]] = {name: [] for name in self._sizes}
        for action in actions:
            match action:
                case Index(document):
                    lines[DOCUMENTS] += encode(document), b"\n"
                case Notify():
                    lines[ALERTS] += encode_notification(action), b"\n"
                case Reject(letter):
                    lines[DEAD_LETTERS] += encode(letter), b"\n"
                case Retrain():
                    # It goes to who can train; nothing of it is kept here.
                    continue
                case _:
                    assert_never(action)
        texts = {name: b"".join(several) for name, several in lines.items() if several}
        try:
            for name, text in texts.items():
                _write(self._files[name], text)
        except OSError as error:
            self._undo(texts)
            raise self._translated(error) from error
        for name, text in texts.items():
            self._sizes[name] += len(text)

    def _undo(self, names: dict[str, bytes]) -> None:
        for name in names:
            # What can't be cut stays in a partial file, which nobody takes for a result.
            with suppress(OSError):
                self._files[name].truncate(self._sizes[name])
                self._files[name].seek(self._sizes[name])

    def _translated(self, error: OSError) -> Retryable:
        text = f"can't write results to {self._directory}: {error.strerror or error}"
        return StorageFull(text) if error.errno in _FULL else Retryable(text)

    async def commit(self) -> None:
        """Write out to the disk, then give the files their final names.

        Raises
        ------
        Retryable
            As for ``deliver``; files not renamed keep their partial names.
        """
        try:
            for file in self._files.values():
                os.fsync(file.fileno())
            for name in list(self._files):
                (self._directory / (name + PARTIAL)).replace(self._directory / name)
                self._files.pop(name).close()
            folder = os.open(self._directory, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise self._translated(error) from error

    async def close(self) -> None:
        """Close the files; without a commit they keep their partial names."""
        self._close()

    def _close(self) -> None:
        for file in self._files.values():
            with suppress(OSError):
                # Nothing is buffered, so nothing is lost where the disk has gone.
                file.close()


def _write(file: FileIO, text: bytes) -> None:
    left = memoryview(text)
    while left:
        # A disk that fills up takes a part before it says so.
        left = left[file.write(left) :]
