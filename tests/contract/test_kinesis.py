"""What Kinesis promises, as real clients see it: held by our emulator and, apart from it, by kinesis-local."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from streamer.adapters.clock import SystemClock
from streamer.testing.kinesis import Kinesis, Limits, serve
from tests.contract import kinesis_local

HASH_KEYS = 2**128
SESSION = get_session()  # holds the service's model, which takes long to load
NOT_LIKE_AWS = "kinesis-local is not like AWS here: "


def holds_for_ours(reason: str) -> pytest.MarkDecorator:
    """For what AWS does and kinesis-local does otherwise; strict, so that we hear when it changes."""
    differing = pytest.mark.xfail(
        reason=NOT_LIKE_AWS + reason, raises=(AssertionError, pytest.fail.Exception), strict=True
    )
    return pytest.mark.parametrize(
        "url",
        ["emulator", pytest.param("kinesis-local", marks=differing)],
        indirect=True,
    )


@pytest.fixture(scope="module")
def other() -> Iterator[str]:
    try:
        kinesis_local.installed()
    except kinesis_local.Missing as missing:
        kinesis_local.absent(str(missing))
    with kinesis_local.running() as url:
        yield url


@pytest.fixture(params=["emulator", "kinesis-local"])
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    if request.param == "kinesis-local":
        yield request.getfixturevalue("other")
        return
    async with serve(Kinesis(SystemClock(), Limits.unthrottled())) as server:
        yield server.url


class Stream:
    """One stream and a client, with the calls that every test makes."""

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name

    async def make(self, shards: int) -> None:
        await self.client.create_stream(StreamName=self.name, ShardCount=shards)
        await self.active()

    async def active(self) -> dict[str, Any]:
        for _ in range(5000):
            answer = await self.client.describe_stream_summary(StreamName=self.name)
            summary: dict[str, Any] = answer["StreamDescriptionSummary"]
            if summary["StreamStatus"] == "ACTIVE":
                return summary
        raise AssertionError("the stream does not become active")

    async def shards(self, **arguments: Any) -> list[dict[str, Any]]:
        answer = await self.client.list_shards(StreamName=self.name, **arguments)
        found: list[dict[str, Any]] = answer["Shards"]
        return found

    async def open_shards(self) -> list[dict[str, Any]]:
        shards = [s for s in await self.shards() if "EndingSequenceNumber" not in s["SequenceNumberRange"]]
        return sorted(shards, key=lambda shard: keys_of(shard)[0])

    async def put(self, *payloads: bytes, key: str = "k", hash_key: int | None = None) -> list[dict[str, Any]]:
        explicit = {} if hash_key is None else {"ExplicitHashKey": str(hash_key)}
        records = [{"Data": payload, "PartitionKey": key, **explicit} for payload in payloads]
        answer = await self.client.put_records(StreamName=self.name, Records=records)
        assert answer.get("FailedRecordCount", 0) == 0
        placed: list[dict[str, Any]] = answer["Records"]
        return placed

    async def iterator(self, shard: str, kind: str = "TRIM_HORIZON", **arguments: Any) -> str:
        answer = await self.client.get_shard_iterator(
            StreamName=self.name, ShardId=shard, ShardIteratorType=kind, **arguments
        )
        iterator: str = answer["ShardIterator"]
        return iterator

    async def read(self, shard: str, kind: str = "TRIM_HORIZON", **arguments: Any) -> list[dict[str, Any]]:
        records, _ = await self.read_on(await self.iterator(shard, kind, **arguments))
        return records

    async def read_on(self, iterator: str | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Read until there is nothing more, or the shard has ended."""
        records: list[dict[str, Any]] = []
        empty = 0
        answer: dict[str, Any] = {}
        while iterator and empty < 2:
            answer = await self.client.get_records(ShardIterator=iterator)
            records += answer["Records"]
            iterator = answer.get("NextShardIterator")
            empty = 0 if answer["Records"] else empty + 1
        return records, answer

    async def split(self, shard: dict[str, Any]) -> list[dict[str, Any]]:
        first, last = keys_of(shard)
        middle = str((first + last + 1) // 2)
        await self.client.split_shard(StreamName=self.name, ShardToSplit=shard["ShardId"], NewStartingHashKey=middle)
        await self.active()
        return [s for s in await self.shards() if s.get("ParentShardId") == shard["ShardId"]]

    async def merge(self, shard: dict[str, Any], adjacent: dict[str, Any]) -> dict[str, Any]:
        await self.client.merge_shards(
            StreamName=self.name, ShardToMerge=shard["ShardId"], AdjacentShardToMerge=adjacent["ShardId"]
        )
        await self.active()
        (merged,) = [s for s in await self.shards() if s.get("AdjacentParentShardId")]
        return merged

    async def scale(self, shards: int) -> None:
        await self.client.update_shard_count(
            StreamName=self.name, TargetShardCount=shards, ScalingType="UNIFORM_SCALING"
        )
        await self.active()


def keys_of(shard: dict[str, Any]) -> tuple[int, int]:
    held = shard["HashKeyRange"]
    return int(held["StartingHashKey"]), int(held["EndingHashKey"])


def ids(shards: list[dict[str, Any]]) -> list[str]:
    return sorted(shard["ShardId"] for shard in shards)


@pytest.fixture
async def stream(url: str, request: pytest.FixtureRequest) -> AsyncIterator[Stream]:
    # The other emulator outlives a test: names tell the tests' streams apart.
    name = hashlib.md5(request.node.nodeid.encode(), usedforsecurity=False).hexdigest()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            SESSION.create_client(
                "kinesis",
                region_name="us-east-1",
                endpoint_url=url,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=AioConfig(retries={"total_max_attempts": 1}, read_timeout=30, max_pool_connections=20),
            )
        )
        yield Stream(client, name)


