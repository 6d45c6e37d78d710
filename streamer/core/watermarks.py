"""Watermarks: how far event time has come, per shard and for all.

A shard's watermark is its greatest event time less the out-of-orderness, so it is a function of
that shard's prefix alone, whatever the batch bounds. Panes close at the least watermark of the
active shards. ``now`` does one thing here: it lets a shard that was polled empty at the tip for the
idle time stop holding the others back; when all are idle, time goes on from where it stood at the
pace of the wall clock and never past it (an advance straight to ``now`` would close years of empty
panes when history is replayed).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

# Before any record: no pane may close, and nothing is late.
BEGINNING: Final = -(2**62)
END: Final = 2**62


class ShardClock(msgspec.Struct):
    """One shard's event time.

    Attributes
    ----------
    greatest_at : int
        Greatest event time seen, milliseconds; ``BEGINNING`` before any.
    floor_at : int
        Watermark it was advanced to while idle.
    empty_since : int or None
        Wall clock of the first of the polls that found it empty at the tip, without a break.
    ended : bool
        It will give no more records.
    """

    greatest_at: int = BEGINNING
    floor_at: int = BEGINNING
    empty_since: int | None = None
    ended: bool = False


class Lateness(NamedTuple):
    """What a shard knew at each of its records.

    Attributes
    ----------
    watermark_at : ndarray, shape (n,), int64
        The shard's watermark just after each record: a record is late when its pane ends at or
        before it (its own time never makes it so).
    greatest_at : ndarray, shape (n,), int64
        Greatest event time up to and including each record; ``BEGINNING`` before any.
    """

    watermark_at: NDArray[np.int64]
    greatest_at: NDArray[np.int64]


class Watermarks:
    """Event time of all shards.

    Parameters
    ----------
    out_of_orderness_seconds : int
        How far behind a shard's greatest event time an on-time record may be.
    idle_seconds : int
        A shard empty at the tip this long stops holding the others back.
    """

    def __init__(self, out_of_orderness_seconds: int, idle_seconds: int) -> None:
        self._slack = out_of_orderness_seconds * 1000
        self._idle = idle_seconds * 1000
        self.shards: dict[str, ShardClock] = {}
        self.at = BEGINNING
        self._ticked_at: int | None = None

    def begin(self, shard: str, parents: Sequence[str] = ()) -> None:
        """Note that a shard will be read: until its first record it holds every pane open.

        Parameters
        ----------
        shard : str
            Its name.
        parents : sequence of str
            Shards it continues, all ended: it goes on from the least of their watermarks, since the
            records of a slow parent's producers now arrive in it.
        """
        if shard not in self.shards:
            known = [self._of(self.shards[parent]) for parent in parents if parent in self.shards]
            self.shards[shard] = ShardClock(floor_at=min(known, default=BEGINNING))

    def observe(self, shard: str, event_at: NDArray[np.int64]) -> Lateness:
        """Take note of a batch's event times.

        Parameters
        ----------
        shard : str
            Where they come from.
        event_at : ndarray, shape (n,), int64
            In the shard's order; 0 for records without a readable time.
        """
        clock = self.shards.setdefault(shard, ShardClock())
        clock.empty_since = None
        clock.ended = False
        known = np.where(event_at > 0, event_at, BEGINNING)
        greatest = np.maximum(np.maximum.accumulate(known), clock.greatest_at)
        if len(greatest):
            clock.greatest_at = int(greatest[-1])
        return Lateness(np.maximum(greatest - self._slack, clock.floor_at), greatest)

    def empty(self, shard: str, now: int) -> None:
        """Note that a shard was polled at its tip and had nothing."""
        clock = self.shards.setdefault(shard, ShardClock())
        if clock.empty_since is None:
            clock.empty_since = now

    def end(self, shard: str) -> None:
        """Note that a shard will give no more records."""
        self.shards.setdefault(shard, ShardClock()).ended = True

    def advance(self, now: int) -> int:
        """Move the watermark of all as far as the shards allow; it never goes back.

        Parameters
        ----------
        now : int
            Wall clock, milliseconds since the epoch.

        Returns
        -------
        int
            Milliseconds since the epoch; ``BEGINNING`` before any record.
        """
        open_shards = [c for c in self.shards.values() if not c.ended]
        active = [c for c in open_shards if c.empty_since is None or now - c.empty_since < self._idle]
        if active:
            self.at = max(self.at, min(self._of(c) for c in active))
        elif open_shards:
            furthest = max(self._of(c) for c in open_shards)
            passed = max(now - self._ticked_at, 0) if self._ticked_at is not None else 0
            going_on = self.at + passed if self.at != BEGINNING else BEGINNING
            self.at = max(self.at, min(max(furthest, going_on), now - self._slack))
        elif self.shards:
            self.at = max(self.at, max(self._of(c) for c in self.shards.values()))
        for clock in open_shards:
            if not any(clock is c for c in active) and self.at != BEGINNING:
                clock.floor_at = max(clock.floor_at, self.at)
        self._ticked_at = now
        return self.at

    def _of(self, clock: ShardClock) -> int:
        greatest = clock.greatest_at - self._slack if clock.greatest_at != BEGINNING else BEGINNING
        return max(greatest, clock.floor_at)

    def to_state(self) -> "WatermarkState":
        """Everything needed to go on as if never stopped."""
        return WatermarkState(
            shards={name: msgspec.structs.replace(clock) for name, clock in sorted(self.shards.items())},
            at=self.at,
            ticked_at=self._ticked_at,
        )

    def restore(self, state: "WatermarkState") -> None:
        """Go on from a state."""
        self.shards = {name: msgspec.structs.replace(clock) for name, clock in state.shards.items()}
        self.at = state.at
        self._ticked_at = state.ticked_at


class WatermarkState(msgspec.Struct, frozen=True, kw_only=True):
    """Watermarks as they stand in a snapshot."""

    shards: dict[str, ShardClock]
    at: int
    ticked_at: int | None
