import gzip
import importlib.util
import json
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from deploy.forwarder import forwarder
from deploy.forwarder.forwarder import Forwarder, NotForwarded, Object, inflated, lines_in, objects_in, origin_of
from streamer.core.decode.batch import BatchDecoder, Decoded
from streamer.core.decode.names import Names, names_in_path
from streamer.core.errors import Reason
from streamer.core.settings import Limits as DecoderLimits
from streamer.core.types import Key
from streamer.testing.kinesis import Deny, FailEntries, Kinesis, Limits, Reset, Throttle, Unavailable
from streamer.testing.memory import ManualClock
from tests.deploy import client, held, served
from tests.strategies import NOW, START, batch, capture

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "captures"
HOUR = "2026/01/05/09"
KEY = f"churn/AllTraffic/{HOUR}/27-57-062-fb33b08e.jsonl"
LAMBDA_SECONDS = 300


def s3_event(*keys: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    """As S3 sends it; keys as they stand in an event."""
    return {
        "Records": [
            {"eventSource": "aws:s3", "eventName": name, "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}
            for key in keys
        ]
    }


def sqs_event(*bodies: object) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventSource": "aws:sqs",
                "messageId": f"m{i}",
                "body": body if isinstance(body, str) else json.dumps(body),
            }
            for i, body in enumerate(bodies)
        ]
    }


def lines(count: int, first: int = 0) -> list[bytes]:
    return [capture(event_id=f"id-{i}") for i in range(first, first + count)]


class Place:
    """A bucket, a stream, the forwarder between them, and time that passes only by waiting."""

    def __init__(self, url: str, kinesis: Kinesis, clock: ManualClock) -> None:
        self.kinesis = kinesis
        self.clock = clock
        self.s3 = client("s3")
        self.client = client("kinesis", url)
        self.s3.create_bucket(Bucket=BUCKET)

    def close(self) -> None:
        self.s3.close()
        self.client.close()

    def store(self, content: bytes | Iterable[bytes], key: str = KEY, **metadata: str) -> None:
        body = content if isinstance(content, bytes) else b"".join(line + b"\n" for line in content)
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body, Metadata=metadata)

    def forward(self, event: dict[str, Any], seconds: float = LAMBDA_SECONDS, **settings: Any) -> dict[str, Any]:
        ends = self.clock.monotonic() + seconds
        made = Forwarder(self.s3, self.client, "captures", wait=self.clock.move, chance=Random(1), **settings)
        return made.forward(event, lambda: ends - self.clock.monotonic())

    def data(self) -> list[bytes]:
        return [data for _, data in held(self.kinesis)]

    def read(self) -> Decoded:
        """What the reader makes of the stream; each shard's records in order."""
        stored = held(self.kinesis)
        decoder = BatchDecoder(DecoderLimits(), Names(), lambda names, _: Key(*names))
        return decoder.decode(batch(*(data for _, data in stored), keys=[key for key, _ in stored]), NOW)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    clock = ManualClock(START)
    kinesis = Kinesis(clock, Limits.unthrottled())
    kinesis.create_stream("captures", 4)
    with mock_aws(), served(kinesis) as url:
        made = Place(url, kinesis, clock)
        yield made
        made.close()


# What is sent


def test_the_reader_gets_every_line_with_endpoint_and_variant(place: Place) -> None:
    place.store(lines(1_200))
    assert place.forward(s3_event(KEY))["records"] == 1_200
    decoded = place.read()
    captures = decoded.captures[Key("churn", "AllTraffic", "")]
    assert len(set(captures.identity.tolist())) == 1_200
    assert decoded.rejected == []


def test_lines_keep_their_order_and_their_bytes(place: Place) -> None:
    place.store(lines(3))
    place.forward(s3_event(KEY))
    head = b'{"endpoint":"churn","variant":"AllTraffic","capture":'
    assert place.data() == [head + line + b"}" for line in lines(3)]


