import gzip
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.decode.batch import BatchDecoder, Decoded
from streamer.core.decode.names import Names, names_in_partition_key
from streamer.core.decode.unwrap import unwrap
from streamer.core.settings import Limits as DecoderLimits
from streamer.core.types import Key
from streamer.producer import (
    CaptureWriter,
    NotPut,
    Origin,
    Payload,
    Put,
    Record,
    TooLarge,
    Written,
    capture_line,
    put_records,
    record_of,
)
from streamer.testing.kinesis import Deny, FailEntries, Kinesis, Limits, Missing, Reset, Throttle, Truncate, Unavailable
from streamer.testing.memory import ManualClock
from tests.deploy import client, held, served
from tests.strategies import NOW, START, batch, capture

ORIGIN = Origin(endpoint="churn", variant="AllTraffic", model_version="7")
KEY = ORIGIN.partition_key
AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def decoded(*records: Record, record_bytes: int = 2**20) -> Decoded:
    """What the reader makes of records."""
    payloads = [line for record in records for line in unwrap(record.data)]
    keys = [record.partition_key for record in records for _ in unwrap(record.data)]
    limits = DecoderLimits(record_bytes=record_bytes)
    return BatchDecoder(limits, Names(), lambda names, _: Key(*names)).decode(batch(*payloads, keys=keys), NOW)


# Captures


@pytest.mark.parametrize(
    ("payload", "data", "encoding"),
    [
        pytest.param(Payload(b"1,2", "text/csv"), "1,2", "CSV", id="CSV is text"),
        pytest.param(Payload("é", "text/csv; charset=utf-8"), "é", "CSV", id="a content type has parameters"),
        pytest.param(Payload(b'{"a":1}', "Application/JSON"), '{"a":1}', "JSON", id="JSON is text"),
        pytest.param(Payload(b"{}\n{}", "application/jsonlines"), "{}\n{}", "JSON", id="JSON Lines are text"),
        pytest.param(Payload(b"\x93N", "application/x-npy"), "k04=", "BASE64", id="other types are BASE64"),
        pytest.param(Payload(b"\xff", "text/csv"), "/w==", "BASE64", id="what is no UTF-8 is BASE64"),
        pytest.param(Payload(b"1", None), "MQ==", "BASE64", id="without a content type it is BASE64"),
    ],
)
def test_a_side_is_captured_as_sagemaker_does(payload: Payload, data: str, encoding: str) -> None:
    line = capture_line(payload, None, event_id="id-1", inferred_at=AT)
    assert json.loads(line)["captureData"]["endpointInput"] == {
        "observedContentType": payload.content_type,
        "mode": "INPUT",
        "data": data,
        "encoding": encoding,
    }


def test_a_capture_has_the_callers_ids_and_its_time_in_utc() -> None:
    at = datetime(2026, 1, 5, 10, 30, 1, 999_000, tzinfo=timezone(timedelta(hours=1)))
    line = capture_line(
        None, Payload("1"), event_id="id-1", inferred_at=at, inference_id="order-1", custom_attributes=["a=b"]
    )
    assert json.loads(line)["eventMetadata"] == {
        "eventId": "id-1",
        "inferenceId": "order-1",
        "inferenceTime": "2026-01-05T09:30:01Z",
        "customAttributes": ["a=b"],
    }


@pytest.mark.parametrize(
    ("request_", "event_id", "at"),
    [
        pytest.param(None, "id-1", AT, id="it has no side"),
        pytest.param(Payload("1"), "", AT, id="it has no id"),
        pytest.param(Payload("1"), "id-1", AT.replace(tzinfo=None), id="its time has no zone"),
    ],
)
def test_a_capture_is_refused_when(request_: Payload | None, event_id: str, at: datetime) -> None:
    with pytest.raises(ValueError, match="a capture has"):
        capture_line(request_, None, event_id=event_id, inferred_at=at)


@given(
    st.text(st.characters(exclude_categories=["Cs"])) | st.binary(),
    st.sampled_from(["text/csv", "application/json", "image/png", None]),
)
def test_the_reader_gets_every_payload_as_it_was(data: str | bytes, content_type: str | None) -> None:
    line = capture_line(Payload(data, content_type), None, event_id="id-1", inferred_at=AT)
    (captures,) = decoded(record_of(line, ORIGIN)).captures.values()
    side = captures.sides[0].endpointInput
    expected = json.loads(line)["captureData"]["endpointInput"]
    assert side is not None
    assert (side.data, side.encoding, side.observedContentType) == (
        expected["data"],
        expected["encoding"],
        content_type,
    )
    assert captures.event_at.tolist() == [START]


