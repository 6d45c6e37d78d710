"""Shard: a range of hash keys and the records that fell into it, in order."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

import msgspec

from streamer.testing.kinesis.limits import CallMeter, ReadMeter, WriteMeter

HASH_KEYS: Final = 2**128
_DIGITS: Final = 56


class Record(msgspec.Struct, frozen=True, gc=False, rename="pascal"):
    """One record as a reader gets it; encodes to the service's JSON, data in base64."""

    sequence_number: str
    approximate_arrival_timestamp: float
    """Seconds since the epoch, to the millisecond."""
    data: bytes
    partition_key: str

    @property
    def weight(self) -> int:
        """Bytes that limits count: data and key."""
        return len(self.data) + len(self.partition_key.encode())


def sequence_number(stream_at: int, count: int, shard: int) -> str:
    """A sequence number: 56 digits that order as text and as numbers, within a stream and all its shards.

    Parameters
    ----------
    stream_at : int
        When the stream was made, milliseconds; tells streams apart.
    count : int
        Numbers given before in this stream.
    shard : int
        The shard's number; it can be told from the result, as on AWS.
    """
    return f"49{stream_at:015d}{count:019d}{shard:012d}00000000"


def origin_of(number: str) -> tuple[int, int, int] | None:
    """Stream time, count and shard of a sequence number; ``None`` when it is none of ours."""
    if len(number) != _DIGITS or not number.isascii() or not number.isdigit() or not number.startswith("49"):
        return None
    return int(number[2:17]), int(number[17:36]), int(number[36:48])


class Shard:
    """One shard, open or closed.

    Places in it are counted from its first record ever, so that they stay true when old records are
    trimmed.

    Parameters
    ----------
    number : int
        Its number in the stream.
    first_key, last_key : int
        The hash keys it takes, both ends included.
    parents : sequence of Shard
        None, the shard that was split, or the two that were merged.
    starting : str
        Its first sequence number; no record has it.
    created_at : int
        Milliseconds since the epoch.
    """

    __slots__ = (
        "children",
        "closed_at",
        "created_at",
        "ending",
        "first_key",
        "id",
        "iterators",
        "last_key",
        "last_trimmed",
        "number",
        "parents",
        "reads",
        "records",
        "starting",
        "trimmed",
        "writes",
    )

    def __init__(
        self, number: int, first_key: int, last_key: int, parents: Sequence["Shard"], starting: str, created_at: int
    ) -> None:
        self.number = number
        self.id = f"shardId-{number:012d}"
        self.first_key = first_key
        self.last_key = last_key
        self.parents = tuple(parents)
        self.children: list[Shard] = []
        self.starting = starting
        self.ending: str | None = None
        self.created_at = created_at
        self.closed_at: int | None = None
        self.records: list[Record] = []
        self.trimmed = 0
        self.last_trimmed = ""
        self.reads = ReadMeter()
        self.writes = WriteMeter()
        self.iterators = CallMeter()

    @property
    def end(self) -> int:
        """The place after the last record."""
        return self.trimmed + len(self.records)

    def close(self, ending: str, at: int) -> None:
        """Take no more records."""
        self.ending = ending
        self.closed_at = at

    def trim(self, horizon: int) -> None:
        """Drop records that arrived before this time, in milliseconds."""
        if self.records and self.records[0].approximate_arrival_timestamp < horizon / 1000:
            old = self.place_at(horizon / 1000) - self.trimmed
            self.last_trimmed = self.records[old - 1].sequence_number
            del self.records[:old]
            self.trimmed += old

    def place_at(self, seconds: float) -> int:
        """The place of the first record that arrived at this time or later."""
        return self.trimmed + bisect_left(self.records, seconds, key=lambda r: r.approximate_arrival_timestamp)

    def place_of(self, number: str, *, after: bool) -> int:
        """The place of the first record whose sequence number is at least this, or beyond it."""
        bisect = bisect_right if after else bisect_left
        return self.trimmed + bisect(self.records, number, key=lambda r: r.sequence_number)

    def read(self, place: int, most_records: int, most_bytes: int) -> list[Record]:
        """Records from a place on; at least one if there is one, then as many as fit."""
        begin = max(0, place - self.trimmed)
        found = self.records[begin : begin + most_records]
        size = 0
        for i, record in enumerate(found):
            size += record.weight
            if size > most_bytes and i:
                return found[:i]
        return found
