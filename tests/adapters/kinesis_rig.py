"""A source on the emulator without sockets, in time that tests move: nothing waits and nothing is left to chance."""

import asyncio
import heapq
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from random import Random
from typing import Any

import orjson
import pybase64
from botocore.exceptions import ClientError

from streamer.adapters.kinesis import KinesisSettings, KinesisSource, PaceSettings
from streamer.core.errors import Retryable
from streamer.core.types import Batch, ShardId
from streamer.testing.kinesis import AnyFault, Kinesis, Limits
from streamer.testing.memory import ManualClock
from tests.strategies import START

STREAM = "captures"


class Time:
    """Waits end when the clock is moved to their time."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.activity = 0
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = 0

    async def wait(self, stop: asyncio.Event, seconds: float) -> bool:
        self.activity += 1
        if stop.is_set():
            return True
        self._number += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self.clock.monotonic() + seconds, self._number, future))
        await future
        return stop.is_set()

    def wake(self) -> None:
        """End every wait: the stop is set."""
        for _, _, future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        seen, quiet = -1, 0
        while quiet < 6:
            await asyncio.sleep(0)
            quiet = quiet + 1 if self.activity == seen else 0
            seen = self.activity

    async def pass_by(self, seconds: float) -> None:
        """Let time pass, and all that happens in it."""
        end = self.clock.monotonic() + seconds
        while True:
            await self.settle()
            if not self._waiting or self._waiting[0][0] > end:
                break
            due, _, future = heapq.heappop(self._waiting)
            self.clock.move(max(0.0, due - self.clock.monotonic()))
            if not future.done():
                future.set_result(None)
        self.clock.move(max(0.0, end - self.clock.monotonic()))
        await self.settle()


class DirectClient:
    """The SDK's client as far as the source uses it, without a network."""

    def __init__(self, kinesis: Kinesis, time: Time) -> None:
        self._kinesis = kinesis
        self._time = time
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def list_shards(self, **arguments: object) -> Mapping[str, Any]:
        return self._answer("ListShards", arguments)

    async def get_shard_iterator(self, **arguments: object) -> Mapping[str, Any]:
        return self._answer("GetShardIterator", arguments)

    async def get_records(self, **arguments: object) -> Mapping[str, Any]:
        answer = self._answer("GetRecords", arguments)
        for record in answer["Records"]:
            record["Data"] = pybase64.b64decode(record["Data"])
        return answer

    def _answer(self, operation: str, arguments: dict[str, object]) -> dict[str, Any]:
        self._time.activity += 1
        self.calls.append((operation, dict(arguments)))
        answer = self._kinesis.answer(operation, orjson.dumps(_plain(arguments)))
        body: dict[str, Any] = orjson.loads(answer.body)
        if answer.status != 200:
            about = {"Code": body["__type"], "Message": body["message"]}
            metadata = {"HTTPStatusCode": answer.status, "HTTPHeaders": {}}
            raise ClientError({"Error": about, "ResponseMetadata": metadata}, operation)  # type: ignore[typeddict-item]
        return body

    def count(self, operation: str) -> int:
        return sum(name == operation for name, _ in self.calls)


def _plain(value: object) -> object:
    match value:
        case datetime():
            return int(value.timestamp())
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case _:
            return value


