"""The files of one shard, merged by the event times of their records."""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final, NamedTuple

from streamer.adapters.files.lines import UNKNOWN_AT, Lines, first_at
from streamer.adapters.files.raw import Raw

_LEAST_CHUNK, _GREATEST_CHUNK = 16_384, 262_144
# Of all files that are under way at one time.
_CHUNKS_BYTES: Final = 33_554_432


class Found(NamedTuple):
    """A file of a shard that is not begun yet.

    Attributes
    ----------
    order : int
        Its place among all files, for a tie.
    path : str
        As positions show it.
    open : callable
        Makes a way to its bytes, from the beginning.
    can_look_ahead : bool
        Whether more than one way to its bytes is possible, so that its first time can be known before.
    """

    order: int
    path: str
    open: Callable[[], Raw]
    can_look_ahead: bool


class Merge:
    """Gives the file whose next record comes first.

    Parameters
    ----------
    begin : callable
        Makes the lines of a file.
    on_end : callable
        Told of each file that has ended.

    Attributes
    ----------
    found : list of Found
        The shard's files, to be filled before the first is asked for.
    """

    def __init__(self, begin: Callable[[Found], Lines], on_end: Callable[[Lines], None]) -> None:
        self.found: list[Found] = []
        self._begin = begin
        self._on_end = on_end
        self._waiting: deque[tuple[int, int, Found]] | None = None
        self._under_way: list[tuple[int, int, Lines]] = []

    def foremost(self) -> Lines | None:
        """Take out the file whose next record comes first; ``None`` when all have ended."""
        while (lines := self._next()) is not None:
            if lines.fill(self._chunk_bytes()):
                if not self._is_overtaken(lines):
                    return lines
                self.put_back(lines)
            else:
                self._on_end(lines)
        return None

    def _next(self) -> Lines | None:
        if self._waiting is None:
            looked = [(first_at(f.open()) if f.can_look_ahead else UNKNOWN_AT, f.order, f) for f in self.found]
            self._waiting = deque(sorted(looked))
            self.found = []
        if self._waiting and (not self._under_way or self._waiting[0][0] < self._under_way[0][0]):
            return self._begin(self._waiting.popleft()[2])
        return heappop(self._under_way)[2] if self._under_way else None

    def _is_overtaken(self, lines: Lines) -> bool:
        """Whether another comes first, now that more is known of this one."""
        limit_at = self.limit_at()
        return limit_at is not None and lines.key() > limit_at

    def _chunk_bytes(self) -> int:
        return min(max(_CHUNKS_BYTES // (len(self._under_way) + 1), _LEAST_CHUNK), _GREATEST_CHUNK)

    def limit_at(self) -> int | None:
        """Event time up to which no other file comes first; ``None`` when there is no other."""
        return min((several[0][0] for several in (self._under_way, self._waiting) if several), default=None)

    def put_back(self, lines: Lines) -> None:
        """Take a file in again, by its next record."""
        heappush(self._under_way, (lines.key(), lines.order, lines))
