"""Limits: what the service allows in one call and in one second, and the meters that count it."""

from collections import deque
from typing import Final, Self

import msgspec

MIB: Final = 2**20
# Bounds of one call; they always hold.
READ_RECORDS: Final = 10_000
READ_BYTES: Final = 10 * MIB
PUT_RECORDS: Final = 500
PUT_BYTES: Final = 10 * MIB


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rates, lifetimes and sizes; as published by AWS unless said otherwise.

    ``None`` switches a rate off. Each value may be changed while the emulator runs.
    """

    reads_per_second: int | None = 5
    """Calls of GetRecords, per shard."""
    read_bytes_per_second: int | None = 2 * MIB
    """Bytes out, per shard. An answer of 10 MiB is allowed and blocks the shard for 5 s."""
    writes_per_second: int | None = 1000
    """Records in, per shard."""
    write_bytes_per_second: int | None = MIB
    """Bytes in, keys included, per shard."""
    iterators_per_second: int | None = 5
    """Calls of GetShardIterator, per shard."""
    lists_per_second: int | None = 1000
    """Calls of ListShards, per stream."""
    scalings_per_day: int | None = 10
    """Calls of UpdateShardCount, per stream and rolling day."""
    shards: int = 500
    """Open shards of all streams together."""
    iterator_seconds: float = 300.0
    """An iterator older than this has expired; so has a page token."""
    transition_seconds: float = 0.0
    """How long creating, deleting and resharding a stream take; AWS needs half a minute, the emulator no time."""
    refuse_trimmed: bool = True
    """Whether an iterator at a record older than the retention is refused, or given as TRIM_HORIZON.

    Both have been seen on AWS; a consumer must stand both.
    """

    @classmethod
    def unthrottled(cls) -> Self:
        """Every rate switched off: as fast as the machine is."""
        return cls(
            reads_per_second=None,
            read_bytes_per_second=None,
            writes_per_second=None,
            write_bytes_per_second=None,
            iterators_per_second=None,
            lists_per_second=None,
            scalings_per_day=None,
        )


class CallMeter:
    """Counts calls of the last second, or of another span.

    Parameters
    ----------
    span_seconds : float
        How long a call counts.
    """

    __slots__ = ("_calls", "_span")

    def __init__(self, span_seconds: float = 1.0) -> None:
        self._span = round(span_seconds * 1000)
        self._calls: deque[int] = deque()

    def admits(self, limit: int | None, now: int) -> bool:
        """Whether one more call is allowed; it is counted if so."""
        while self._calls and self._calls[0] <= now - self._span:
            self._calls.popleft()
        if limit is not None and len(self._calls) >= limit:
            return False
        self._calls.append(now)
        return True


class ReadMeter:
    """Counts calls and bytes read from one shard.

    The bytes of an answer count for a second, or for as long as they take at the rate allowed when
    they are more than that: this is how a full answer of 10 MiB costs five seconds.
    """

    __slots__ = ("_calls", "_weights")

    def __init__(self) -> None:
        self._calls = CallMeter()
        self._weights: deque[tuple[int, int]] = deque()

    def admits(self, limits: Limits, now: int) -> bool:
        """Whether another read is allowed; it is counted if so."""
        if limits.read_bytes_per_second is not None:
            self._weights = deque(held for held in self._weights if held[0] > now)
            if sum(held[1] for held in self._weights) >= limits.read_bytes_per_second:
                return False
        return self._calls.admits(limits.reads_per_second, now)

    def weigh(self, read_bytes: int, limits: Limits, now: int) -> None:
        """Count the bytes of an answer."""
        if limits.read_bytes_per_second is not None and read_bytes:
            lasting = max(1.0, read_bytes / limits.read_bytes_per_second)
            self._weights.append((now + round(lasting * 1000), read_bytes))


class WriteMeter:
    """Counts records and bytes written to one shard: a second's worth, filled up as time passes."""

    __slots__ = ("_at", "_bytes", "_records")

    def __init__(self) -> None:
        self._records = 0.0
        self._bytes = 0.0
        self._at: int | None = None

    def admits(self, record_bytes: int, limits: Limits, now: int) -> bool:
        """Whether one more record is allowed; it is counted if so."""
        if limits.writes_per_second is None and limits.write_bytes_per_second is None:
            return True
        passed = 0.0 if self._at is None else (now - self._at) / 1000
        self._at = now
        records, size = limits.writes_per_second, limits.write_bytes_per_second
        used_records = 0.0 if records is None else max(0.0, self._records - passed * records)
        used_bytes = 0.0 if size is None else max(0.0, self._bytes - passed * size)
        fits_records = records is None or used_records + 1 <= records
        # A record larger than a second's worth passes when nothing else did: large records are bursts.
        fits_bytes = size is None or used_bytes + record_bytes <= size or used_bytes == 0.0
        admitted = fits_records and fits_bytes
        self._records = used_records + admitted
        self._bytes = used_bytes + (record_bytes if admitted else 0)
        return admitted