def test_all_lines_of_a_variant_share_a_partition_key(place: Place) -> None:
    place.store(lines(2))
    place.forward(s3_event(KEY))
    assert {key for key, _ in held(place.kinesis)} == {"churn/AllTraffic"}


@pytest.mark.parametrize(
    ("metadata", "version"),
    [
        pytest.param({}, "7", id="from the environment"),
        pytest.param({"model-version": "8"}, "8", id="from the object before that"),
        pytest.param({"model-version": "eight or so"}, "7", id="not from metadata that the reader would refuse"),
    ],
)
def test_the_model_version_comes(place: Place, metadata: dict[str, str], version: str) -> None:
    place.store(lines(1), **metadata)
    place.forward(s3_event(KEY), model_version="7")
    assert list(place.read().captures) == [Key("churn", "AllTraffic", version)]


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        pytest.param(b"", 0, id="nothing"),
        pytest.param(b"\n\r\n  \n", 0, id="blank lines"),
        pytest.param(capture(), 1, id="no newline at the end"),
        pytest.param(capture() + b"\r\n" + capture(), 2, id="lines that end as on Windows"),
        pytest.param(gzip.compress(capture() + b"\n" + capture()), 2, id="gzip"),
        pytest.param(gzip.compress(capture() + b"\n") + gzip.compress(capture()), 2, id="gzip of two members"),
        pytest.param(gzip.compress(b""), 0, id="gzip of nothing"),
        pytest.param(gzip.compress(capture()) + bytes(9), 1, id="gzip filled up with zeros"),
        pytest.param(b"\x1f", 1, id="half of gzip's magic number"),
    ],
)
def test_an_object_gives_its_lines_when_it_is(place: Place, content: bytes, sent: int) -> None:
    place.store(content)
    counts = place.forward(s3_event(KEY))
    assert (counts["records"], counts["objects"], counts["damaged"]) == (sent, 1, 0)
    assert len(place.data()) == sent


def test_lines_that_are_no_json_are_left_to_the_reader_who_knows_whose_they_are(place: Place) -> None:
    place.store([b"\x00\xff\xfe junk", b"[1]", *lines(1)])
    place.forward(s3_event(KEY))
    assert place.data()[:2] == [b"\x00\xff\xfe junk", b"[1]"]
    assert [(r.reason, r.endpoint) for r in place.read().rejected] == [
        (Reason.NOT_JSON, "churn"),
        (Reason.NOT_A_CAPTURE, "churn"),
    ]


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line and line.strip() == line != b"")))
def test_no_line_is_lost_or_made_up(given_lines: list[bytes]) -> None:
    assert list(lines_in([b"\n".join(given_lines)])) == given_lines


@given(st.lists(st.binary(max_size=12), max_size=12), st.booleans())
def test_lines_do_not_depend_on_how_an_object_is_cut(pieces: list[bytes], is_packed: bool) -> None:
    whole = b"".join(pieces)
    cut = [gzip.compress(whole)[i : i + 3] for i in range(0, 200, 3)] if is_packed else pieces
    if is_packed or not whole.startswith(b"\x1f\x8b"):
        assert b"".join(inflated(cut)) == whole
    assert list(lines_in(pieces)) == list(lines_in([whole]))


def test_a_compressed_object_is_undone_piece_by_piece() -> None:
    bomb = gzip.compress(bytes(20_000_000))
    assert max(map(len, inflated([bomb]))) <= 2**16


# What can't be sent


def test_a_line_of_2_megabytes_is_compressed(place: Place) -> None:
    place.store([capture(data="1.5,2.5,a\n" * 200_000), *lines(1)])
    assert place.forward(s3_event(KEY))["too_large"] == 0
    assert gzip.decompress(place.data()[0]) == capture(data="1.5,2.5,a\n" * 200_000)


