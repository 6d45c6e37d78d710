"""Limits of the Kinesis emulator, in time that is moved by hand."""

import json
from base64 import b64encode
from typing import Any

import msgspec
import pytest

from streamer.testing.kinesis import Kinesis, Limits
from streamer.testing.kinesis.shard import sequence_number
from streamer.testing.memory import ManualClock
from tests.strategies import START

SHARD = "shardId-000000000000"
TOO_FAST = "ProvisionedThroughputExceededException"
DAY = 86_400


class Service:
    """An emulator with one stream of one shard, its clock, and calls that give JSON or an error's code."""

    def __init__(self, **limits: Any) -> None:
        self.clock = ManualClock(START)
        self.kinesis = Kinesis(self.clock, msgspec.structs.replace(Limits(), **limits))
        self.kinesis.create_stream("s", 1)

    def call(self, operation: str, **arguments: Any) -> Any:
        answer = self.kinesis.answer(operation, json.dumps(arguments).encode())
        if answer.status != 200:
            return json.loads(answer.body)["__type"]
        return json.loads(answer.body or b"{}")

    def iterator(self, kind: str = "TRIM_HORIZON", **arguments: Any) -> Any:
        answer = self.call("GetShardIterator", StreamName="s", ShardId=SHARD, ShardIteratorType=kind, **arguments)
        return answer if isinstance(answer, str) else answer["ShardIterator"]

    def read(self, iterator: str) -> Any:
        answer = self.call("GetRecords", ShardIterator=iterator)
        return answer if isinstance(answer, str) else len(answer["Records"])

    def put(self, size: int, count: int = 1) -> list[str]:
        records = [{"Data": b64encode(bytes(size - 1)).decode(), "PartitionKey": "k"}] * count
        answer = self.call("PutRecords", StreamName="s", Records=records)
        return [entry.get("ErrorCode", "OK") for entry in answer["Records"]]


def test_a_shard_is_read_five_times_a_second() -> None:
    service = Service()
    iterator = service.iterator()
    assert [service.read(iterator) for _ in range(7)] == [0, 0, 0, 0, 0, TOO_FAST, TOO_FAST]


def test_a_shard_may_be_read_again_a_second_later() -> None:
    service = Service()
    iterator = service.iterator()
    for _ in range(5):
        service.read(iterator)
    service.clock.move(1)
    assert service.read(iterator) == 0


def test_every_shard_has_its_own_reads() -> None:
    service = Service()
    iterator = service.iterator()
    service.kinesis.split("s", SHARD)
    other = service.call(
        "GetShardIterator", StreamName="s", ShardId="shardId-000000000001", ShardIteratorType="LATEST"
    )["ShardIterator"]
    for _ in range(5):
        service.read(iterator)
    assert service.read(other) == 0


def test_two_mebibytes_are_read_a_second() -> None:
    service = Service()
    for _ in range(4):
        service.kinesis.put("s", bytes(2**20), "k")
    iterator = service.iterator()
    first = service.call("GetRecords", ShardIterator=iterator, Limit=2)
    assert service.read(first["NextShardIterator"]) == TOO_FAST


def test_a_full_answer_costs_five_seconds() -> None:
    service = Service()
    for _ in range(20):
        service.kinesis.put("s", bytes(2**20 - 1), "k")
    answer = service.call("GetRecords", ShardIterator=service.iterator())
    service.clock.move(4.9)
    early = service.read(answer["NextShardIterator"])
    service.clock.move(0.1)
    assert (len(answer["Records"]), early, service.read(answer["NextShardIterator"])) == (10, TOO_FAST, 10)


def test_a_record_of_more_than_an_answer_is_read_alone() -> None:
    service = Service()
    service.kinesis.put("s", bytes(11 * 2**20), "k")
    service.kinesis.put("s", b"x", "k")
    assert service.read(service.iterator()) == 1


def test_a_thousand_records_are_written_a_second_and_the_rest_fail_one_by_one() -> None:
    service = Service()
    codes = service.put(10, 500) + service.put(10, 500) + service.put(10, 2)
    service.clock.move(0.5)
    codes += service.put(10, 500) + service.put(10, 1)
    assert codes == ["OK"] * 1000 + [TOO_FAST] * 2 + ["OK"] * 500 + [TOO_FAST]


def test_one_mebibyte_is_written_a_second_keys_included() -> None:
    service = Service()
    assert service.put(2**18, 5) == ["OK"] * 4 + [TOO_FAST]


def test_a_failed_record_is_not_stored() -> None:
    service = Service()
    service.put(2**18, 5)
    assert service.read(service.iterator()) == 4


def test_put_record_is_refused_beyond_the_rate() -> None:
    service = Service(writes_per_second=1)
    service.put(10)
    assert service.call("PutRecord", StreamName="s", Data="", PartitionKey="k") == TOO_FAST


