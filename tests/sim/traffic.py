"""Traffic with something of everything in it, the same each time: what the killed service reads."""

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from streamer.producer import Record, put_records
from streamer.testing.kinesis.shard import HASH_KEYS
from tests.strategies import START, capture

SHARDS: Final = 4
_CHUNK: Final = 500
# The stream is resharded after these shares of the traffic; the merge takes one half of what was split.
_SPLIT, _MERGE = 0.3, 0.6
# Minutes of event time, of 80.
_MINUTES: Final = 80
_DRIFT = range(20, 46)
_MISSING = range(52, 58)
_WILD = range(62, 66)
_JUNK = range(70, 74)
_SEED = 7
# Far enough behind the last record that every window, and its lateness, is over.
_CLOSING_SECONDS: Final = 600


class Traffic:
    """Records in the order in which they are put, and the moments at which the stream is resharded.

    Over 80 minutes: an endpoint with a baseline that drifts, loses values and gets records nobody can
    read, and one without a baseline, with wild values; late records, some of them too late,
    repetitions, halves of records and junk all the time.

    Parameters
    ----------
    count : int
        Records, about: repetitions come on top.
    """

    def __init__(self, count: int = 20_000) -> None:
        records = _records(count)
        self.chunks = [records[i : i + _CHUNK] for i in range(0, len(records), _CHUNK)]
        # After the last chunk, one record for each open shard closes every window.
        self.count = len(records) + SHARDS
        self._split, self._merge = (int(len(self.chunks) * share) for share in (_SPLIT, _MERGE))

    def put(self, client: Any, stream: str, number: int) -> None:
        """Put one chunk, whole and in order, and reshard the stream if its moment has come."""
        put_records(client, stream, self.chunks[number], seconds_left=lambda: 60.0)
        if number == self._split:
            # The second quarter of the hash keys.
            middle = HASH_KEYS * 3 // 8
            client.split_shard(StreamName=stream, ShardToSplit=_shard(1), NewStartingHashKey=str(middle))
        if number == self._merge:
            client.merge_shards(StreamName=stream, ShardToMerge=_shard(SHARDS + 1), AdjacentShardToMerge=_shard(2))
        if number == len(self.chunks) - 1:
            self._close(client, stream)

    def _close(self, client: Any, stream: str) -> None:
        at = START + (_MINUTES * 60 + _CLOSING_SECONDS) * 1000
        shards = client.list_shards(StreamName=stream, ShardFilter={"Type": "AT_LATEST"})["Shards"]
        for i, shard in enumerate(shards):
            client.put_record(
                StreamName=stream,
                PartitionKey="closing",
                ExplicitHashKey=shard["HashKeyRange"]["StartingHashKey"],
                Data=capture("5.5,5.5,a", at=at, event_id=f"closing-{i}", endpoint="known"),
            )


def _shard(number: int) -> str:
    return f"shardId-{number:012d}"


def _records(count: int) -> Sequence[Record]:
    chance = Random(_SEED)
    found: list[Record] = []
    step = _MINUTES * 60_000 / count
    for i in range(count):
        at, minute = START + int(i * step), int(i * step) // 60_000
        late, is_learned = chance.random(), chance.random() < 0.2
        if late < 0.02:
            # Within the lateness, most of them; far beyond it.
            at -= int(chance.uniform(120_000, 300_000) if late < 0.005 else chance.uniform(8_000, 45_000))
        key, name = f"k{chance.randrange(1_000)}", f"id-{i}"
        if minute in _JUNK and chance.random() < 0.15:
            found.append(Record(b'{"captureData": %d' % i, "known/AllTraffic"))
        elif chance.random() < 0.01:
            found.append(Record(b"junk %d" % i, key))
        elif is_learned:
            found.append(Record(_learned(chance, at, minute, name), key))
        else:
            found.append(Record(_known(chance, at, minute, name), key))
        if chance.random() < 0.02:
            found.append(found[max(0, len(found) - chance.randrange(1, 30))])
    return found


def _known(chance: Random, at: int, minute: int, name: str) -> bytes:
    x = chance.uniform(7.0, 10.0) if minute in _DRIFT else chance.uniform(0.0, 10.0)
    y = "" if minute in _MISSING and chance.random() < 0.5 else f"{chance.uniform(0.0, 10.0):.3f}"
    data = f"{x:.3f},{y},{chance.choice('abc')}"
    if chance.random() < 0.01:
        # One column too few: the other side still counts.
        data = f"{x:.3f},{y}"
    return capture(data, f"{chance.uniform(0.0, 10.0):.3f}", at=at, event_id=name, endpoint="known")


def _learned(chance: Random, at: int, minute: int, name: str) -> bytes:
    first = 1e6 if minute in _WILD and chance.random() < 0.5 else chance.gauss(0.0, 1.0)
    data = f"{first:.3f},{chance.choice('xyz')}"
    return capture(data, f"{chance.random():.3f}", at=at, event_id=name, endpoint="learned")