def test_a_line_that_no_record_holds_is_counted_and_the_others_are_sent(place: Place) -> None:
    noise = Random(1).randbytes(2_000_000).replace(b"\n", b"")
    place.store([*lines(1), noise, *lines(1, first=1)])
    counts = place.forward(s3_event(KEY))
    assert (counts["records"], counts["too_large"], counts["objects"]) == (2, 1, 1)


def test_a_line_without_end_is_never_held(place: Place) -> None:
    place.store(gzip.compress(bytes(forwarder.LINE_BYTES + 1) + b"\n" + capture()))
    counts = place.forward(s3_event(KEY))
    assert (counts["records"], counts["too_large"]) == (1, 1)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(gzip.compress(b"".join(line + b"\n" for line in lines(50)))[:-30], id="torn"),
        pytest.param(gzip.compress(b"".join(line + b"\n" for line in lines(50))) + b"junk", id="followed by junk"),
    ],
)
def test_what_can_be_read_of_a_damaged_object_is_sent(place: Place, content: bytes) -> None:
    place.store(content)
    counts = place.forward(s3_event(KEY))
    assert counts["damaged"] == 1
    assert counts["records"] > 0
    assert place.read().rejected == []


def test_the_end_of_a_torn_object_is_missed() -> None:
    with pytest.raises(zlib.error, match="end is missing"):
        list(inflated([gzip.compress(b"x")[:-1]]))


@pytest.mark.parametrize(
    ("key", "endpoint"),
    [
        pytest.param(KEY, "churn", id="the layout"),
        pytest.param(f"model-monitor/data-capture/{KEY}", "churn", id="a prefix"),
        pytest.param(f"grün und+blau/é/{KEY}", "churn", id="a prefix with spaces, signs and letters"),
        pytest.param(f"{KEY}.gz", "churn", id="another ending"),
        pytest.param(f"churn/AllTraffic/{HOUR}/sub/x.jsonl", None, id="a folder too many"),
        pytest.param("churn/AllTraffic/2026/1/5/9/x.jsonl", None, id="a date of another form"),
        pytest.param(f"churn/{HOUR}/x.jsonl", None, id="no variant"),
        pytest.param(f"grün/A/{HOUR}/x.jsonl", None, id="no endpoint of SageMaker's"),
        pytest.param(f"churn/AllTraffic/{HOUR}/", None, id="a folder"),
        pytest.param("x.jsonl", None, id="a name alone"),
    ],
)
def test_a_key_names_the_endpoint_when_it_is_of_the_layout(key: str, endpoint: str | None) -> None:
    found = origin_of(key)
    assert (found.endpoint if found else None) == endpoint


@given(st.from_regex(r"(p/)?[a-zé_.-]{0,3}/[A-Z+ ]{0,3}/2026/01/05/\d{1,3}/[a-z/]{0,3}", fullmatch=True))
def test_keys_are_understood_as_the_reader_does(key: str) -> None:
    found = origin_of(key)
    assert names_in_path(key) == (Names(found.endpoint, found.variant) if found else Names())


def test_an_object_of_another_layout_is_counted_and_left_alone(place: Place) -> None:
    place.store(b"x", key="models/model.tar.gz")
    counts = place.forward(s3_event("models/model.tar.gz", KEY.replace("churn", "gone")))
    assert counts == {
        "objects": 0,
        "records": 0,
        "repeated": 0,
        "skipped": 2,
        "damaged": 0,
        "too_large": 0,
        "failed": 0,
    }
    assert place.data() == []


# Events


def sns(text: str) -> dict[str, Any]:
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": text}}]}


EVENTBRIDGE = {"detail-type": "Object Created", "detail": {"bucket": {"name": BUCKET}, "object": {"key": "a+b %20"}}}


