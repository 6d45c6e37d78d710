"""Stream: shards that always cover every hash key, split and merged while records come in."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from hashlib import md5
from itertools import pairwise
from typing import Final

from streamer.testing.kinesis.limits import MIB, CallMeter
from streamer.testing.kinesis.rejection import beyond_limit, in_use, invalid, not_found
from streamer.testing.kinesis.shard import HASH_KEYS, Record, Shard, sequence_number

_HOUR: Final = 3_600_000
_DAY_SECONDS: Final = 86_400.0
LEAST_RETENTION_HOURS: Final = 24
MOST_RETENTION_HOURS: Final = 8760


class Status(StrEnum):
    """What a stream is going through."""

    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    UPDATING = "UPDATING"
    DELETING = "DELETING"


class Stream:
    """One stream: its shards, open and closed, and the change it is in.

    It is given the time; ``settle`` must be called with the present before anything else is asked.

    Parameters
    ----------
    name, arn : str
        What it is called by.
    shards : int
        Open shards to begin with, of equal width.
    created_at, active_at : int
        When it was asked for and when it is ready, milliseconds since the epoch.
    """

    def __init__(self, name: str, arn: str, shards: int, *, created_at: int, active_at: int) -> None:
        self.name = name
        self.arn = arn
        self.created_at = created_at
        self.retention_hours = LEAST_RETENTION_HOURS
        self.most_record_bytes = MIB
        self.tags: dict[str, str] = {}
        self.status = Status.CREATING
        self.shards: list[Shard] = []
        self.lists = CallMeter()
        self.scalings = CallMeter(_DAY_SECONDS)
        self._numbers = 0
        self._open: list[Shard] = []
        self._open_keys: list[int] = []
        self._changes_at = active_at
        self._change: Callable[[int], object] | None = None
        bounds = [HASH_KEYS * i // shards for i in range(shards + 1)]
        for first, beyond in pairwise(bounds):
            self._add(first, beyond - 1, (), created_at)
        self._route()
        self.settle(created_at)

    @property
    def open_shards(self) -> Sequence[Shard]:
        """Those that take records, by their hash keys."""
        return self._open

    @property
    def is_gone(self) -> bool:
        """Whether its deletion is complete."""
        return self.status is Status.DELETING and self._change is None

    def settle(self, now: int) -> None:
        """Complete the change that is due by now."""
        if self.status is Status.ACTIVE or now < self._changes_at:
            return
        change, self._change = self._change, None
        if change is not None:
            change(self._changes_at)
            self._route()
        if self.status is not Status.DELETING:
            self.status = Status.ACTIVE

    def horizon(self, now: int) -> int:
        """Records that arrived before this time are trimmed."""
        return now - self.retention_hours * _HOUR

    def living(self, now: int) -> list[Shard]:
        """Shards that are open or were closed within the retention, by number."""
        horizon = self.horizon(now)
        return [shard for shard in self.shards if shard.closed_at is None or shard.closed_at >= horizon]

    def shard(self, shard_id: str, now: int) -> Shard:
        """A shard by its id, old records trimmed.

        Raises
        ------
        Rejection
            ``ResourceNotFoundException``: there is none, or it is older than the retention.
        """
        digits = shard_id.removeprefix("shardId-")
        number = int(digits) if digits.isascii() and digits.isdigit() else -1
        if 0 <= number < len(self.shards):
            shard = self.shards[number]
            horizon = self.horizon(now)
            if shard.closed_at is None or shard.closed_at >= horizon:
                shard.trim(horizon)
                return shard
        raise not_found(f"Shard {shard_id} in stream {self.name} does not exist")

    def shard_for(self, partition_key: str, explicit_hash_key: int | None = None) -> Shard:
        """The open shard a record goes to: by its explicit hash key, else by its partition key's MD5."""
        key = explicit_hash_key
        if key is None:
            key = int.from_bytes(md5(partition_key.encode(), usedforsecurity=False).digest(), "big")
        return self._open[bisect_right(self._open_keys, key) - 1]

    def put(self, shard: Shard, data: bytes, partition_key: str, now: int) -> Record:
        """Append a record to an open shard."""
        shard.trim(self.horizon(now))
        # Arrival does not go back when the clock does, so that times can be searched.
        arrived = now / 1000
        if shard.records:
            arrived = max(arrived, shard.records[-1].approximate_arrival_timestamp)
        record = Record(self._number(shard.number), arrived, data, partition_key)
        shard.records.append(record)
        return record

    def split(self, shard: Shard, key: int, now: int, takes_until: int) -> None:
        """Split a shard in two at a hash key.

        Raises
        ------
        Rejection
            ``InvalidArgumentException``: the key is not inside, or the shard is closed;
            ``ResourceInUseException``: another change is under way.
        """
        self.demand_active()
        if shard.closed_at is not None:
            raise invalid(f"Shard {shard.id} in stream {self.name} has already been merged or split")
        if not shard.first_key + 1 < key < shard.last_key:
            raise invalid(
                f"NewStartingHashKey {key} used in SplitShard() on shard {shard.id} in stream {self.name} is not both "
                f"greater than one plus the shard's StartingHashKey {shard.first_key} and less than the shard's "
                f"EndingHashKey {shard.last_key}."
            )
        self._begin(partial(self._split, shard, key), now, takes_until)

    def merge(self, shard: Shard, adjacent: Shard, now: int, takes_until: int) -> None:
        """Merge two shards whose hash keys touch.

        Raises
        ------
        Rejection
            ``InvalidArgumentException``: they do not touch, or one is closed;
            ``ResourceInUseException``: another change is under way.
        """
        self.demand_active()
        touch = shard.last_key + 1 == adjacent.first_key or adjacent.last_key + 1 == shard.first_key
        if not touch or shard.closed_at is not None or adjacent.closed_at is not None:
            raise invalid(
                f"Shards {shard.id} and {adjacent.id} in stream {self.name} are not an adjacent pair of shards "
                "eligible for merging"
            )
        self._begin(partial(self._merge, shard, adjacent), now, takes_until)

    def scale(self, target: int, now: int, takes_until: int) -> None:
        """Split and merge until there are so many open shards, of equal width.

        Shards that bound a new range are split there, and the pieces of each range merged: as on
        AWS, shards in between live for no time.

        Raises
        ------
        Rejection
            ``LimitExceededException``: more than double or less than half;
            ``ResourceInUseException``: another change is under way.
        """
        self.demand_scalable(target)
        self._begin(partial(self._scale, target), now, takes_until)

    def demand_scalable(self, target: int) -> None:
        """Refuse what ``scale`` refuses.

        Raises
        ------
        Rejection
            ``LimitExceededException`` or ``ResourceInUseException``, as there.
        """
        self.demand_active()
        current = len(self._open)
        if target > 2 * current or 2 * target < current:
            raise beyond_limit(
                f"UpdateShardCount cannot scale to more than double or less than half of the current open shard count. "
                f"Current open shard count: {current} Target shard count: {target}"
            )

    def delete(self, now: int, takes_until: int) -> None:
        """Begin to go away; nothing stops it."""
        self.status = Status.DELETING
        self._change, self._changes_at = _nothing, takes_until
        self.settle(now)

    def demand_active(self) -> None:
        """Refuse a change while another one is under way.

        Raises
        ------
        Rejection
            ``ResourceInUseException``.
        """
        if self.status is not Status.ACTIVE:
            raise in_use(f"Stream {self.name} not ACTIVE, instead in state {self.status}")

    def _begin(self, change: Callable[[int], object], now: int, takes_until: int) -> None:
        self.status = Status.UPDATING
        self._change, self._changes_at = change, takes_until
        self.settle(now)

    def _split(self, shard: Shard, key: int, at: int) -> tuple[Shard, Shard]:
        shard.close(self._number(shard.number), at)
        return (
            self._add(shard.first_key, key - 1, (shard,), at),
            self._add(key, shard.last_key, (shard,), at),
        )

    def _merge(self, shard: Shard, adjacent: Shard, at: int) -> Shard:
        for parent in (shard, adjacent):
            parent.close(self._number(parent.number), at)
        first, last = min(shard.first_key, adjacent.first_key), max(shard.last_key, adjacent.last_key)
        return self._add(first, last, (shard, adjacent), at)

    def _scale(self, target: int, at: int) -> None:
        bounds = [HASH_KEYS * i // target for i in range(1, target)]
        pieces: list[Shard] = []
        for shard in self._open:
            rest = shard
            for bound in bounds[bisect_right(bounds, shard.first_key) : bisect_right(bounds, shard.last_key)]:
                piece, rest = self._split(rest, bound, at)
                pieces.append(piece)
            pieces.append(rest)
        whole = pieces[0]
        for piece in pieces[1:]:
            same = bisect_right(bounds, whole.first_key) == bisect_right(bounds, piece.first_key)
            whole = self._merge(whole, piece, at) if same else piece

    def _add(self, first: int, last: int, parents: tuple[Shard, ...], at: int) -> Shard:
        number = len(self.shards)
        shard = Shard(number, first, last, parents, self._number(number), at)
        self.shards.append(shard)
        for parent in parents:
            parent.children.append(shard)
        return shard

    def _number(self, shard: int) -> str:
        self._numbers += 1
        return sequence_number(self.created_at, self._numbers, shard)

    def _route(self) -> None:
        self._open = sorted((s for s in self.shards if s.closed_at is None), key=lambda s: s.first_key)
        self._open_keys = [shard.first_key for shard in self._open]


def _nothing(at: int) -> None:
    """The change of a deletion: the account forgets the stream."""
