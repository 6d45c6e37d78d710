"""What holds for any history of a stream: every record once, keys in order, positions never back."""

import asyncio
from collections import Counter

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.adapters.kinesis import PaceSettings
from streamer.testing.kinesis import (
    AnyFault,
    EmptyRead,
    EndWithoutChildren,
    ExpireIterator,
    HideReshard,
    Limits,
    Missing,
    Redeliver,
    Throttle,
    Unavailable,
)
from tests.adapters.kinesis_rig import STREAM, Rig, rigged

KEYS = "abcdefgh"
FAULTS: list[AnyFault] = [
    Throttle(4),
    Unavailable(3),
    Missing(2),
    EmptyRead(2, behind_milliseconds=500),
    EmptyRead(2, behind_milliseconds=0),
    EndWithoutChildren(2),
    ExpireIterator(1),
    Redeliver(3, records=4),
    HideReshard(seconds=60.0, age_seconds=30.0),
]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 40)),
        st.tuples(st.just("put together"), st.integers(2, 7)),
        st.tuples(st.just("pass"), st.sampled_from([0, 0, 1, 5])),
        st.tuples(st.just("split"), st.integers(0, 7)),
        st.tuples(st.just("merge"), st.integers(0, 7)),
        st.tuples(st.just("snapshot"), st.just(0)),
        st.tuples(st.just("crash"), st.just(0)),
        st.tuples(st.just("stop"), st.just(0)),
        st.tuples(st.just("stall"), st.just(0)),
        st.tuples(st.just("go on"), st.just(0)),
        st.tuples(st.just("fault"), st.integers(0, len(FAULTS) - 1)),
    ),
    max_size=40,
)


class History:
    """Acts out a script, and remembers what must come of it."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.put: list[bytes] = []
        self.saved = (rig.source.state(), list(rig.intake.steps))

    async def act(self, name: str, number: int) -> None:
        rig = self.rig
        match name:
            case "put":
                for i in range(number):
                    self.put += rig.put(1, KEYS[i % len(KEYS)])
            case "put together":
                key = KEYS[number]
                lines = [b'{"n":%d,"k":"%b"}' % (n + 10**6 * (len(self.put) + 1), key.encode()) for n in range(number)]
                rig.kinesis.put(STREAM, b"\n".join(lines), key)
                self.put += lines
            case "pass":
                await rig.run(float(number))
            case "split":
                shards = rig.kinesis.stream(STREAM).open_shards
                chosen = shards[number % len(shards)]
                if chosen.last_key - chosen.first_key > 4:
                    rig.kinesis.split(STREAM, chosen.id)
            case "merge":
                open_shards = rig.open_shards()
                if len(open_shards) > 1:
                    first = number % (len(open_shards) - 1)
                    rig.kinesis.merge(STREAM, open_shards[first], open_shards[first + 1])
            case "snapshot":
                self.saved = (rig.source.state(), list(rig.intake.steps))
            case "crash":
                await rig.crash()
                rig.renew(*self.saved)
            case "stop":
                await rig.stop()
                self.saved = (rig.source.state(), list(rig.intake.steps))
                rig.renew(*self.saved)
            case "stall":
                rig.intake.gate.clear()
            case "go on":
                rig.intake.gate.set()
            case "fault":
                rig.arm(FAULTS[number])

    async def finish(self) -> None:
        self.rig.kinesis.faults.clear()
        self.rig.intake.gate.set()
        await self.rig.run(120.0)


def key_of(payload: bytes) -> str:
    return str(orjson.loads(payload)["k"])


def check(history: History) -> None:
    rig, read = history.rig, history.rig.intake.payloads()
    assert Counter(read) == Counter(history.put), "every record once"
    for key in KEYS:
        assert [p for p in read if key_of(p) == key] == [p for p in history.put if key_of(p) == key], (
            "in its key's order"
        )
    begun: set[str] = set()
    ended: set[str] = set()
    for name, shard, what in rig.intake.steps:
        match name:
            case "begin":
                assert shard not in begun, "announced once"
                assert not ended & set(what), "parents end after their children began"
                begun.add(shard)
            case "end":
                ended.add(shard)
            case _:
                assert shard in begun - ended, "between its beginning and its end"
    assert begun - ended == set(rig.open_shards())
    assert rig.source.troubles() == []
    assert rig.source.gaps == []


async def acted(steps: list[tuple[str, int]], shards: int) -> None:
    limits = Limits(iterators_per_second=None)
    pace = PaceSettings(quiet_most_seconds=1.0, batch_records=3)
    async with rigged(shards, limits=limits, pace=pace) as rig:
        history = History(rig)
        for name, number in steps:
            await history.act(name, number)
        await history.finish()
        check(history)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.integers(1, 3))
def test_every_record_comes_once_and_in_order_whatever_happens(steps: list[tuple[str, int]], shards: int) -> None:
    asyncio.run(acted(steps, shards))