@pytest.mark.parametrize(
    ("notice", "found"),
    [
        pytest.param(s3_event("a+b%2Bc/%C3%A9"), Object(BUCKET, "a b+c/é"), id="S3, keys URL-encoded"),
        pytest.param(sns(json.dumps(s3_event("k"))), Object(BUCKET, "k"), id="SNS"),
        pytest.param(
            {"Type": "Notification", "Message": json.dumps(s3_event("k"))}, Object(BUCKET, "k"), id="SNS in SQS"
        ),
        pytest.param(EVENTBRIDGE, Object(BUCKET, "a+b %20"), id="EventBridge, keys as they are"),
        pytest.param(s3_event("k", name="ObjectRemoved:Delete"), None, id="an object removed"),
        pytest.param({"Service": "Amazon S3", "Event": "s3:TestEvent"}, None, id="S3's test event"),
        pytest.param(sns("hello"), None, id="something else on the topic"),
        pytest.param([1], None, id="no event at all"),
    ],
)
def test_an_event_names_the_object_that_was_created(notice: object, found: Object | None) -> None:
    assert list(objects_in(notice)) == [found]


def test_the_object_is_found_by_its_true_key(place: Place) -> None:
    place.store(lines(1), key=f"my prefix+é/{KEY}")
    assert place.forward(s3_event(f"my+prefix%2B%C3%A9/{KEY}"))["records"] == 1


def test_an_event_through_sqs_is_done_when_all_was_sent(place: Place) -> None:
    place.store(lines(2))
    counts = place.forward(sqs_event(s3_event(KEY), {"Type": "Notification", "Message": json.dumps(s3_event(KEY))}))
    assert (counts["batchItemFailures"], counts["records"]) == ([], 4)


def test_only_the_messages_that_failed_come_again(place: Place) -> None:
    place.store(lines(1))
    place.kinesis.faults.arm(Deny(1, after=1), START)
    counts = place.forward(sqs_event(s3_event(KEY), s3_event(KEY), s3_event(KEY)))
    assert (counts["batchItemFailures"], counts["objects"]) == ([{"itemIdentifier": "m1"}], 2)


def test_a_message_that_is_no_event_does_not_come_again(place: Place) -> None:
    counts = place.forward(sqs_event("not JSON"))
    assert (counts["batchItemFailures"], counts["skipped"]) == ([], 1)


def test_counts_can_be_sent_as_json(place: Place) -> None:
    assert json.loads(json.dumps(place.forward(s3_event()))) == place.forward(s3_event())


# Faults


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(FailEntries(5, every=3), id="entries fail"),
        pytest.param(Throttle(seconds=60), id="the stream is throttled for a minute"),
        pytest.param(Unavailable(3), id="the service fails"),
        pytest.param(Reset(2), id="the connection is reset"),
        pytest.param(Reset(1, applied=True), id="an answer is lost"),
    ],
)
def test_nothing_is_lost_when(place: Place, fault: FailEntries | Throttle | Unavailable | Reset) -> None:
    place.store(lines(600))
    place.kinesis.faults.arm(fault, START)
    assert place.forward(s3_event(KEY))["objects"] == 1
    (captures,) = place.read().captures.values()
    assert len(set(captures.identity.tolist())) == 600


def test_10_000_lines_fit_through_one_shard(place: Place) -> None:
    place.kinesis.limits = Limits()
    place.store(gzip.compress(b"\n".join(lines(10_000))))
    assert place.forward(s3_event(KEY))["records"] == 10_000
    (captures,) = place.read().captures.values()
    assert len(set(captures.identity.tolist())) == 10_000
    assert place.clock.monotonic() < 30


def test_what_was_not_sent_in_time_is_an_error_and_the_next_attempt_mends_it(place: Place) -> None:
    place.store(lines(600))
    broken = place.kinesis.faults.arm(Throttle(after=1), START)
    with pytest.raises(NotForwarded, match="1 of 1 objects"):
        place.forward(s3_event(KEY))
    assert place.clock.monotonic() < LAMBDA_SECONDS
    place.kinesis.faults.remove(broken)
    place.forward(s3_event(KEY))
    (captures,) = place.read().captures.values()
    assert (len(captures.identity), len(set(captures.identity.tolist()))) == (1_100, 600)