# Records


def test_the_reader_learns_endpoint_variant_and_version_from_a_record() -> None:
    assert list(decoded(record_of(capture(), ORIGIN)).captures) == [Key("churn", "AllTraffic", "7")]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"\x00\xff\xfe junk ", id="binary"),
        pytest.param(b"[1]", id="a JSON array"),
        pytest.param(b'{"a":', id="torn JSON"),
        pytest.param('{"a":1}'.encode("utf-16"), id="JSON in UTF-16"),
        pytest.param(b'{"a":' * 100_000, id="nesting without end"),
        pytest.param(b'{"a":%s}' % (b"9" * 5000), id="a number beyond measure"),
        pytest.param(b'{"endpoint":"other","capture":{}}', id="an envelope"),
    ],
)
def test_a_line_is_left_as_it_is_when_it_is(line: bytes) -> None:
    assert record_of(line, ORIGIN) == Record(line, KEY)


@given(st.binary(max_size=50) | st.sampled_from([b"{}", b' {"a":1} ', capture()]), st.integers(20, 400))
def test_no_record_is_larger_than_allowed(line: bytes, most_bytes: int) -> None:
    try:
        record = record_of(line, ORIGIN, most_bytes=most_bytes)
    except TooLarge:
        assert len(gzip.compress(line)) + len(KEY) > most_bytes
    else:
        assert record.size <= most_bytes


def test_a_line_that_only_its_envelope_makes_too_large_goes_without() -> None:
    line = capture()
    assert record_of(line, ORIGIN, most_bytes=len(line) + len(KEY)).data == line


def test_a_line_too_large_is_compressed_and_read_all_the_same() -> None:
    line = capture(data="1.5,2.5,a\n" * 200_000)
    record = record_of(line, ORIGIN)
    assert record.size < 2**20 < len(line)
    assert list(decoded(record, record_bytes=4 * 2**20).captures) == [Key("churn", "AllTraffic", "")]


def test_a_line_that_no_record_holds_is_refused_with_its_size() -> None:
    with pytest.raises(TooLarge, match="a capture of 2000000 bytes"):
        record_of(Random(1).randbytes(2_000_000), ORIGIN)


@pytest.mark.parametrize(
    ("endpoint", "variant", "version"),
    [
        ("", "A", ""),
        ("churn", "", ""),
        ("é", "A", ""),
        ("a/b", "A", ""),
        ("churn", "A", "v 1"),
        ("c" * 200, "v" * 60, ""),
    ],
)
def test_names_that_the_reader_refuses_are_refused(endpoint: str, variant: str, version: str) -> None:
    with pytest.raises(ValueError, match=r"endpoint|variant|version"):
        Origin(endpoint=endpoint, variant=variant, model_version=version)


@given(st.text(max_size=8), st.text(max_size=8))
def test_a_partition_key_is_one_that_the_reader_understands(endpoint: str, variant: str) -> None:
    try:
        origin = Origin(endpoint=endpoint, variant=variant)
    except ValueError:
        assert names_in_partition_key(f"{endpoint}/{variant}") == Names()
    else:
        assert names_in_partition_key(origin.partition_key) == Names(endpoint, variant)


# PutRecords


class Service:
    """An emulator, a client of it, and time that passes only by waiting."""

    def __init__(self, url: str, kinesis: Kinesis, clock: ManualClock) -> None:
        self.kinesis = kinesis
        self.clock = clock
        self.client = client("kinesis", url)
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.move(seconds)

    def put(self, records: list[Record], within_seconds: float = 60, stream: str = "captures") -> Put:
        ends = self.clock.monotonic() + within_seconds
        return put_records(
            self.client,
            stream,
            records,
            seconds_left=lambda: ends - self.clock.monotonic(),
            wait=self.wait,
            chance=Random(1),
        )

    def data(self) -> list[bytes]:
        return [data for _, data in held(self.kinesis)]


@pytest.fixture
def service() -> Iterator[Service]:
    clock = ManualClock(START)
    kinesis = Kinesis(clock, Limits.unthrottled())
    kinesis.create_stream("captures", 1)
    with served(kinesis) as url:
        made = Service(url, kinesis, clock)
        yield made
        made.client.close()


def numbered(count: int, size: int = 8) -> list[Record]:
    return [Record(b"%0*d" % (size, i), KEY) for i in range(count)]


def test_records_are_put_in_order_in_calls_of_500(service: Service) -> None:
    records = numbered(1_201)
    assert service.put(records) == Put(1_201, sum(r.size for r in records), 3, 0)
    assert service.data() == [record.data for record in records]


