"""Faults of the Kinesis emulator, as a real client meets them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

from streamer.testing.kinesis import (
    AnyFault,
    Deny,
    EmptyRead,
    EndWithoutChildren,
    ExpireIterator,
    FailEntries,
    HideReshard,
    Kinesis,
    KinesisServer,
    Limits,
    Missing,
    Redeliver,
    Reset,
    Stall,
    Throttle,
    Truncate,
    Unavailable,
    serve,
)
from streamer.testing.memory import ManualClock
from tests.strategies import START

SESSION = get_session()
SHARD = "shardId-000000000000"


class Rig:
    """A running emulator with one stream of one shard, its clock and a client."""

    def __init__(self, clock: ManualClock, server: KinesisServer, client: Any) -> None:
        self.clock = clock
        self.server = server
        self.kinesis = server.kinesis
        self.client = client

    def arm(self, fault: AnyFault) -> int:
        return self.kinesis.faults.arm(fault, self.kinesis.now())

    async def iterator(self, shard: str = SHARD) -> str:
        answer = await self.client.get_shard_iterator(StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        iterator: str = answer["ShardIterator"]
        return iterator

    async def read(self, iterator: str) -> dict[str, Any]:
        answer: dict[str, Any] = await self.client.get_records(ShardIterator=iterator)
        return answer

    async def list(self) -> str:
        return await outcome(self.client.list_shards(StreamName="s"))


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    clock = ManualClock(START)
    kinesis = Kinesis(clock, Limits.unthrottled())
    kinesis.create_stream("s", 1)
    async with (
        serve(kinesis) as server,
        SESSION.create_client(
            "kinesis",
            region_name="us-east-1",
            endpoint_url=server.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=AioConfig(retries={"total_max_attempts": 1}, read_timeout=10),
        ) as client,
    ):
        yield Rig(clock, server, client)


async def outcome(call: Awaitable[Any]) -> str:
    try:
        await call
    except ClientError as error:
        code: str = error.response["Error"]["Code"]
        return code
    return "OK"


async def test_a_fault_strikes_as_many_calls_as_it_says(rig: Rig) -> None:
    rig.arm(Throttle(2))
    assert [await rig.list() for _ in range(3)] == ["LimitExceededException"] * 2 + ["OK"]


async def test_a_fault_strikes_for_as_long_as_it_says(rig: Rig) -> None:
    rig.arm(Throttle(seconds=60))
    found = []
    for _ in range(3):
        found.append(await rig.list())
        rig.clock.move(30)
    assert found == ["LimitExceededException"] * 2 + ["OK"]


async def test_a_fault_without_a_bound_strikes_until_it_is_removed(rig: Rig) -> None:
    fault = rig.arm(Throttle())
    before = [await rig.list() for _ in range(3)]
    rig.kinesis.faults.remove(fault)
    assert (set(before), await rig.list()) == ({"LimitExceededException"}, "OK")


async def test_a_fault_lets_calls_pass_first(rig: Rig) -> None:
    rig.arm(Throttle(1, after=2))
    assert [await rig.list() for _ in range(4)] == ["OK", "OK", "LimitExceededException", "OK"]


async def test_a_fault_strikes_its_operation_and_no_other(rig: Rig) -> None:
    rig.arm(Throttle(operation="PutRecord"))
    put = rig.client.put_record(StreamName="s", Data=b"x", PartitionKey="k")
    assert (await rig.list(), await outcome(put)) == ("OK", "ProvisionedThroughputExceededException")


async def test_a_fault_strikes_its_shard_and_no_other(rig: Rig) -> None:
    rig.kinesis.split("s", SHARD)
    other = "shardId-000000000001"
    iterators = [await rig.iterator(shard) for shard in (SHARD, other)]
    rig.arm(Throttle(shard=other))
    assert [await outcome(rig.read(iterator)) for iterator in iterators] == [
        "OK",
        "ProvisionedThroughputExceededException",
    ]


async def test_a_fault_strikes_its_stream_and_no_other(rig: Rig) -> None:
    rig.kinesis.create_stream("t", 1)
    rig.arm(Missing(stream="t"))
    other = outcome(rig.client.describe_stream_summary(StreamName="t"))
    assert (await rig.list(), await other) == ("OK", "ResourceNotFoundException")


async def test_of_several_faults_the_first_strikes(rig: Rig) -> None:
    rig.arm(Deny(1))
    rig.arm(Throttle(1))
    assert [await rig.list() for _ in range(3)] == ["AccessDeniedException", "LimitExceededException", "OK"]


async def test_a_fault_counts_its_strikes(rig: Rig) -> None:
    fault = rig.arm(Deny(2))
    for _ in range(5):
        await rig.list()
    assert rig.kinesis.faults.struck(fault) == 2


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        pytest.param(Unavailable(), "InternalFailure", 500, id="internal failure"),
        pytest.param(Unavailable(status=503), "ServiceUnavailable", 503, id="service unavailable"),
        pytest.param(Deny(), "AccessDeniedException", 400, id="access denied"),
        pytest.param(ExpireIterator(), "ExpiredIteratorException", 400, id="expired iterator"),
        pytest.param(Missing(), "ResourceNotFoundException", 400, id="stream missing"),
    ],
)
async def test_a_read_is_refused(rig: Rig, fault: AnyFault, code: str, status: int) -> None:
    iterator = await rig.iterator()
    rig.arm(fault)
    with pytest.raises(ClientError) as error:
        await rig.read(iterator)
    response = error.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)


async def test_a_call_that_is_refused_has_no_effect(rig: Rig) -> None:
    rig.arm(Throttle(1))
    await outcome(rig.client.put_record(StreamName="s", Data=b"x", PartitionKey="k"))
    assert (await rig.read(await rig.iterator()))["Records"] == []


async def test_some_records_of_a_call_fail(rig: Rig) -> None:
    rig.arm(FailEntries(1, every=3))
    records = [{"Data": b"%d" % i, "PartitionKey": "k"} for i in range(1, 7)]
    answer = await rig.client.put_records(StreamName="s", Records=records)
    stored = [record["Data"] for record in (await rig.read(await rig.iterator()))["Records"]]
    assert (answer["FailedRecordCount"], stored) == (2, [b"1", b"2", b"4", b"5"])
    assert ["ErrorCode" in entry for entry in answer["Records"]] == [False, False, True] * 2


async def test_records_are_delivered_again_and_none_is_left_out(rig: Rig) -> None:
    for payload in (b"1", b"2", b"3"):
        rig.kinesis.put("s", payload, "k")
    first = await rig.client.get_records(ShardIterator=await rig.iterator(), Limit=2)
    rig.arm(Redeliver(1, records=1))
    again = await rig.read(first["NextShardIterator"])
    last = await rig.read(again["NextShardIterator"])
    found = [[record["Data"] for record in answer["Records"]] for answer in (first, again, last)]
    assert found == [[b"1", b"2"], [b"2", b"3"], []]


async def test_delivering_again_within_a_small_limit_does_not_move_a_reader_back(rig: Rig) -> None:
    for payload in (b"1", b"2", b"3"):
        rig.kinesis.put("s", payload, "k")
    first = await rig.client.get_records(ShardIterator=await rig.iterator(), Limit=2)
    rig.arm(Redeliver(1, records=2))
    again = await rig.client.get_records(ShardIterator=first["NextShardIterator"], Limit=1)
    last = await rig.read(again["NextShardIterator"])
    assert [record["Data"] for record in again["Records"] + last["Records"]] == [b"1", b"3"]


async def test_a_read_is_empty_though_there_are_records(rig: Rig) -> None:
    rig.kinesis.put("s", b"1", "k")
    rig.arm(EmptyRead(1, behind_milliseconds=500))
    empty = await rig.read(await rig.iterator())
    full = await rig.read(empty["NextShardIterator"])
    assert (empty["Records"], empty["MillisBehindLatest"], len(full["Records"])) == ([], 500, 1)


async def test_a_shard_seems_to_end_without_children(rig: Rig) -> None:
    rig.kinesis.put("s", b"1", "k")
    iterator = await rig.iterator()
    rig.arm(EndWithoutChildren(1))
    wrong = await rig.read(iterator)
    right = await rig.read(iterator)
    assert ("NextShardIterator" in wrong, "ChildShards" in wrong) == (False, False)
    assert (right["Records"], "NextShardIterator" in right) == (wrong["Records"], True)


async def test_a_split_is_not_listed_until_later(rig: Rig) -> None:
    rig.clock.move(100)
    rig.kinesis.split("s", SHARD)
    rig.arm(HideReshard(age_seconds=60))
    hidden = (await rig.client.list_shards(StreamName="s"))["Shards"]
    rig.clock.move(60)
    shown = (await rig.client.list_shards(StreamName="s"))["Shards"]
    assert [("EndingSequenceNumber" in shard["SequenceNumberRange"]) for shard in hidden] == [False]
    assert [("EndingSequenceNumber" in shard["SequenceNumberRange"]) for shard in shown] == [True, False, False]


@pytest.mark.parametrize("applied", [pytest.param(False, id="before"), pytest.param(True, id="after")])
async def test_a_connection_is_reset_before_or_after_the_call_took_effect(rig: Rig, applied: bool) -> None:
    rig.arm(Reset(1, applied=applied))
    with pytest.raises(EndpointConnectionError):
        await rig.client.put_record(StreamName="s", Data=b"x", PartitionKey="k")
    assert len((await rig.read(await rig.iterator()))["Records"]) == applied


async def test_an_answer_is_cut_off(rig: Rig) -> None:
    rig.kinesis.put("s", b"1" * 1000, "k")
    iterator = await rig.iterator()
    rig.arm(Truncate(1))
    with pytest.raises(ConnectionClosedError):
        await rig.read(iterator)
    assert len((await rig.read(iterator))["Records"]) == 1


async def test_an_answer_stalls_until_faults_are_cleared(rig: Rig) -> None:
    rig.kinesis.put("s", b"1" * 1000, "k")
    iterator = await rig.iterator()
    rig.arm(Stall(1, operation="GetRecords"))
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(rig.read(iterator))
        while not rig.server.stalled:
            await rig.list()
        before = reading.done()
        rig.server.clear_faults()
    assert (before, len(reading.result()["Records"]), rig.server.stalled) == (False, 1, 0)


async def test_an_answer_stalls_for_a_while(rig: Rig) -> None:
    iterator = await rig.iterator()
    fault = rig.arm(Stall(1, wait_seconds=0.01))
    assert ((await rig.read(iterator))["Records"], rig.kinesis.faults.struck(fault)) == ([], 1)


async def test_a_server_that_closes_lets_go_of_stalled_answers() -> None:
    kinesis = Kinesis(ManualClock(START))
    kinesis.faults.arm(Stall(), kinesis.now())
    async with serve(kinesis) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        body = b'{"Limit": 1}'
        head = b"POST / HTTP/1.1\r\nX-Amz-Target: Kinesis_20131202.ListStreams\r\nContent-Length: %d\r\n\r\n" % len(
            body
        )
        writer.write(head + body)
        await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert server.stalled == 0