async def code_of(call: Any) -> str:
    with pytest.raises(ClientError) as error:
        await call
    code: str = error.value.response["Error"]["Code"]
    return code


async def test_records_come_out_as_they_went_in_and_in_order(stream: Stream) -> None:
    await stream.make(1)
    payloads = [b"%d \x00\xff" % i for i in range(50)]
    await stream.put(*payloads[:30], key="clé")
    await stream.put(*payloads[30:], key="clé")
    found = await stream.read("shardId-000000000000")
    assert [(r["Data"], r["PartitionKey"]) for r in found] == [(payload, "clé") for payload in payloads]


async def test_sequence_numbers_have_56_digits_and_increase_in_a_shard(stream: Stream) -> None:
    await stream.make(1)
    numbers = [placed["SequenceNumber"] for placed in await stream.put(*[b"x"] * 50)]
    numbers += [placed["SequenceNumber"] for placed in await stream.put(*[b"x"] * 50)]
    assert ({len(number) for number in numbers}, sorted(set(numbers))) == ({56}, numbers)


async def test_sequence_numbers_are_unique_over_all_shards(stream: Stream) -> None:
    await stream.make(4)
    numbers = [
        placed["SequenceNumber"] for i in range(40) for placed in await stream.put(b"x", hash_key=i * HASH_KEYS // 40)
    ]
    assert len(set(numbers)) == 40


async def test_a_partition_key_goes_where_its_md5_says(stream: Stream) -> None:
    await stream.make(4)
    for i in range(40):
        await stream.put(b"x", key=f"k{i}")
    wrong = []
    for shard in await stream.shards():
        first, last = keys_of(shard)
        for record in await stream.read(shard["ShardId"]):
            hashed = int(hashlib.md5(record["PartitionKey"].encode(), usedforsecurity=False).hexdigest(), 16)
            if not first <= hashed <= last:
                wrong.append((shard["ShardId"], record["PartitionKey"]))
    assert wrong == []


async def test_an_explicit_hash_key_overrides_the_partition_key(stream: Stream) -> None:
    await stream.make(4)
    expected = {}
    for shard in await stream.shards():
        for key in keys_of(shard):
            (placed,) = await stream.put(b"x", hash_key=key)
            expected[key] = (placed["ShardId"], shard["ShardId"])
    assert all(placed == asked for placed, asked in expected.values())


async def test_put_record_tells_where_the_record_is(stream: Stream) -> None:
    await stream.make(2)
    placed = await stream.client.put_record(StreamName=stream.name, Data=b"one", PartitionKey="k")
    (record,) = await stream.read(placed["ShardId"])
    assert (record["Data"], record["SequenceNumber"]) == (b"one", placed["SequenceNumber"])


async def test_records_put_at_the_same_time_are_all_kept(stream: Stream) -> None:
    await stream.make(2)
    async with asyncio.TaskGroup() as group:
        for i in range(10):
            group.create_task(stream.put(*[b"%d-%d" % (i, j) for j in range(50)], key=f"k{i}"))
    found = [record["Data"] for shard in await stream.shards() for record in await stream.read(shard["ShardId"])]
    assert sorted(found) == sorted(b"%d-%d" % (i, j) for i in range(10) for j in range(50))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        pytest.param("AT_SEQUENCE_NUMBER", [b"2", b"3"], id="at a sequence number"),
        pytest.param("AFTER_SEQUENCE_NUMBER", [b"3"], id="after a sequence number"),
    ],
)
async def test_an_iterator_finds_a_sequence_number(stream: Stream, kind: str, expected: list[bytes]) -> None:
    await stream.make(1)
    placed = await stream.put(b"1", b"2", b"3")
    found = await stream.read("shardId-000000000000", kind, StartingSequenceNumber=placed[1]["SequenceNumber"])
    assert [record["Data"] for record in found] == expected