def test_a_call_holds_5_mebibytes_at_most(service: Service) -> None:
    assert service.put(numbered(11, size=2**20 - 100)).calls == 3


def test_nothing_to_put_makes_no_call(service: Service) -> None:
    assert service.put([]) == Put()


def test_a_stream_may_be_named_by_its_arn(service: Service) -> None:
    assert service.put(numbered(1), stream=service.kinesis.stream("captures").arn).records == 1


def test_only_the_records_that_failed_are_put_again_and_in_order(service: Service) -> None:
    service.kinesis.faults.arm(FailEntries(2, every=3), START)
    put = service.put(numbered(9))
    assert (put.records, put.calls, put.repeated) == (9, 3, 4)
    assert [int(data) for data in service.data()] == [0, 1, 3, 4, 6, 7, 2, 5, 8]


def test_an_entry_that_the_service_fails_by_itself_is_put_again(service: Service) -> None:
    service.kinesis.faults.arm(FailEntries(1, every=1, code="InternalFailure"), START)
    assert service.put(numbered(2)).records == 2


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Throttle(3), id="it throttles"),
        pytest.param(Unavailable(3, status=500), id="it fails"),
        pytest.param(Unavailable(3, status=503), id="it is not available"),
        pytest.param(Reset(3), id="the connection is reset"),
        pytest.param(Truncate(3), id="answers are cut off"),
    ],
)
def test_every_record_is_put_in_the_end_when(
    service: Service, fault: Throttle | Unavailable | Reset | Truncate
) -> None:
    service.kinesis.faults.arm(fault, START)
    assert service.put(numbered(5)).records == 5
    assert {int(data) for data in service.data()} == {0, 1, 2, 3, 4}


def test_waits_grow_and_are_bounded(service: Service) -> None:
    service.kinesis.faults.arm(Throttle(12), START)
    service.put(numbered(1))
    ceilings = [min(5.0, 0.1 * 2**i) for i in range(12)]
    assert all(0 <= wait <= ceiling for wait, ceiling in zip(service.waits, ceilings, strict=True))
    assert max(service.waits) > 1


def test_a_shard_is_filled_at_the_rate_it_takes(service: Service) -> None:
    service.kinesis.limits = Limits()
    assert service.put(numbered(10_000)).records == 10_000
    assert sorted(service.data()) == [record.data for record in numbered(10_000)]
    assert 9 <= service.clock.monotonic() < 20


def test_an_answer_that_is_lost_puts_records_twice_which_the_reader_can_tell(service: Service) -> None:
    service.kinesis.faults.arm(Reset(1, applied=True), START)
    records = [record_of(capture(event_id=f"id-{i}"), ORIGIN) for i in range(3)]
    service.put(records)
    stored = [Record(data, key) for key, data in held(service.kinesis)]
    (captures,) = decoded(*stored).captures.values()
    assert len(stored) == 6
    assert len(set(captures.identity.tolist())) == 3


def test_what_is_not_put_in_time_is_told(service: Service) -> None:
    service.kinesis.faults.arm(FailEntries(1, every=2), START)
    service.kinesis.faults.arm(Throttle(), START)
    with pytest.raises(NotPut, match="ProvisionedThroughputExceededException") as raised:
        service.put(numbered(600), within_seconds=5)
    assert (raised.value.put.records, raised.value.unsent) == (250, 250)
    assert service.clock.monotonic() == pytest.approx(5, abs=1)
    assert not raised.value.is_refused


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(Deny(), "AccessDeniedException", id="no permission"),
        pytest.param(Missing(), "ResourceNotFoundException", id="no stream"),
    ],
)
def test_what_waiting_does_not_mend_is_told_at_once(service: Service, fault: Deny | Missing, code: str) -> None:
    service.kinesis.faults.arm(fault, START)
    with pytest.raises(NotPut, match=code) as raised:
        service.put(numbered(3))
    assert (raised.value.is_refused, raised.value.unsent, service.waits) == (True, 3, [])


# CaptureWriter


class Scripted:
    """A client that gives what it is told; waits for ``go`` when it has one."""

    def __init__(self, raises: Exception | None = None, go: Event | None = None) -> None:
        self.raises = raises
        self.go = go
        self.called = Event()
        self.batches: list[int] = []

    def put_records(self, **request: Any) -> Mapping[str, Any]:
        self.batches.append(len(request["Records"]))
        self.called.set()
        if self.go is not None:
            assert self.go.wait(10)
        if self.raises is not None:
            raise self.raises
        return {"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1"} for _ in request["Records"]]}


