"""Pace: how far the producer may go, so that a person can watch months go by."""

from typing import Final

from streamer.ports import Clock

# A stream of four shards takes 4,000 records a second. What a shard refuses is put again behind later ones,
# and would be late; so whoever has fallen behind does not catch up at once.
_RECORDS_PER_SECOND: Final = 2_800.0


class Pace:
    """So many seconds of event time for each second of the clock, from the first time asked about.

    Parameters
    ----------
    speed : float
        Event time over wall time; 0: no waiting.
    clock : Clock
        How much time has passed.
    records_per_second : float
        Where it waits, no more than these.
    """

    def __init__(self, speed: float, clock: Clock, records_per_second: float = _RECORDS_PER_SECOND) -> None:
        self._speed = speed
        self._clock = clock
        self._rate = records_per_second
        self._began: tuple[float, int] | None = None
        self._free_at = clock.monotonic()

    def ahead_seconds(self, event_at: int) -> float:
        """How long what happened at an event time, in milliseconds since the epoch, has to wait; 0 when it is due."""
        now = self._clock.monotonic()
        if self._began is None:
            self._began = (now, event_at)
        if not self._speed:
            return 0.0
        due = self._began[0] + (event_at - self._began[1]) / 1000 / self._speed
        return max(due, self._free_at) - now if max(due, self._free_at) > now else 0.0

    def note_put(self, records: int) -> None:
        """Note that so many records were put."""
        self._free_at = max(self._free_at, self._clock.monotonic()) + records / self._rate