async def test_an_iterator_at_the_start_of_a_shard_finds_everything(stream: Stream) -> None:
    await stream.make(1)
    await stream.put(b"1", b"2")
    (shard,) = await stream.shards()
    start = shard["SequenceNumberRange"]["StartingSequenceNumber"]
    found = await stream.read(shard["ShardId"], "AT_SEQUENCE_NUMBER", StartingSequenceNumber=start)
    assert [record["Data"] for record in found] == [b"1", b"2"]


async def test_an_iterator_at_the_tip_finds_what_comes_and_not_what_was(stream: Stream) -> None:
    await stream.make(1)
    await stream.put(b"before")
    iterator = await stream.iterator("shardId-000000000000", "LATEST")
    await stream.put(b"after")
    found, _ = await stream.read_on(iterator)
    assert [record["Data"] for record in found] == [b"after"]


async def test_an_iterator_at_a_time_finds_what_arrived_since(stream: Stream) -> None:
    await stream.make(1)
    await stream.put(b"1", b"2")
    long_ago = datetime.now(UTC) - timedelta(hours=1)  # noqa: TID251 - two services' own clocks are compared
    found = await stream.read("shardId-000000000000", "AT_TIMESTAMP", Timestamp=long_ago)
    assert [record["Data"] for record in found] == [b"1", b"2"]


async def test_an_iterator_at_the_time_of_a_record_finds_it(stream: Stream) -> None:
    await stream.make(1)
    await stream.put(b"1", b"2")
    (first, *_) = await stream.read("shardId-000000000000")
    found = await stream.read("shardId-000000000000", "AT_TIMESTAMP", Timestamp=first["ApproximateArrivalTimestamp"])
    assert [record["Data"] for record in found] == [b"1", b"2"]


async def test_a_limit_bounds_an_answer_and_the_next_goes_on(stream: Stream) -> None:
    await stream.make(1)
    await stream.put(b"1", b"2", b"3")
    answer = await stream.client.get_records(ShardIterator=await stream.iterator("shardId-000000000000"), Limit=2)
    rest, _ = await stream.read_on(answer["NextShardIterator"])
    assert ([r["Data"] for r in answer["Records"]], [r["Data"] for r in rest]) == ([b"1", b"2"], [b"3"])


async def test_an_iterator_may_be_used_twice(stream: Stream) -> None:
    await stream.make(1)
    await stream.put(b"1", b"2")
    iterator = await stream.iterator("shardId-000000000000")
    assert (await stream.read_on(iterator))[0] == (await stream.read_on(iterator))[0]


# Half a minute on a slow machine at kinesis-local, which takes 1 MB/s.
@pytest.mark.parametrize("url", ["emulator"], indirect=True)
async def test_an_answer_holds_ten_mebibytes_at_most(stream: Stream) -> None:
    await stream.make(1)
    for _ in range(16):
        await stream.put(bytes(700_000))
    answer = await stream.client.get_records(ShardIterator=await stream.iterator("shardId-000000000000"))
    rest, _ = await stream.read_on(answer["NextShardIterator"])
    size = sum(len(record["Data"]) for record in answer["Records"])
    assert (size <= 10 * 2**20, len(answer["Records"]) + len(rest)) == (True, 16)


async def test_a_reader_at_the_tip_is_not_behind(stream: Stream) -> None:
    await stream.make(1)
    await stream.put(b"1", b"2")
    _, answer = await stream.read_on(await stream.iterator("shardId-000000000000"))
    assert answer["MillisBehindLatest"] == 0


