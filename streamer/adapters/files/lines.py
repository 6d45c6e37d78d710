"""Records of one file: its lines, a chunk at a time, with the event time they are merged by."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from streamer.adapters.files.raw import ERRORS, Raw, Unpacked
from streamer.core.eventtime import parse_time

UNKNOWN_AT: Final = -1
# So many records after one are asked whether its time can be true.
_LOOK_AHEAD: Final = 3
# Milliseconds ahead of the others that make a time wrong. The engine refuses times this far in the future; what
# it takes has moved the shard's watermark, so that no order of reading helps.
_WRONG: Final = 300_000
_TIME_FIELD: Final = b'"inferenceTime"'
_TIME_TEXT: Final = re.compile(_TIME_FIELD + rb'\s*:\s*"([^"\\]{1,40})"')
_HEAD_CHUNK, _HEAD_BYTES = 16_384, 2_097_152


class Lines:
    """Lines of one file that are records.

    Parameters
    ----------
    path : str
        The file's path, as positions show it.
    order : int
        Its place among all files, for a tie.
    raw : Raw
        Its bytes.
    record_bytes : int
        Longest record accepted; of a longer line the first ``record_bytes + 1`` bytes are kept.
    on_bytes : callable
        Told how many bytes more were read, as they lie on disk.

    Attributes
    ----------
    blanks : int
        Lines of nothing but white space so far.
    has_records : bool
        Whether there was a record so far.
    problem : str
        Why it could not be read to its end; empty if it could.
    """

    def __init__(self, path: str, order: int, raw: Raw, record_bytes: int, on_bytes: Callable[[int], None]) -> None:
        self.path = path
        self.order = order
        self.blanks = 0
        self.has_records = False
        self.problem = ""
        self._unpacked = Unpacked(raw, on_bytes)
        self._limit = record_bytes
        self._carry = b""
        self._line = 0
        self._ended = False
        # Records at hand from ``_next`` on, with their line numbers; times are known of the first of them.
        self._records: list[bytes] = []
        self._numbers: list[int] = []
        self._times: list[int] = []
        self._next = 0
        self._last_at = UNKNOWN_AT

    def fill(self, chunk_bytes: int) -> bool:
        """Read on unless enough records are at hand; whether there is one."""
        while not self._ended and len(self._records) - self._next <= _LOOK_AHEAD:
            for kept in (self._records, self._numbers, self._times):
                del kept[: self._next]
            self._next = 0
            self._read(chunk_bytes)
        return self._next < len(self._records)

    def _read(self, chunk_bytes: int) -> None:
        try:
            data = self._unpacked.read(chunk_bytes)
        except ERRORS as error:
            self.problem = f"not read to its end: {getattr(error, 'strerror', None) or error}"
            data = b""
        lines = data.split(b"\n")
        # A line that is too long already grows no further.
        lines[0] = self._carry + lines[0] if len(self._carry) <= self._limit else self._carry
        if data:
            self._carry = lines.pop()[: self._limit + 1]
        else:
            self._ended = True
            lines = lines if lines[0] else []
        if self._line == 0 and lines:
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        for line in lines:
            self._line += 1
            record = line[:-1] if line.endswith(b"\r") else line
            if record and not record.isspace():
                self._records.append(record if len(record) <= self._limit else record[: self._limit + 1])
                self._numbers.append(self._line)
                self.has_records = True
            else:
                self.blanks += 1

    def key(self) -> int:
        """Event time by which the next record is merged, milliseconds since the epoch."""
        return self._key(self._next) if self._next < len(self._records) else self._last_at

    def _key(self, index: int) -> int:
        until = min(index + 1 + _LOOK_AHEAD, len(self._records))
        while len(self._times) < until:
            self._note_time(time_in(self._records[len(self._times)]), len(self._times) + 1)
        at, following = self._times[index], sorted(self._times[index + 1 : until])
        # Against the middle one, as the others may be wrong; a wrong time passes with what follows. Merged by
        # their own times, records are no more out of order than they are within their files.
        is_wrong = following and at - following[len(following) // 2] > _WRONG
        return following[0] if is_wrong else at

    def _note_time(self, at: int | None, end: int) -> None:
        """Time of the records up to one; where it is unknown that of the record before."""
        if at is None:
            at = self._times[-1] if self._times else self._last_at
        self._times += [at] * (end - len(self._times))
        self._last_at = self._times[-1]

    def take(self, limit_at: int | None, room: int) -> tuple[list[int], list[bytes]]:
        """Take the next records that come before a time.

        Parameters
        ----------
        limit_at : int or None
            Milliseconds since the epoch; ``None``: nothing else is to come in between.
        room : int
            At most so many.

        Returns
        -------
        numbers, records
            At least one after ``fill`` found one.
        """
        first = self._next
        end = min(first + room, len(self._records) - (0 if self._ended else _LOOK_AHEAD))
        # A look at the last usually tells of all; else each is looked at.
        last_at = time_in(self._records[end - 1])
        if limit_at is None or (last_at is not None and last_at <= limit_at):
            self._note_time(last_at, end)
        else:
            end = next((i for i in range(first + 1, end) if self._key(i) > limit_at), end)
        self._next = end
        return self._numbers[first:end], self._records[first:end]


def first_at(raw: Raw) -> int:
    """Least event time near a file's beginning; ``UNKNOWN_AT`` where there is none in the first 2 MB."""
    unpacked, head, looked = Unpacked(raw), b"", 0
    try:
        while looked < _HEAD_BYTES and (data := unpacked.read(_HEAD_CHUNK)):
            # What may hold the beginning of a time cut in two.
            head = head[-64:] + data
            looked += len(data)
            times = [at for text in _TIME_TEXT.findall(head) if (at := _parsed(text)) is not None]
            if times:
                return min(times)
    except ERRORS:
        # It is said when the file is read.
        return UNKNOWN_AT
    return UNKNOWN_AT


def time_in(record: bytes) -> int | None:
    """Event time a record seems to have, without reading all of it; ``None`` where none is found."""
    field = record.rfind(_TIME_FIELD)
    if field < 0:
        return None
    start = record.find(b'"', field + len(_TIME_FIELD)) + 1
    end = record.find(b'"', start)
    return _parsed(record[start:end]) if 0 < start < end <= start + 40 else None


@lru_cache(4_096)
def _parsed(text: bytes) -> int | None:
    try:
        return parse_time(text.decode("ascii"))
    except (ValueError, OverflowError):
        return None
