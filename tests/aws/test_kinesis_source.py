"""The Kinesis source with the real client, over a socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from random import Random
from typing import Any

import pytest

from streamer.adapters.aws import AccessKeys, Aws, AwsConfig
from streamer.adapters.clock import SystemClock
from streamer.adapters.kinesis import KinesisSettings, KinesisSource, install
from streamer.adapters.kinesis.fetch import fetch
from streamer.core.types import Batch, ShardId
from streamer.testing.kinesis import AnyFault, Deny, Kinesis, KinesisServer, Limits, Reset, Stall, Truncate, serve
from streamer.testing.memory import ManualClock
from tests.aws.conftest import REGION
from tests.strategies import START

STREAM = "captures"
ARN = f"arn:aws:kinesis:{REGION}:000000000000:stream/{STREAM}"
KEYS = AccessKeys(access_key="testing", secret_key="testing")


@pytest.fixture
async def server() -> AsyncIterator[KinesisServer]:
    kinesis = Kinesis(ManualClock(START), Limits.unthrottled(), region=REGION)
    kinesis.create_stream(STREAM, 2)
    async with serve(kinesis) as made:
        yield made


@pytest.fixture
async def client(server: KinesisServer) -> AsyncIterator[Any]:
    config = AwsConfig(region=REGION, endpoint_urls={"kinesis": server.url}, keys=KEYS, read_seconds=0.2)
    async with Aws(config) as aws:
        yield await aws.client("kinesis")


class Counting:
    """An intake that says when it has as many records as it waits for."""

    def __init__(self, expected: int) -> None:
        self.payloads: list[bytes] = []
        self.shards: set[ShardId] = set()
        self.complete = asyncio.Event()
        self._expected = expected

    def begin(self, shard: ShardId, parents: Sequence[ShardId] = ()) -> None:
        self.shards.add(shard)

    def take(self, batch: Batch) -> None:
        self.payloads += batch.payloads
        if len(self.payloads) >= self._expected:
            self.complete.set()

    def empty(self, shard: ShardId) -> None: ...

    def end(self, shard: ShardId) -> None:
        self.shards.remove(shard)

    async def settle(self) -> None: ...


async def no_wait(stop: asyncio.Event, seconds: float) -> bool:
    await asyncio.sleep(0)
    return stop.is_set()


def source(
    client: Any, stream: str = STREAM, wait: Callable[[asyncio.Event, float], Awaitable[bool]] = no_wait
) -> KinesisSource:
    return KinesisSource(client, KinesisSettings(stream=stream, start="trim_horizon"), SystemClock(), Random(1), wait)


async def run(reading: KinesisSource, intake: Counting) -> None:
    stop = asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(reading.run(intake, stop))
        await intake.complete.wait()
        stop.set()


def put(kinesis: Kinesis, count: int, first: int = 0) -> list[bytes]:
    made = [b'{"n":%d}' % n for n in range(first, first + count)]
    for n, payload in enumerate(made):
        kinesis.put(STREAM, payload, f"k{n % 7}")
    return made


@pytest.mark.parametrize("stream", [STREAM, ARN], ids=["by name", "by ARN"])
@pytest.mark.parametrize("is_installed", [True, False], ids=["one pass", "stock parser"])
async def test_a_stream_is_read_through_splits_and_merges(
    server: KinesisServer, client: Any, stream: str, is_installed: bool
) -> None:
    if is_installed:
        install(client)
    kinesis = server.kinesis
    expected = put(kinesis, 50)
    kinesis.split(STREAM, "shardId-000000000000")
    expected += put(kinesis, 50, 50)
    kinesis.merge(STREAM, "shardId-000000000003", "shardId-000000000001")
    expected += put(kinesis, 50, 100)
    intake = Counting(150)
    await run(source(client, stream), intake)
    assert sorted(intake.payloads) == sorted(expected)
    assert intake.shards == {"shardId-000000000002", "shardId-000000000004"}


@pytest.mark.parametrize("limit", [1, 1000])
async def test_one_pass_and_the_stock_parser_read_the_same(server: KinesisServer, client: Any, limit: int) -> None:
    put(server.kinesis, 20)
    server.kinesis.split(STREAM, "shardId-000000000000")

    async def answer() -> Any:
        placed = await client.get_shard_iterator(
            StreamName=STREAM, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
        )
        return await fetch(client, placed["ShardIterator"], limit)

    stock = await answer()
    install(client)
    assert await answer() == stock


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Reset(3), id="the connection is reset"),
        pytest.param(Reset(3, applied=True), id="the answer is lost"),
        pytest.param(Truncate(3), id="the answer is cut off"),
        pytest.param(Stall(2), id="the answer stalls"),
    ],
)
async def test_a_broken_connection_loses_nothing(server: KinesisServer, client: Any, fault: AnyFault) -> None:
    install(client)
    expected = put(server.kinesis, 50)
    server.kinesis.faults.arm(fault, server.kinesis.now())
    intake = Counting(50)
    await run(source(client), intake)
    assert sorted(intake.payloads) == sorted(expected)


async def test_a_denial_is_told_with_what_is_missing(server: KinesisServer, client: Any) -> None:
    server.kinesis.faults.arm(Deny(), server.kinesis.now())
    stop, told = asyncio.Event(), asyncio.Event()

    async def wait(stop: asyncio.Event, seconds: float) -> bool:
        if reading.troubles():
            told.set()
        return await no_wait(stop, seconds)

    reading = source(client, wait=wait)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(reading.run(Counting(1), stop))
        await told.wait()
        (trouble,) = reading.troubles()
        assert "AccessDeniedException" in trouble
        assert "kinesis:ListShards" in trouble
        stop.set()


async def test_installing_twice_is_the_same_as_once(server: KinesisServer, client: Any) -> None:
    install(client)
    install(client)
    expected = put(server.kinesis, 5)
    intake = Counting(5)
    await run(source(client), intake)
    assert sorted(intake.payloads) == sorted(expected)