async def test_a_split_shard_ends_and_names_its_children(stream: Stream) -> None:
    await stream.make(1)
    await stream.put(b"before")
    (parent,) = await stream.shards()
    iterator = await stream.iterator(parent["ShardId"])
    children = await stream.split(parent)
    found, answer = await stream.read_on(iterator)
    assert [record["Data"] for record in found] == [b"before"]
    assert answer.get("NextShardIterator") is None
    assert ids(answer["ChildShards"]) == ids(children)
    assert {tuple(child["ParentShards"]) for child in answer["ChildShards"]} == {(parent["ShardId"],)}
    assert sorted(map(keys_of, answer["ChildShards"])) == sorted(map(keys_of, children))


@holds_for_ours("the ending number is 2**63 - 1, smaller than any other")
async def test_a_closed_shard_has_an_ending_sequence_number_beyond_its_records(stream: Stream) -> None:
    await stream.make(1)
    (placed,) = await stream.put(b"1")
    (parent,) = await stream.shards()
    await stream.split(parent)
    (closed,) = [shard for shard in await stream.shards() if shard["ShardId"] == parent["ShardId"]]
    assert int(closed["SequenceNumberRange"]["EndingSequenceNumber"]) > int(placed["SequenceNumber"])


async def test_children_get_what_is_put_after_the_split(stream: Stream) -> None:
    await stream.make(1)
    (parent,) = await stream.shards()
    children = await stream.split(parent)
    for child in children:
        await stream.put(b"after", hash_key=keys_of(child)[1])
    assert [len(await stream.read(child["ShardId"])) for child in children] == [1, 1]


async def test_a_childs_sequence_numbers_are_beyond_its_parents(stream: Stream) -> None:
    await stream.make(1)
    (before,) = await stream.put(b"before")
    (parent,) = await stream.shards()
    await stream.split(parent)
    (after,) = await stream.put(b"after")
    assert int(after["SequenceNumber"]) > int(before["SequenceNumber"])


async def test_merged_shards_end_and_name_their_common_child(stream: Stream) -> None:
    await stream.make(2)
    left, right = await stream.open_shards()
    iterators = [await stream.iterator(shard["ShardId"]) for shard in (left, right)]
    merged = await stream.merge(left, right)
    assert (keys_of(merged), {merged["ParentShardId"], merged["AdjacentParentShardId"]}) == (
        (0, HASH_KEYS - 1),
        {left["ShardId"], right["ShardId"]},
    )
    for iterator in iterators:
        _, answer = await stream.read_on(iterator)
        assert answer.get("NextShardIterator") is None
        assert ids(answer["ChildShards"]) == [merged["ShardId"]]
        assert sorted(answer["ChildShards"][0]["ParentShards"]) == ids([left, right])


async def test_scaling_up_halves_every_shard(stream: Stream) -> None:
    await stream.make(2)
    await stream.scale(4)
    widths = [last - first + 1 for first, last in map(keys_of, await stream.open_shards())]
    # One rounds up and the other down.
    assert (len(widths), sum(widths), max(widths) - min(widths) <= 2) == (4, HASH_KEYS, True)


async def test_scaling_down_covers_every_hash_key(stream: Stream) -> None:
    await stream.make(4)
    await stream.scale(2)
    bounds = [keys_of(shard) for shard in await stream.open_shards()]
    assert (len(bounds), bounds[0][0], bounds[0][1] + 1, bounds[1][1]) == (2, 0, bounds[1][0], HASH_KEYS - 1)


@pytest.mark.parametrize("target", [pytest.param(5, id="more than double"), pytest.param(1, id="less than half")])
async def test_scaling_too_far_at_once_is_refused(stream: Stream, target: int) -> None:
    await stream.make(4 if target == 1 else 2)
    assert await code_of(stream.scale(target)) in ("LimitExceededException", "InvalidArgumentException")


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),
    [
        pytest.param("AT_LATEST", {}, "open", id="open ones"),
        pytest.param("FROM_TRIM_HORIZON", {}, "all", id="all within the retention"),
        pytest.param("AFTER_SHARD_ID", {"ShardId": "shardId-000000000000"}, "others", id="after one"),
    ],
)
async def test_a_shard_filter_chooses(stream: Stream, kind: str, arguments: dict[str, Any], expected: str) -> None:
    await stream.make(1)
    everything = await stream.shards()
    children = await stream.split(everything[0])
    chosen = {"open": children, "all": everything + children, "others": children}[expected]
    assert ids(await stream.shards(ShardFilter={"Type": kind, **arguments})) == ids(chosen)


@holds_for_ours("AT_TRIM_HORIZON gives every shard")
async def test_the_shards_at_the_trim_horizon_are_those_without_living_parents(stream: Stream) -> None:
    await stream.make(1)
    (parent,) = await stream.shards()
    await stream.split(parent)
    assert ids(await stream.shards(ShardFilter={"Type": "AT_TRIM_HORIZON"})) == [parent["ShardId"]]