def refusal(code: str = "AccessDeniedException") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "PutRecords")


def wrote(writer: CaptureWriter, data: str = "1,2", **given: Any) -> bool:
    return writer.write(Payload(data, "text/csv"), None, inferred_at=AT, **given)


def test_captures_written_are_in_the_stream_when_the_writer_is_closed(service: Service) -> None:
    writer = CaptureWriter(service.client, "captures", ORIGIN)
    assert all(wrote(writer) for _ in range(3))
    assert writer.close() == Written(sent=3)
    (captures,) = decoded(*(Record(data, key) for key, data in held(service.kinesis))).captures.values()
    assert len(set(captures.identity.tolist())) == 3


def test_captures_are_sent_before_the_writer_is_closed() -> None:
    scripted = Scripted()
    writer = CaptureWriter(scripted, "captures", ORIGIN, linger_seconds=0)
    wrote(writer)
    assert scripted.called.wait(10)
    writer.close()


def test_captures_that_wait_share_a_call() -> None:
    scripted = Scripted()
    writer = CaptureWriter(scripted, "captures", ORIGIN, linger_seconds=60)
    for _ in range(20):
        wrote(writer)
    writer.close()
    assert scripted.batches == [20]


def test_a_request_is_not_held_up_while_the_stream_does_not_answer() -> None:
    go = Event()
    scripted = Scripted(go=go)
    writer = CaptureWriter(scripted, "captures", ORIGIN, most_bytes=1_000, linger_seconds=0)
    taken = [wrote(writer) for _ in range(10)]
    assert taken == sorted(taken, reverse=True)
    assert not taken[-1]
    go.set()
    assert writer.close() == Written(sent=sum(taken), overflowed=10 - sum(taken))


@pytest.mark.parametrize("raises", [refusal(), NoCredentialsError()])
def test_captures_that_the_stream_refuses_are_counted_and_never_raised(raises: Exception) -> None:
    writer = CaptureWriter(Scripted(raises), "captures", ORIGIN)
    assert wrote(writer)
    assert writer.close() == Written(unsent=1)


def test_captures_are_lost_when_the_stream_is_away_for_too_long() -> None:
    writer = CaptureWriter(Scripted(refusal("ServiceUnavailable")), "captures", ORIGIN, within_seconds=0)
    wrote(writer)
    assert writer.close() == Written(unsent=1)


def test_the_log_says_what_was_lost_and_not_what_was_in_it(caplog: pytest.LogCaptureFixture) -> None:
    writer = CaptureWriter(Scripted(refusal()), "captures", ORIGIN)
    wrote(writer, "secret")
    writer.close()
    (line,) = caplog.records
    assert (line.getMessage(), line.__dict__["captures"]) == ("captures not sent", 1)
    assert "secret" not in str(line.__dict__)


def test_an_outage_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    writer = CaptureWriter(Scripted(), "captures", ORIGIN, most_bytes=0)
    for _ in range(1_000):
        wrote(writer)
    assert writer.written.overflowed == 1_000
    assert len(caplog.records) == 10


@pytest.mark.parametrize(
    ("payload", "given"),
    [
        pytest.param(Payload("1"), {"event_id": ""}, id="no id"),
        pytest.param(Payload("\ud800", "text/csv"), {}, id="text that is none"),
        pytest.param(Payload(5, "text/csv"), {}, id="no bytes"),  # type: ignore[arg-type]
        pytest.param(Payload("1"), {"custom_attributes": [b"x"]}, id="attributes that are no text"),
        pytest.param(Payload(Random(1).randbytes(2_000_000)), {}, id="too large"),
    ],
)
def test_whatever_is_written_nothing_is_raised(payload: Payload, given: dict[str, Any]) -> None:
    writer = CaptureWriter(Scripted(), "captures", ORIGIN)
    assert not writer.write(payload, None, inferred_at=AT, **given)
    assert writer.close() == Written(invalid=1)


def test_a_strict_writer_raises() -> None:
    writer = CaptureWriter(Scripted(), "captures", ORIGIN, strict=True, most_bytes=0)
    with pytest.raises(BufferError):
        wrote(writer)
    with pytest.raises(ValueError, match="a capture has"):
        wrote(writer, event_id="")


def test_a_closed_writer_takes_nothing_and_may_be_closed_again() -> None:
    writer = CaptureWriter(Scripted(), "captures", ORIGIN)
    writer.close()
    assert not wrote(writer)
    assert writer.close() == Written(overflowed=1)