class Collected:
    """An intake that keeps what it gets, in order."""

    def __init__(self, time: Time, steps: Sequence[tuple[str, ShardId, Any]] = ()) -> None:
        self._time = time
        self.steps = list(steps)
        self.gate = asyncio.Event()
        self.gate.set()
        self.closes_after: int | None = None

    def begin(self, shard: ShardId, parents: Sequence[ShardId] = ()) -> None:
        self.steps.append(("begin", shard, tuple(parents)))

    def take(self, batch: Batch) -> None:
        assert batch.payloads
        assert batch.partition_keys is not None
        assert len(batch.payloads) == len(batch.positions) == len(batch.partition_keys)
        self._time.activity += 1
        self.steps.append(("take", batch.shard, batch))
        if self.closes_after is not None:
            self.closes_after -= 1
            if self.closes_after == 0:
                self.gate.clear()

    def empty(self, shard: ShardId) -> None:
        self.steps.append(("empty", shard, None))

    def end(self, shard: ShardId) -> None:
        self.steps.append(("end", shard, None))

    async def settle(self) -> None:
        await self.gate.wait()

    def batches(self) -> list[Batch]:
        return [what for name, _, what in self.steps if name == "take"]

    def payloads(self) -> list[bytes]:
        return [payload for batch in self.batches() for payload in batch.payloads]

    def counts(self) -> Counter[str]:
        return Counter(name for name, _, _ in self.steps)

    def of(self, *names: str) -> list[tuple[str, ShardId, Any]]:
        return [step for step in self.steps if step[0] in names]


class Rig:
    """One stream, one source, one intake."""

    def __init__(
        self, group: asyncio.TaskGroup, shards: int, settings: KinesisSettings, limits: Limits | None = None
    ) -> None:
        self.clock = ManualClock(START)
        self.time = Time(self.clock)
        self.kinesis = Kinesis(self.clock, limits or Limits())
        if shards:
            self.kinesis.create_stream(STREAM, shards)
        self.client = DirectClient(self.kinesis, self.time)
        self.settings = settings
        self._group = group
        self._numbers = 0
        self._running: asyncio.Task[None] | None = None
        self.renew()

    def renew(self, state: bytes | None = None, steps: Sequence[tuple[str, ShardId, Any]] = ()) -> None:
        """A source and an intake as of a snapshot, or new ones."""
        self.retried: list[Retryable] = []
        self.source = KinesisSource(
            self.client, self.settings, self.clock, Random(7), self.time.wait, self.retried.append
        )
        if state is not None:
            self.source.restore(state)
        self.intake = Collected(self.time, steps)
        self._stop = asyncio.Event()

    def start(self) -> None:
        self._running = self._group.create_task(self.source.run(self.intake, self._stop))

    async def run(self, seconds: float = 10.0) -> None:
        if self._running is None:
            self.start()
        await self.time.pass_by(seconds)
        if self._running is not None and self._running.done():
            self._running.result()

    async def stop(self) -> None:
        self._stop.set()
        self.time.wake()
        if self._running is not None:
            await self._running
        self._running = None

    async def crash(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        self.time.wake()
        self._running = None

    async def restart(self) -> None:
        """Stop, and go on from the state."""
        await self.stop()
        self.renew(self.source.state(), self.intake.steps)
        self.start()

    def arm(self, fault: AnyFault) -> int:
        return self.kinesis.faults.arm(fault, self.kinesis.now())

    def put(self, count: int = 1, key: str = "k", hash_key: int | None = None) -> list[bytes]:
        """Put records that tell their order."""
        made = []
        for _ in range(count):
            self._numbers += 1
            made.append(b'{"n":%d,"k":"%b"}' % (self._numbers, key.encode()))
            self.kinesis.put(STREAM, made[-1], key, hash_key)
        return made

    def open_shards(self) -> list[str]:
        return [shard.id for shard in self.kinesis.stream(STREAM).open_shards]

    def position(self, shard: str) -> Any:
        found = orjson.loads(self.source.state())["shards"]
        return next(s["position"] for s in found if s["id"] == shard)


FAST = PaceSettings(quiet_most_seconds=1.0)


@asynccontextmanager
async def rigged(
    shards: int = 1,
    *,
    start: Any = "trim_horizon",
    limits: Limits | None = None,
    pace: PaceSettings = FAST,
    **more: Any,
) -> AsyncIterator[Rig]:
    settings = KinesisSettings(stream=STREAM, start=start, pace=pace, **more)
    async with asyncio.TaskGroup() as group:
        rig = Rig(group, shards, settings, limits)
        try:
            yield rig
        finally:
            rig.kinesis.faults.clear()
            rig.intake.gate.set()
            await rig.crash()