def test_iterators_are_asked_for_five_times_a_second() -> None:
    service = Service()
    assert [service.iterator() == TOO_FAST for _ in range(6)] == [False] * 5 + [True]


def test_shards_are_listed_at_a_rate() -> None:
    service = Service(lists_per_second=2)
    answers = [service.call("ListShards", StreamName="s") for _ in range(3)]
    assert answers[2] == "LimitExceededException"


def test_a_stream_is_scaled_so_many_times_a_day() -> None:
    service = Service(scalings_per_day=1)
    service.kinesis.advance(0)
    target = {"StreamName": "s", "ScalingType": "UNIFORM_SCALING"}
    service.call("UpdateShardCount", TargetShardCount=2, **target)
    again = service.call("UpdateShardCount", TargetShardCount=1, **target)
    service.clock.move(DAY)
    later = service.call("UpdateShardCount", TargetShardCount=1, **target)
    assert (again, later["CurrentShardCount"]) == ("LimitExceededException", 2)


def test_there_are_so_many_shards_and_no_more() -> None:
    service = Service(shards=2)
    assert service.call("CreateStream", StreamName="t", ShardCount=2) == "LimitExceededException"


def test_without_rates_nothing_is_throttled() -> None:
    service = Service()
    service.kinesis.limits = Limits.unthrottled()
    iterator = service.iterator()
    assert ([service.read(iterator) for _ in range(20)], set(service.put(2**18, 20))) == ([0] * 20, {"OK"})


def test_an_iterator_expires_after_five_minutes() -> None:
    service = Service()
    iterator = service.iterator()
    service.clock.move(300)
    young = service.read(iterator)
    service.clock.move(0.001)
    assert (young, service.read(iterator)) == (0, "ExpiredIteratorException")


def test_every_read_gives_an_iterator_that_is_young() -> None:
    service = Service()
    iterator = service.iterator()
    for _ in range(3):
        service.clock.move(200)
        iterator = service.call("GetRecords", ShardIterator=iterator)["NextShardIterator"]
    assert service.read(iterator) == 0


def test_a_page_token_expires() -> None:
    service = Service()
    service.kinesis.split("s", SHARD)
    token = service.call("ListShards", StreamName="s", MaxResults=1)["NextToken"]
    service.clock.move(301)
    assert service.call("ListShards", NextToken=token) == "ExpiredNextTokenException"


def test_an_iterator_is_of_no_use_for_another_stream_of_the_same_name() -> None:
    service = Service()
    iterator = service.iterator()
    service.call("DeleteStream", StreamName="s")
    service.kinesis.create_stream("s", 1)
    assert service.read(iterator) == "ResourceNotFoundException"


def test_records_older_than_the_retention_are_gone() -> None:
    service = Service()
    service.kinesis.put("s", b"old", "k")
    service.clock.move(DAY)
    kept = service.read(service.iterator())
    service.kinesis.put("s", b"new", "k")
    service.clock.move(1)
    assert (kept, service.read(service.iterator())) == (1, 1)