async def test_shards_are_listed_page_by_page(stream: Stream) -> None:
    await stream.make(3)
    first = await stream.client.list_shards(StreamName=stream.name, MaxResults=2)
    second = await stream.client.list_shards(NextToken=first["NextToken"])
    assert (len(first["Shards"]), ids(first["Shards"] + second["Shards"])) == (2, ids(await stream.shards()))
    assert "NextToken" not in second


async def test_a_token_and_a_stream_at_once_are_refused(stream: Stream) -> None:
    await stream.make(3)
    first = await stream.client.list_shards(StreamName=stream.name, MaxResults=2)
    call = stream.client.list_shards(StreamName=stream.name, NextToken=first["NextToken"])
    assert await code_of(call) == "InvalidArgumentException"


async def test_a_stream_may_be_named_by_its_arn(stream: Stream) -> None:
    await stream.make(2)
    arn = (await stream.active())["StreamARN"]
    assert arn.endswith(f":stream/{stream.name}")
    answer = await stream.client.list_shards(StreamARN=arn)
    await stream.client.put_record(StreamARN=arn, Data=b"x", PartitionKey="k")
    assert ids(answer["Shards"]) == ids(await stream.shards())


async def test_a_stream_is_described(stream: Stream) -> None:
    await stream.make(2)
    answer = await stream.client.describe_stream(StreamName=stream.name)
    described = answer["StreamDescription"]
    assert (described["StreamStatus"], described["RetentionPeriodHours"], described["HasMoreShards"]) == (
        "ACTIVE",
        24,
        False,
    )
    assert ids(described["Shards"]) == ids(await stream.shards())


async def test_a_stream_counts_its_open_shards(stream: Stream) -> None:
    await stream.make(1)
    (parent,) = await stream.shards()
    await stream.split(parent)
    assert (await stream.active())["OpenShardCount"] == 2


async def test_a_stream_is_listed_until_it_is_deleted(stream: Stream) -> None:
    await stream.make(1)
    assert stream.name in (await stream.client.list_streams(Limit=1000))["StreamNames"]
    await stream.client.delete_stream(StreamName=stream.name)
    for _ in range(5000):
        if stream.name not in (await stream.client.list_streams(Limit=1000))["StreamNames"]:
            break
    call = stream.client.describe_stream_summary(StreamName=stream.name)
    assert await code_of(call) == "ResourceNotFoundException"


async def test_the_retention_is_raised_and_lowered(stream: Stream) -> None:
    await stream.make(1)
    await stream.client.increase_stream_retention_period(StreamName=stream.name, RetentionPeriodHours=48)
    raised = (await stream.active())["RetentionPeriodHours"]
    await stream.client.decrease_stream_retention_period(StreamName=stream.name, RetentionPeriodHours=30)
    assert (raised, (await stream.active())["RetentionPeriodHours"]) == (48, 30)


@pytest.mark.parametrize(
    ("call", "hours"),
    [
        pytest.param("increase_stream_retention_period", 23, id="less than a day"),
        pytest.param("increase_stream_retention_period", 8761, id="more than a year"),
        pytest.param("decrease_stream_retention_period", 48, id="lowered to more"),
    ],
)
async def test_a_retention_out_of_bounds_is_refused(stream: Stream, call: str, hours: int) -> None:
    await stream.make(1)
    refused = getattr(stream.client, call)(StreamName=stream.name, RetentionPeriodHours=hours)
    assert await code_of(refused) == "InvalidArgumentException"


async def test_tags_are_set_told_and_taken_off(stream: Stream) -> None:
    await stream.make(1)
    await stream.client.add_tags_to_stream(StreamName=stream.name, Tags={"a": "1", "b": "2"})
    await stream.client.remove_tags_from_stream(StreamName=stream.name, TagKeys=["a"])
    answer = await stream.client.list_tags_for_stream(StreamName=stream.name)
    assert answer["Tags"] == [{"Key": "b", "Value": "2"}]


