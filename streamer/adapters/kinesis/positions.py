"""Positions: what a snapshot keeps of a stream, so that reading goes on where the engine's state stands."""

from enum import StrEnum
from typing import Annotated, Final, NamedTuple

import msgspec

from streamer.core.errors import StateError
from streamer.core.types import ShardId

_VERSION: Final = 1
# One past the greatest hash key.
HASH_KEYS: Final = 2**128
# JSON has no integers this long that every reader takes.
_HashKey = Annotated[str, msgspec.Meta(pattern=r"^\d{1,39}$")]


class Position(NamedTuple):
    """How far a shard was read.

    Attributes
    ----------
    sequence : str
        Sequence number of the last record read from; compares as a number.
    taken : int
        How many captures of that record were taken, when it holds more; 0 when it is done.
    """

    sequence: str
    taken: int = 0


class Phase(StrEnum):
    """What becomes of a shard: it only goes forward."""

    WAITING = "waiting"
    READING = "reading"
    ENDED = "ended"


class Start(msgspec.Struct, frozen=True):
    """Where shards without a parent of ours begin.

    Attributes
    ----------
    at : int or None
        Arrival time, milliseconds since the epoch, a whole second (the SDK sends no finer ones);
        ``None`` is the oldest record the stream keeps.
    """

    at: int | None


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Records that arrived in this time may have gone unread: the stream kept them no longer.

    Attributes
    ----------
    shard : ShardId
        Where.
    from_at, to_at : int
        Until when reading was complete, and arrival of the first record after it (or when the shard
        was seen to have none), milliseconds since the epoch.
    """

    shard: ShardId
    from_at: int
    to_at: int


class ShardState(msgspec.Struct, kw_only=True):
    """One shard: its place among the others, and how far it was read.

    Attributes
    ----------
    id : ShardId
        Its name.
    parents : tuple of ShardId
        The shard it was split from, or the two it was merged from.
    first_key, last_key : str
        Hash keys it takes, both ends included, decimal.
    phase : Phase
        Whether it is read.
    is_listed : bool
        Whether ``ListShards`` told of it: then parents that are not known no longer exist.
    is_child : bool
        Whether it continues shards that were read: then all its records are wanted.
    is_gone : bool
        Whether it was older than the retention before it was read to its end.
    is_released : bool
        Whether its end was announced: only when what continues it was, too.
    position : Position or None
        ``None`` before any record.
    complete_until_at : int or None
        All that arrived until then was read, milliseconds since the epoch; as far as is known.
    ended_at : int or None
        Wall clock when its end was met.
    """

    id: ShardId
    parents: tuple[ShardId, ...]
    first_key: _HashKey
    last_key: _HashKey
    phase: Phase = Phase.WAITING
    is_listed: bool = False
    is_child: bool = False
    is_gone: bool = False
    is_released: bool = False
    position: Position | None = None
    complete_until_at: int | None = None
    ended_at: int | None = None


class StreamState(msgspec.Struct, kw_only=True):
    """A stream as it stands in a snapshot.

    Attributes
    ----------
    version : int
        Of this format.
    stream : str
        Name or ARN in the configuration.
    start : Start or None
        Fixed when reading first began, so that ``latest`` means the same after a restart.
    shards : list of ShardState
        By name.
    gaps : list of Gap
        The last ones.
    gap_count : int
        All of them.
    """

    version: int
    stream: str
    start: Start | None
    shards: list[ShardState]
    gaps: list[Gap]
    gap_count: int


def encode(
    stream: str, start: Start | None, shards: dict[ShardId, ShardState], gaps: list[Gap], gap_count: int
) -> bytes:
    """State as JSON; equal states give equal bytes."""
    ordered = [shards[name] for name in sorted(shards)]
    return msgspec.json.encode(
        StreamState(version=_VERSION, stream=stream, start=start, shards=ordered, gaps=gaps, gap_count=gap_count)
    )


def decode(state: bytes, stream: str) -> StreamState:
    """Read a state.

    Raises
    ------
    StateError
        It is torn, of another version, or of another stream.
    """
    try:
        found = msgspec.json.decode(state, type=StreamState)
    except msgspec.MsgspecError as error:
        raise StateError(f"kinesis: the state of the stream can't be read: {error}") from error
    if found.version != _VERSION:
        raise StateError(f"kinesis: expected version {_VERSION} of the stream's state, found {found.version}")
    if found.stream != stream:
        raise StateError(f"kinesis: expected the state of stream {stream}, found that of {found.stream}")
    return found