def test_a_longer_retention_keeps_records_for_longer() -> None:
    service = Service()
    service.call("IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)
    service.kinesis.put("s", b"old", "k")
    service.clock.move(DAY + 1)
    assert service.read(service.iterator()) == 1


def test_a_reader_overtaken_by_the_retention_goes_on_with_what_is_left() -> None:
    service = Service(iterator_seconds=3 * DAY)
    service.kinesis.put("s", b"old", "k")
    iterator = service.iterator()
    service.clock.move(DAY)
    service.kinesis.put("s", b"new", "k")
    service.clock.move(1)
    answer = service.call("GetRecords", ShardIterator=iterator)
    assert [record["Data"] for record in answer["Records"]] == [b64encode(b"new").decode()]
    assert service.read(answer["NextShardIterator"]) == 0


def test_a_reader_at_the_tip_misses_nothing_when_old_records_go() -> None:
    service = Service(iterator_seconds=3 * DAY)
    service.kinesis.put("s", b"old", "k")
    iterator = service.iterator("LATEST")
    service.clock.move(DAY + 1)
    service.kinesis.put("s", b"new", "k")
    assert service.read(iterator) == 1


def test_a_reader_behind_is_told_so_when_old_records_went() -> None:
    service = Service()
    service.kinesis.put("s", b"old", "k")
    service.clock.move(DAY + 1)
    service.kinesis.put("s", b"1", "k")
    service.kinesis.put("s", b"2", "k")
    service.clock.move(3)
    answer = service.call("GetRecords", ShardIterator=service.iterator(), Limit=1)
    assert answer["MillisBehindLatest"] == 3000


@pytest.mark.parametrize(
    ("refuse", "expected"),
    [
        pytest.param(True, "InvalidArgumentException", id="refused"),
        pytest.param(False, 1, id="taken as the trim horizon"),
    ],
)
def test_a_position_older_than_the_retention_is(refuse: bool, expected: object) -> None:
    service = Service(refuse_trimmed=refuse)
    old = service.kinesis.put("s", b"old", "k").sequence_number
    service.kinesis.put("s", b"old", "k")
    service.clock.move(DAY)
    service.kinesis.put("s", b"new", "k")
    service.clock.move(1)
    iterator = service.iterator("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=old)
    assert (iterator if refuse else service.read(iterator)) == expected


def test_a_position_in_a_shard_that_was_emptied_since_is_refused() -> None:
    service = Service()
    old = service.kinesis.put("s", b"old", "k").sequence_number
    service.clock.move(DAY + 1)
    assert service.iterator("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=old) == "InvalidArgumentException"


def test_a_shard_closed_longer_ago_than_the_retention_is_gone() -> None:
    service = Service()
    service.kinesis.split("s", SHARD)
    service.clock.move(DAY)
    before = len(service.call("ListShards", StreamName="s")["Shards"])
    service.clock.move(1)
    after = len(service.call("ListShards", StreamName="s")["Shards"])
    assert (before, after, service.iterator()) == (3, 2, "ResourceNotFoundException")


def test_a_stream_that_is_being_split_keeps_its_shards_until_it_is_done() -> None:
    service = Service(transition_seconds=10)
    service.clock.move(10)
    service.kinesis.split("s", SHARD)
    service.clock.move(9.9)
    placed = service.call("PutRecord", StreamName="s", Data="", PartitionKey="k")
    during = service.call("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
    service.clock.move(0.1)
    after = service.call("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
    assert placed["ShardId"] == SHARD
    assert (during["StreamStatus"], during["OpenShardCount"]) == ("UPDATING", 1)
    assert (after["StreamStatus"], after["OpenShardCount"]) == ("ACTIVE", 2)


def test_a_stream_that_is_being_split_takes_no_other_change() -> None:
    service = Service(transition_seconds=10)
    service.clock.move(10)
    service.kinesis.split("s", SHARD)
    call = {"StreamName": "s", "ShardToSplit": SHARD, "NewStartingHashKey": "1000"}
    assert service.call("SplitShard", **call) == "ResourceInUseException"


def test_a_stream_that_is_being_made_takes_no_records_yet() -> None:
    service = Service(transition_seconds=10)
    early = service.call("PutRecord", StreamName="s", Data="", PartitionKey="k")
    service.clock.move(10)
    late = service.call("PutRecord", StreamName="s", Data="", PartitionKey="k")
    assert (early, late["ShardId"]) == ("ResourceNotFoundException", SHARD)


def test_a_stream_that_is_being_deleted_is_still_described() -> None:
    service = Service(transition_seconds=10)
    service.clock.move(10)
    service.call("DeleteStream", StreamName="s")
    during = service.call("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamStatus"]
    service.clock.move(10)
    assert (during, service.call("DescribeStreamSummary", StreamName="s")) == ("DELETING", "ResourceNotFoundException")


def test_a_reader_behind_is_told_for_how_long_the_next_record_has_been_there() -> None:
    service = Service()
    service.kinesis.put("s", b"1", "k")
    service.kinesis.put("s", b"2", "k")
    service.clock.move(7.5)
    answer = service.call("GetRecords", ShardIterator=service.iterator(), Limit=1)
    assert answer["MillisBehindLatest"] == 7500


class Unsteady(ManualClock):
    """A clock that may be put back."""

    back = 0

    def now(self) -> int:
        return super().now() - self.back


def test_arrival_does_not_go_back_when_the_clock_does() -> None:
    clock = Unsteady(START)
    kinesis = Kinesis(clock)
    kinesis.create_stream("s", 1)
    clock.move(5)
    kinesis.put("s", b"1", "k")
    clock.back = 3000
    assert kinesis.put("s", b"2", "k").approximate_arrival_timestamp == START / 1000 + 5


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        pytest.param("PutRecord", b"{", "SerializationException", id="broken JSON"),
        pytest.param("PutRecord", b'{"StreamName": 3}', "SerializationException", id="a number for a name"),
        pytest.param(
            "PutRecord",
            b'{"StreamName": "s", "Data": "?", "PartitionKey": "k"}',
            "SerializationException",
            id="data that is not base64",
        ),
        pytest.param("PutRecord", b'{"StreamName": "s", "Data": ""}', "ValidationException", id="no partition key"),
        pytest.param(
            "PutRecord",
            b'{"StreamName": "s", "Data": "", "PartitionKey": ""}',
            "ValidationException",
            id="an empty partition key",
        ),
        pytest.param("ListShards", b'{"StreamName": "s!"}', "ValidationException", id="a name with other characters"),
        pytest.param("PutRecords", b'{"StreamName": "s", "Records": []}', "ValidationException", id="no records"),
        pytest.param("DescribeStreamSummary", b"{}", "ValidationException", id="no stream"),
        pytest.param(
            "DescribeStreamSummary",
            b'{"StreamName": "s", "StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/t"}',
            "InvalidArgumentException",
            id="a name and another's ARN",
        ),
        pytest.param(
            "GetShardIterator",
            b'{"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "EARLIEST"}',
            "ValidationException",
            id="an unknown kind of iterator",
        ),
        pytest.param(
            "ListShards",
            b'{"StreamName": "s", "ShardFilter": {"Type": "AFTER_SHARD_ID"}}',
            "InvalidArgumentException",
            id="a filter after no shard",
        ),
        pytest.param(
            "ListShards",
            b'{"StreamName": "s", "ShardFilter": {"Type": "AT_TIMESTAMP"}}',
            "InvalidArgumentException",
            id="a filter at no time",
        ),
        pytest.param(
            "ListShards",
            b'{"StreamName": "s", "ShardFilter": {"Type": "FROM_TIMESTAMP", "Timestamp": 99999999999}}',
            "InvalidArgumentException",
            id="a filter at a time to come",
        ),
        pytest.param("ListShards", b'{"NextToken": "e30="}', "InvalidArgumentException", id="a token that is none"),
        pytest.param("SubscribeToShard", b"{}", "UnknownOperationException", id="a call it does not know"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused(operation: str, body: bytes, code: str) -> None:
    answer = Service().kinesis.answer(operation, body)
    assert (answer.status, json.loads(answer.body)["__type"]) == (400, code)


def test_a_record_larger_than_the_stream_takes_refuses_the_whole_call() -> None:
    service = Service()
    large = b64encode(bytes(2**20)).decode()
    records = [{"Data": data, "PartitionKey": "k"} for data in ("", large)]
    refused = service.call("PutRecords", StreamName="s", Records=records)
    assert (refused, service.read(service.iterator())) == ("InvalidArgumentException", 0)


def test_records_of_more_than_a_call_takes_refuse_the_whole_call() -> None:
    service = Service()
    large = b64encode(bytes(2**20 - 1)).decode()
    records = [{"Data": large, "PartitionKey": "k"}] * 11
    refused = service.call("PutRecords", StreamName="s", Records=records)
    assert (refused, service.read(service.iterator())) == ("InvalidArgumentException", 0)


def test_a_sequence_number_of_another_shard_is_refused() -> None:
    service = Service()
    service.kinesis.create_stream("t", 2)
    other = service.kinesis.put("t", b"x", "k", 2**127).sequence_number
    call = {"StreamName": "t", "ShardId": SHARD, "ShardIteratorType": "AT_SEQUENCE_NUMBER"}
    assert service.call("GetShardIterator", StartingSequenceNumber=other, **call) == "InvalidArgumentException"


def test_a_sequence_number_of_another_stream_is_refused() -> None:
    service = Service()
    service.kinesis.create_stream("t", 1)
    other = service.kinesis.put("t", b"x", "k").sequence_number
    assert service.iterator("AT_SEQUENCE_NUMBER", StartingSequenceNumber=other) == "InvalidArgumentException"


def test_a_sequence_number_beyond_the_end_of_a_shard_is_refused() -> None:
    service = Service()
    service.kinesis.split("s", SHARD)
    beyond = sequence_number(START, 1000, 0)
    assert service.iterator("AT_SEQUENCE_NUMBER", StartingSequenceNumber=beyond) == "InvalidArgumentException"


def test_an_iterator_is_of_no_use_with_the_name_of_another_stream() -> None:
    service = Service()
    service.kinesis.create_stream("t", 1)
    refused = service.call("GetRecords", ShardIterator=service.iterator(), StreamName="t")
    assert refused == "InvalidArgumentException"


def test_a_retention_is_not_raised_to_less() -> None:
    service = Service()
    service.call("IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)
    refused = service.call("IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=30)
    assert refused == "InvalidArgumentException"


def test_streams_are_listed_page_by_page() -> None:
    service = Service()
    service.kinesis.create_stream("t", 1)
    first = service.call("ListStreams", Limit=1)
    second = service.call("ListStreams", Limit=1, NextToken=first["NextToken"])
    assert (first["StreamNames"], second["StreamNames"], second["HasMoreStreams"]) == (["s"], ["t"], False)


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="time"):
        Service().kinesis.advance(-1)


def test_calls_are_counted_by_outcome() -> None:
    service = Service()
    service.call("ListShards", StreamName="s")
    service.call("ListShards", StreamName="t")
    assert service.kinesis.calls == {("ListShards", "OK"): 1, ("ListShards", "ResourceNotFoundException"): 1}