async def test_a_stream_is_not_made_twice(stream: Stream) -> None:
    await stream.make(1)
    call = stream.client.create_stream(StreamName=stream.name, ShardCount=1)
    assert await code_of(call) == "ResourceInUseException"


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        pytest.param("describe_stream_summary", {}, id="describing it"),
        pytest.param("list_shards", {}, id="listing its shards"),
        pytest.param("put_record", {"Data": b"x", "PartitionKey": "k"}, id="putting a record"),
        pytest.param(
            "get_shard_iterator",
            {"ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST"},
            id="asking for an iterator",
        ),
    ],
)
async def test_a_stream_that_is_not_there_is_not_found(stream: Stream, call: str, arguments: dict[str, Any]) -> None:
    refused = getattr(stream.client, call)(StreamName=stream.name, **arguments)
    assert await code_of(refused) == "ResourceNotFoundException"


async def test_a_shard_that_is_not_there_is_not_found(stream: Stream) -> None:
    await stream.make(1)
    assert await code_of(stream.iterator("shardId-000000000009", "LATEST")) == "ResourceNotFoundException"


@holds_for_ours("an internal error, status 500")
async def test_an_iterator_that_is_none_is_refused(stream: Stream) -> None:
    await stream.make(1)
    assert await code_of(stream.client.get_records(ShardIterator="x" * 80)) == "InvalidArgumentException"


@holds_for_ours("it is taken as the start of the shard")
async def test_a_sequence_number_that_is_none_is_refused(stream: Stream) -> None:
    await stream.make(1)
    call = stream.iterator("shardId-000000000000", "AT_SEQUENCE_NUMBER", StartingSequenceNumber="123")
    assert await code_of(call) == "InvalidArgumentException"


async def test_a_kind_of_iterator_that_needs_a_sequence_number_demands_one(stream: Stream) -> None:
    await stream.make(1)
    assert await code_of(stream.iterator("shardId-000000000000", "AT_SEQUENCE_NUMBER")) == "InvalidArgumentException"


async def test_a_kind_of_iterator_that_needs_a_time_demands_one(stream: Stream) -> None:
    await stream.make(1)
    assert await code_of(stream.iterator("shardId-000000000000", "AT_TIMESTAMP")) == "InvalidArgumentException"


@holds_for_ours("it is accepted")
async def test_an_iterator_at_a_time_to_come_is_refused(stream: Stream) -> None:
    await stream.make(1)
    tomorrow = datetime.now(UTC) + timedelta(days=1)  # noqa: TID251 - two services' own clocks are compared
    call = stream.iterator("shardId-000000000000", "AT_TIMESTAMP", Timestamp=tomorrow)
    assert await code_of(call) == "InvalidArgumentException"


@holds_for_ours("InvalidArgumentException")
async def test_a_limit_beyond_ten_thousand_does_not_validate(stream: Stream) -> None:
    await stream.make(1)
    call = stream.client.get_records(ShardIterator=await stream.iterator("shardId-000000000000"), Limit=10_001)
    assert await code_of(call) == "ValidationException"


@holds_for_ours("they are accepted")
async def test_more_than_500_records_in_a_call_do_not_validate(stream: Stream) -> None:
    await stream.make(1)
    assert await code_of(stream.put(*[b"x"] * 501)) == "ValidationException"


async def test_an_explicit_hash_key_beyond_128_bits_is_refused(stream: Stream) -> None:
    await stream.make(1)
    assert await code_of(stream.put(b"x", hash_key=HASH_KEYS)) == "InvalidArgumentException"


async def test_a_closed_shard_is_not_split_again(stream: Stream) -> None:
    await stream.make(1)
    (parent,) = await stream.shards()
    await stream.split(parent)
    call = stream.client.split_shard(
        StreamName=stream.name, ShardToSplit=parent["ShardId"], NewStartingHashKey=str(HASH_KEYS // 4)
    )
    assert await code_of(call) in ("InvalidArgumentException", "ResourceInUseException")


async def test_a_shard_is_not_split_outside_itself(stream: Stream) -> None:
    await stream.make(2)
    call = stream.client.split_shard(
        StreamName=stream.name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(HASH_KEYS - 5)
    )
    assert await code_of(call) == "InvalidArgumentException"


async def test_shards_that_do_not_touch_are_not_merged(stream: Stream) -> None:
    await stream.make(3)
    first, _, last = await stream.open_shards()
    call = stream.client.merge_shards(
        StreamName=stream.name, ShardToMerge=first["ShardId"], AdjacentShardToMerge=last["ShardId"]
    )
    assert await code_of(call) == "InvalidArgumentException"


def test_without_node_the_other_emulator_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(kinesis_local.Missing, match="node"):
        kinesis_local.installed()


def test_without_the_other_emulator_its_tests_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs node"):
        kinesis_local.absent("needs node")


def test_in_ci_its_tests_fail_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="not optional"):
        kinesis_local.absent("needs node")
