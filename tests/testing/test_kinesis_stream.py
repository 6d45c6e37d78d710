"""Shards of the Kinesis emulator: whatever happens to them, nothing is lost, doubled or out of order."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streamer.testing.kinesis import Kinesis, Limits, Rejection
from streamer.testing.memory import ManualClock
from tests.strategies import START

HASH_KEYS = 2**128

Step = Callable[[Kinesis], None]
fractions = st.fractions(0, 1)


def put(fraction: Any) -> Step:
    key = min(HASH_KEYS - 1, int(fraction * HASH_KEYS))
    return lambda kinesis: void(kinesis.put("s", str(key).encode(), "k", key))


def split(which: int, fraction: Any) -> Step:
    def step(kinesis: Kinesis) -> None:
        shards = kinesis.stream("s").open_shards
        shard = shards[which % len(shards)]
        attempt(
            lambda: kinesis.split("s", shard.id, shard.first_key + int(fraction * (shard.last_key - shard.first_key)))
        )

    return step


def merge(which: int) -> Step:
    def step(kinesis: Kinesis) -> None:
        shards = kinesis.stream("s").open_shards
        if len(shards) > 1:
            left = which % (len(shards) - 1)
            kinesis.merge("s", shards[left].id, shards[left + 1].id)

    return step


def scale(shards: int) -> Step:
    return lambda kinesis: attempt(lambda: kinesis.scale("s", shards))


def pause(seconds: int) -> Step:
    return lambda kinesis: kinesis.advance(seconds)


def void(_: object) -> None:
    """Forget what came back."""


def attempt(change: Callable[[], None]) -> None:
    try:
        change()
    except Rejection as rejection:
        assert rejection.code in ("InvalidArgumentException", "LimitExceededException")  # noqa: PT017 - both are fine


steps = st.one_of(
    st.builds(put, fractions),
    st.builds(put, fractions),
    st.builds(split, st.integers(0, 9), fractions),
    st.builds(merge, st.integers(0, 9)),
    st.builds(scale, st.integers(1, 6)),
    st.builds(pause, st.integers(0, 100)),
)
histories = st.lists(steps, max_size=40)


def made(shards: int) -> Kinesis:
    kinesis = Kinesis(ManualClock(START), Limits.unthrottled())
    kinesis.create_stream("s", shards)
    return kinesis


def call(kinesis: Kinesis, operation: str, **arguments: Any) -> dict[str, Any]:
    answer = kinesis.answer(operation, json.dumps(arguments).encode())
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


class Reader:
    """Reads a stream as a consumer does: children when all their parents have ended."""

    def __init__(self, kinesis: Kinesis) -> None:
        self.records: list[tuple[str, dict[str, Any]]] = []
        self._kinesis = kinesis
        self._iterators: dict[str, str] = {}
        self._ended: set[str] = set()
        self._waiting: dict[str, set[str]] = {}
        listed = call(kinesis, "ListShards", StreamName="s", ShardFilter={"Type": "AT_TRIM_HORIZON"})
        for shard in listed["Shards"]:
            self._open(shard["ShardId"])

    def _open(self, shard: str) -> None:
        answer = call(
            self._kinesis, "GetShardIterator", StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )
        self._iterators[shard] = answer["ShardIterator"]

    def read(self, limit: int) -> None:
        """Read once from every shard that can be read."""
        for shard, iterator in list(self._iterators.items()):
            answer = call(self._kinesis, "GetRecords", ShardIterator=iterator, Limit=limit)
            self.records += [(shard, record) for record in answer["Records"]]
            if "NextShardIterator" in answer:
                self._iterators[shard] = answer["NextShardIterator"]
            else:
                del self._iterators[shard]
                self._ended.add(shard)
                for child in answer["ChildShards"]:
                    self._waiting[child["ShardId"]] = set(child["ParentShards"])
        for child in [child for child, parents in self._waiting.items() if parents <= self._ended]:
            del self._waiting[child]
            self._open(child)

    def read_all(self) -> None:
        """Read until everything has been read."""
        before = -1
        while before != len(self.records) + len(self._ended):
            before = len(self.records) + len(self._ended)
            self.read(1)


@settings(deadline=None)
@given(st.integers(1, 5), histories)
def test_open_shards_always_cover_every_hash_key_once(shards: int, history: list[Step]) -> None:
    kinesis = made(shards)
    for step in history:
        step(kinesis)
        bounds = [(shard.first_key, shard.last_key) for shard in kinesis.stream("s").open_shards]
        assert bounds[0][0] == 0
        assert bounds[-1][1] == HASH_KEYS - 1
        assert all(left[1] + 1 == right[0] for left, right in pairwise(bounds))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.lists(st.tuples(steps, st.integers(0, 2)), max_size=40))
def test_every_record_is_read_once_by_who_reads_while_shards_change(
    shards: int, history: list[tuple[Step, int]]
) -> None:
    kinesis = made(shards)
    reader = Reader(kinesis)
    for step, limit in history:
        step(kinesis)
        if limit:
            reader.read(limit)
    reader.read_all()
    stored = [record.sequence_number for shard in kinesis.stream("s").shards for record in shard.records]
    assert sorted(record["SequenceNumber"] for _, record in reader.records) == sorted(stored)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), histories)
def test_every_record_is_read_once_by_who_reads_afterwards(shards: int, history: list[Step]) -> None:
    kinesis = made(shards)
    for step in history:
        step(kinesis)
    reader = Reader(kinesis)
    reader.read_all()
    stored = [record.sequence_number for shard in kinesis.stream("s").shards for record in shard.records]
    assert sorted(record["SequenceNumber"] for _, record in reader.records) == sorted(stored)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), histories)
def test_records_of_one_hash_key_are_read_in_the_order_they_were_put(shards: int, history: list[Step]) -> None:
    kinesis = made(shards)
    for step in history:
        step(kinesis)
    reader = Reader(kinesis)
    reader.read_all()
    newest: dict[str, str] = {}
    for _, record in reader.records:
        assert newest.get(record["Data"], "") < record["SequenceNumber"]
        newest[record["Data"]] = record["SequenceNumber"]


@settings(deadline=None)
@given(st.integers(1, 5), histories)
def test_sequence_numbers_order_as_text_within_every_shard(shards: int, history: list[Step]) -> None:
    kinesis = made(shards)
    for step in history:
        step(kinesis)
    for shard in kinesis.stream("s").shards:
        numbers = [shard.starting, *(record.sequence_number for record in shard.records)]
        numbers += [] if shard.ending is None else [shard.ending]
        assert numbers == sorted(set(numbers))
        assert numbers == sorted(numbers, key=int)


@settings(deadline=None)
@given(st.integers(1, 5), histories, st.integers(0, 500))
def test_the_shards_at_any_time_cover_every_hash_key_once(shards: int, history: list[Step], seconds: int) -> None:
    kinesis = made(shards)
    for step in history:
        step(kinesis)
    kinesis.advance(500)
    listed = call(
        kinesis,
        "ListShards",
        StreamName="s",
        ShardFilter={"Type": "AT_TIMESTAMP", "Timestamp": START / 1000 + seconds},
    )["Shards"]
    bounds = sorted(
        (int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"])) for s in listed
    )
    assert (bounds[0][0], bounds[-1][1]) == (0, HASH_KEYS - 1)
    assert all(left[1] + 1 == right[0] for left, right in pairwise(bounds))


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 12))
def test_scaling_gives_shards_of_equal_width(shards: int, target: int) -> None:
    assume(shards / 2 <= target <= shards * 2)
    kinesis = made(shards)
    kinesis.scale("s", target)
    assert [shard.first_key for shard in kinesis.stream("s").open_shards] == [
        HASH_KEYS * i // target for i in range(target)
    ]
