"""Shard graph: which shard follows which, and which may be read now; pure.

A shard is read when all its parents have ended, so that the records of a partition key keep their
order through splits and merges. A parent that neither we nor the stream know of has ended long ago.

The end of a shard is announced only in the step in which all that continue it are, so that nobody
takes the keys between for quiet. When a merge waits for its other parent, the ended one holds.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from streamer.adapters.kinesis.positions import HASH_KEYS, Phase, ShardState
from streamer.core.types import ShardId

# A listing may show the stream as it was some time ago: what has ended is not forgotten before that is over.
_KEPT_MILLISECONDS = 3_600_000


class FoundShard(msgspec.Struct, frozen=True, kw_only=True):
    """A shard as the service tells of it.

    Attributes
    ----------
    id : ShardId
        Its name.
    parents : tuple of ShardId
        None, one, or two after a merge.
    first_key, last_key : int
        Hash keys, both ends included.
    is_closed : bool
        Whether it takes no more records.
    """

    id: ShardId
    parents: tuple[ShardId, ...]
    first_key: int
    last_key: int
    is_closed: bool = False


class ShardGraph:
    """Every shard known, and what may be done about it.

    Parameters
    ----------
    shards : iterable of ShardState
        As they stood in a snapshot.

    Attributes
    ----------
    shards : dict of ShardId to ShardState
        By name; changed here and, as to positions, by who reads.
    """

    def __init__(self, shards: Iterable[ShardState] = ()) -> None:
        self.shards = {shard.id: shard for shard in shards}
        self._last_listed: Collection[ShardId] = ()

    def learn(self, found: Iterable[FoundShard]) -> None:
        """Take note of shards told of by the end of one before them."""
        for shard in found:
            if shard.id not in self.shards:
                self._add(shard)

    def learn_listing(self, listing: Sequence[FoundShard], now: int) -> None:
        """Take note of a whole listing; forget ended shards that the service has forgotten.

        Parameters
        ----------
        listing : sequence of FoundShard
            All there are, from the start on.
        now : int
            Wall clock, milliseconds since the epoch.
        """
        listed = {shard.id for shard in listing}
        self.learn(listing)
        for name in listed:
            self.shards[name].is_listed = True
        self._last_listed = listed
        for shard in list(self.shards.values()):
            old = shard.ended_at is not None and now - shard.ended_at > _KEPT_MILLISECONDS
            if old and shard.is_released and shard.id not in listed:
                del self.shards[shard.id]

    def _add(self, found: FoundShard) -> None:
        self.shards[found.id] = ShardState(
            id=found.id, parents=found.parents, first_key=str(found.first_key), last_key=str(found.last_key)
        )

    def begin_ready(self) -> list[ShardState]:
        """Shards that may be read from now on, by name."""
        ready = [s for _, s in sorted(self.shards.items()) if s.phase is Phase.WAITING and self._is_free(s)]
        for shard in ready:
            shard.phase = Phase.READING
            shard.is_child = bool(self.continued_by(shard))
        return ready

    def _is_free(self, shard: ShardState) -> bool:
        known = [self.shards[parent] for parent in shard.parents if parent in self.shards]
        if any(parent.phase is not Phase.ENDED for parent in known):
            return False
        if len(known) == len(shard.parents):
            return True
        if not shard.is_listed:
            return False
        # The generations between are older than the retention: so are their ancestors, which we may
        # know from an old state and still take for readable.
        return bool(known) or not any(
            other.phase is not Phase.ENDED and other.id not in self._last_listed and _overlap(other, shard)
            for other in self.shards.values()
            if other is not shard
        )

    def continued_by(self, shard: ShardState) -> tuple[ShardId, ...]:
        """Shards whose hash keys a shard goes on with: its parents, or ancestors when those are lost."""
        known = tuple(parent for parent in shard.parents if parent in self.shards)
        if known or not shard.parents:
            return known
        return tuple(name for name, other in sorted(self.shards.items()) if other.is_gone and _overlap(other, shard))

    def end(self, shard: ShardId, children: Iterable[FoundShard], now: int) -> None:
        """Note that a shard was read to its end."""
        self.learn(children)
        ended = self.shards[shard]
        ended.phase = Phase.ENDED
        ended.ended_at = now

    def lose(self, shard: ShardId, now: int) -> None:
        """Note that a shard is older than the retention, read or not."""
        self.shards[shard].is_gone = True
        self.end(shard, (), now)

    def release_ended(self) -> list[ShardState]:
        """Ended shards whose end may be announced, by name: all that continue them have begun."""
        begun: dict[ShardId, list[bool]] = {}
        for shard in self.shards.values():
            for parent in self.continued_by(shard):
                begun.setdefault(parent, []).append(shard.phase is not Phase.WAITING)
        released = []
        for name, shard in sorted(self.shards.items()):
            if shard.phase is Phase.ENDED and not shard.is_released:
                following = begun.get(name, [])
                if all(following) and (following or shard.is_gone):
                    shard.is_released = True
                    released.append(shard)
        return released

    def childless(self) -> list[ShardId]:
        """Shards that have ended and whose children nobody has told of."""
        continued = {parent for shard in self.shards.values() for parent in shard.parents}
        return sorted(
            name
            for name, shard in self.shards.items()
            if shard.phase is Phase.ENDED and not shard.is_released and name not in continued
        )

    def reading(self) -> list[ShardState]:
        """Shards that are being read, by name."""
        return [shard for _, shard in sorted(self.shards.items()) if shard.phase is Phase.READING]

    def covers_all_keys(self) -> bool:
        """Whether every hash key is in a shard that is read or will be."""
        live = [s for s in self.shards.values() if s.phase is not Phase.ENDED]
        reached = 0
        for first, last in sorted((int(shard.first_key), int(shard.last_key)) for shard in live):
            if first > reached:
                return False
            reached = max(reached, last + 1)
        return reached == HASH_KEYS


def _overlap(one: ShardState, other: ShardState) -> bool:
    return int(one.first_key) <= int(other.last_key) and int(other.first_key) <= int(one.last_key)
