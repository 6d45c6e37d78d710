"""Slices: an answer as batches that each fold in a short time, and the position after each; pure."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from streamer.adapters.kinesis.fetch import Answer
from streamer.adapters.kinesis.positions import Position
from streamer.core.decode.unwrap import may_be_wrapped, unwrap
from streamer.core.errors import InvalidRecord
from streamer.core.types import Batch, ShardId


class Slice(NamedTuple):
    """Part of an answer.

    Attributes
    ----------
    batch : Batch
        Never empty.
    position : Position
        Where the shard stands when it was taken.
    """

    batch: Batch
    position: Position


class Unwrapped(NamedTuple):
    """An answer's captures.

    Attributes
    ----------
    payloads, positions, partition_keys : sequence
        Of each capture. A position is its record's sequence number, with ``:`` and its number in
        the record where that holds several.
    places : sequence of Position
        What is taken once this capture is.
    """

    payloads: Sequence[bytes]
    positions: Sequence[str]
    partition_keys: Sequence[str]
    places: "_Places"


class _Places:
    """Positions after each capture, made when asked for: few are."""

    def __init__(self, sequences: Sequence[str], owners: Sequence[int], taken: Sequence[int]) -> None:
        self._sequences = sequences
        self._owners = owners
        self._taken = taken

    def __getitem__(self, index: int) -> Position:
        return Position(self._sequences[self._owners[index]], self._taken[index] if self._taken else 0)


def unwrapped(answer: Answer, read: Position | None) -> Unwrapped:
    """Captures of an answer that were not taken before.

    What can't be unwrapped stays as it is: the decoder says what is wrong with it.

    Parameters
    ----------
    answer : Answer
        As it was fetched.
    read : Position or None
        Records up to there were taken, as numbers go. The service begins with the one at our
        position when it is asked to, and may deliver records again.
    """
    first, inside = _unread(answer.sequences, read)
    payloads = answer.payloads[first:]
    sequences = answer.sequences[first:]
    keys = answer.partition_keys[first:]
    if not inside and not any(map(may_be_wrapped, payloads)):
        return Unwrapped(payloads, sequences, keys, _Places(sequences, range(len(sequences)), ()))
    found: list[bytes] = []
    positions: list[str] = []
    owners: list[int] = []
    taken: list[int] = []
    for i, (payload, sequence) in enumerate(zip(payloads, sequences, strict=True)):
        captures = _captures(payload)
        begin = inside if i == 0 else 0
        count = len(captures)
        found += captures[begin:]
        owners += [i] * max(count - begin, 0)
        if count == 1:
            if begin == 0:
                positions.append(sequence)
                taken.append(0)
        else:
            positions += [f"{sequence}:{j}" for j in range(begin, count)]
            taken += [*range(begin + 1, count), 0][: max(count - begin, 0)]
    return Unwrapped(found, positions, [keys[i] for i in owners], _Places(sequences, owners, taken))


def _unread(sequences: Sequence[str], read: Position | None) -> tuple[int, int]:
    """Index of the first record with something unread, and how many of its captures were taken."""
    if read is None or not sequences:
        return 0, 0
    # As numbers: they need not be equally long.
    last = int(read.sequence)
    first = 0
    while first < len(sequences) and int(sequences[first]) < last:
        first += 1
    if first < len(sequences) and int(sequences[first]) == last:
        return (first, read.taken) if read.taken else (first + 1, 0)
    return first, 0


def _captures(payload: bytes) -> Sequence[bytes]:
    try:
        return unwrap(payload)
    except InvalidRecord:
        return (payload,)


def slices(shard: ShardId, captures: Unwrapped, most_records: Callable[[], int], most_bytes: int) -> Iterator[Slice]:
    """Cut captures into batches, none much smaller than the others: a batch has costs of its own.

    Parameters
    ----------
    shard : ShardId
        Theirs.
    captures : Unwrapped
        What there is.
    most_records : callable
        Says before each slice how many it may hold.
    most_bytes : int
        Of each slice; a single capture may be larger.
    """
    ends = [0, *accumulate(map(len, captures.payloads))]
    count, begin = len(captures.payloads), 0
    while begin < count:
        parts = max(-(-(count - begin) // most_records()), -(-(ends[-1] - ends[begin]) // most_bytes), 1)
        even = begin + -(-(count - begin) // parts)
        fitting = bisect_right(ends, ends[begin] + most_bytes) - 1
        end = max(begin + 1, min(even, fitting))
        yield _slice(shard, captures, begin, end)
        begin = end


def _slice(shard: ShardId, captures: Unwrapped, begin: int, end: int) -> Slice:
    batch = Batch(
        shard, captures.payloads[begin:end], captures.positions[begin:end], captures.partition_keys[begin:end]
    )
    return Slice(batch, captures.places[end - 1])