def test_messages_that_time_did_not_suffice_for_come_again_unread(place: Place) -> None:
    place.store(lines(1))
    place.kinesis.faults.arm(Throttle(), START)
    counts = place.forward(sqs_event(*[s3_event(KEY)] * 3))
    assert counts["batchItemFailures"] == [{"itemIdentifier": f"m{i}"} for i in range(3)]
    assert place.clock.monotonic() < LAMBDA_SECONDS


def test_a_bucket_that_is_not_there_is_an_error(place: Place) -> None:
    event = s3_event(KEY)
    event["Records"][0]["s3"]["bucket"]["name"] = "elsewhere"
    with pytest.raises(NotForwarded):
        place.forward(event)


def test_a_storage_that_does_not_answer_is_an_error(place: Place) -> None:
    unreachable = client("s3", "http://127.0.0.1:1")
    with pytest.raises(NotForwarded):
        Forwarder(unreachable, place.client, "captures").forward(s3_event(KEY), lambda: 60)
    unreachable.close()


def test_a_failure_does_not_keep_the_other_objects_of_an_event(place: Place) -> None:
    place.store(lines(1), key=KEY)
    place.kinesis.faults.arm(Deny(1), START)
    with pytest.raises(NotForwarded, match="1 of 2 objects"):
        place.forward(s3_event(KEY, KEY))
    assert len(place.data()) == 1


def test_the_log_names_places_and_reasons_and_never_content(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    place.store([b'{"secret":1}', b"secret"])
    place.forward(s3_event(KEY, "x"))
    place.kinesis.faults.arm(Deny(1), START)
    with pytest.raises(NotForwarded):
        place.forward(s3_event(KEY))
    ours = [line for line in caplog.records if line.name == "forwarder"]
    assert [line.getMessage() for line in ours] == ["object sent", "object skipped", "object not sent"]
    assert (ours[0].__dict__["key"], ours[2].__dict__["reason"]) == (KEY, "AccessDeniedException")
    assert not any("secret" in str(line.__dict__) for line in ours)


# As Lambda runs it


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return LAMBDA_SECONDS * 1000


def test_lambda_calls_it_with_the_environments_settings(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "STREAM": "captures",
        "MODEL_VERSION": "9",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_KINESIS": place.client.meta.endpoint_url,
    }.items():
        monkeypatch.setenv(name, value)
    place.store(lines(1))
    forwarder._forwarder.cache_clear()
    assert forwarder.forward(s3_event(KEY), Context())["records"] == 1
    assert list(place.read().captures) == [Key("churn", "AllTraffic", "9")]
    made = forwarder._forwarder()
    made._s3.close()
    made._kinesis.close()  # type: ignore[attr-defined]
    forwarder._forwarder.cache_clear()


def test_a_model_version_that_the_reader_would_refuse_stops_the_first_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_VERSION", "no name")
    forwarder._forwarder.cache_clear()
    with pytest.raises(ValueError, match="model version"):
        forwarder.forward(s3_event(KEY), Context())


def test_what_the_readme_packs_needs_botocore_and_nothing_else(tmp_path: Path) -> None:
    for name in ("deploy/forwarder", "streamer/producer"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    readme = (tmp_path / "deploy" / "forwarder" / "README.md").read_text()
    packing = readme.split("```sh\n")[1].split("aws cloudformation package")[0]
    subprocess.run(["bash", "-euc", packing], cwd=tmp_path, check=True)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    for name in ("botocore", "dateutil", "jmespath", "six", "urllib3"):
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        origin = Path(found.origin)
        whole = origin.parent if origin.name == "__init__.py" else origin
        (runtime / whole.name).symlink_to(whole)
    program = "import sys; sys.path[:0] = sys.argv[1:]; import forwarder; print(forwarder.forward)"
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(tmp_path / "build" / "forwarder"), str(runtime)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.startswith("<function forward"), ran.stderr
