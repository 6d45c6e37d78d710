"""Decisions in a file of the state directory: the command line appends, the service reads on from its place."""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from streamer.core.baseline.model import Baseline
from streamer.core.decisions import AddVersion, Decision, decode_decision, encode_decision
from streamer.core.errors import BaselineError, InvalidRecord, Reason, SinkError, StateError
from streamer.core.identity import hash_of
from streamer.core.letters import letter_of
from streamer.core.types import DeadLetter
from streamer.ports import DecisionIntake
from streamer.retry import stop_or_timeout

FILE: Final = "decisions.jsonl"
# Place of dead letters that come from here.
SHARD: Final = "decisions"
# Decisions are rare: so much is read at a time.
_READ_BYTES: Final = 1_048_576
_POLL_SECONDS: Final = 1.0


class Entry(NamedTuple):
    """One line of the file.

    Attributes
    ----------
    position, end : int
        Its first byte, and the one after its newline.
    decision : Decision or None
        What it says.
    letter : DeadLetter or None
        Why it says nothing.
    """

    position: int
    end: int
    decision: Decision | None
    letter: DeadLetter | None


class _Place(msgspec.Struct):
    kind: str = "decisions/1"
    position: int = 0
    taken: int = 0
    refused: int = 0


class DecisionsFile:
    """Reads decisions in the order they were made, each once.

    A last line without its newline waits for the rest. The file may be missing: nobody decided
    anything yet.

    Parameters
    ----------
    path : Path
        The file.
    load : callable
        Reads the baseline at a path, in a thread; raises ``BaselineError``.
    wait : callable
        Waits for an event or so many seconds, and says whether it is the event.

    Attributes
    ----------
    position : int
        Byte of the next line to read.
    taken, refused : int
        Lines that were decisions, and those that were none, since the first start.
    """

    def __init__(
        self,
        path: Path,
        load: Callable[[Path], Baseline],
        wait: Callable[[asyncio.Event, float], Awaitable[bool]] = stop_or_timeout,
    ) -> None:
        self._path = path
        self._load = load
        self._wait = wait
        self._place = _Place()
        self._trouble = ""

    @property
    def position(self) -> int:
        """Byte of the next line to read."""
        return self._place.position

    @property
    def taken(self) -> int:
        """Lines that were decisions, since the first start."""
        return self._place.taken

    @property
    def refused(self) -> int:
        """Lines that were none."""
        return self._place.refused

    def state(self) -> bytes:
        """The place, as a snapshot keeps it; taken in one step with the engine's state."""
        return msgspec.json.encode(self._place)

    def restore(self, state: bytes) -> None:
        """Read on from a place.

        Raises
        ------
        StateError
            It is not one of this file's.
        """
        try:
            place = msgspec.json.decode(state, type=_Place)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StateError("the place in the decisions can't be read") from error
        if place.kind != _Place().kind or place.position < 0:
            raise StateError(f"the place in the decisions is of kind {place.kind!r}, expected {_Place().kind!r}")
        self._place = place

    def troubles(self) -> Sequence[str]:
        """Why decisions can't be read now, in words; empty when they can."""
        return [self._trouble] if self._trouble else []

    async def run(self, intake: DecisionIntake, stop: asyncio.Event) -> None:
        """Hand over decisions as they are made, until the stop."""
        while True:
            for entry in await self.read():
                if stop.is_set():
                    return
                await self.hand_over(entry, intake)
            if await self._wait(stop, _POLL_SECONDS):
                return

    async def read(self) -> list[Entry]:
        """The next lines, up to about 1 MiB of them; none when there is trouble. The place stays where it is."""
        try:
            entries = await asyncio.to_thread(_entries, self._path, self._place.position)
        except OSError as error:
            self._trouble = f"decisions: can't read {self._path}: {error.strerror or error}"
            return []
        self._trouble = ""
        if entries is None:
            self._trouble = f"decisions: {self._path} is shorter than what was read of it"
        return entries or []

    async def hand_over(self, entry: Entry, intake: DecisionIntake) -> None:
        """Let a line take effect and move the place past it, in one step."""
        baseline = None
        if isinstance(entry.decision, AddVersion) and entry.decision.baseline:
            baseline = await asyncio.to_thread(self._baseline, Path(entry.decision.baseline))
        # No await from here on: no snapshot falls between an effect and its place.
        if entry.decision is not None:
            intake.decide_on(entry.decision, baseline)
            self._place.taken += 1
        elif entry.letter is not None:
            intake.reject(entry.letter)
            self._place.refused += 1
        self._place.position = entry.end

    def _baseline(self, path: Path) -> Baseline | None:
        try:
            return self._load(path)
        except BaselineError:
            # The decision's own document says so.
            return None


def append_decision(path: Path, decision: Decision) -> None:
    """Write a decision down, durably; any number of processes may do so at once.

    Raises
    ------
    SinkError
        There is no such directory, or it can't be written to.
    """
    line = encode_decision(decision) + b"\n"
    try:
        opened = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX)
            size = os.fstat(opened).st_size
            if size and os.pread(opened, 1, size - 1) != b"\n":
                # Somebody was killed while writing: what is there of that line must not spoil this one.
                line = b"\n" + line
            while line:
                line = line[os.write(opened, line) :]
            os.fsync(opened)
        finally:
            os.close(opened)
        if not size:
            _sync_directory(path.parent)
    except FileNotFoundError as error:
        raise SinkError(f"there is no state directory {path.parent}: the service makes it when it starts") from error
    except OSError as error:
        raise SinkError(f"can't write {path}: {error.strerror or error}") from error


def _sync_directory(directory: Path) -> None:
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _entries(path: Path, position: int) -> list[Entry] | None:
    """Whole lines from a place on; ``None`` when the file ends before it."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None if position else []
    with file:
        if file.seek(0, os.SEEK_END) < position:
            return None
        file.seek(position)
        data = file.read(_READ_BYTES)
        entries = []
        at = 0
        while (newline := data.find(b"\n", at)) >= 0:
            entries.append(_entry(position + at, data[at:newline]))
            at = newline + 1
        if not entries and len(data) == _READ_BYTES:
            return _endless(file, position, data)
        return entries


def _entry(position: int, line: bytes) -> Entry:
    end = position + len(line) + 1
    if not line.strip():
        return Entry(position, end, None, None)
    try:
        return Entry(position, end, decode_decision(line), None)
    except InvalidRecord as error:
        return Entry(position, end, None, letter_of(SHARD, str(position), line, error.reason))


def _endless(file: BinaryIO, position: int, data: bytes) -> list[Entry]:
    """A line far beyond what a decision can be, passed over without holding all of it."""
    digest, size = hashlib.sha256(), 0
    while data:
        piece, newline, _ = data.partition(b"\n")
        digest.update(piece)
        size += len(piece)
        if newline:
            reason = Reason.RECORD_TOO_LARGE
            letter = DeadLetter(
                id=hash_of(SHARD, str(position), reason, ""),
                shard=SHARD,
                position=str(position),
                reason=reason,
                sha256=digest.hexdigest(),
                size_bytes=size,
            )
            return [Entry(position, position + size + 1, None, letter)]
        data = file.read(_READ_BYTES)
    return []
