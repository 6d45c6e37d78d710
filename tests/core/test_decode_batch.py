import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.decode.batch import BatchDecoder, Decoded
from streamer.core.decode.names import Names, first_known, names_in_partition_key, names_in_path
from streamer.core.errors import Reason
from streamer.core.settings import Limits
from streamer.core.types import Batch, Key
from tests.strategies import NOW, START, batch, capture, json_texts


def key_of(names: Names, event_at: int) -> Key | None:
    return None if names.endpoint == "unwatched" else Key(names.endpoint, names.variant or "V", names.version)


def decode(records: Batch, default: Names = Names("e"), limits: Limits = Limits()) -> Decoded:  # noqa: B008
    return BatchDecoder(limits, default, key_of).decode(records, NOW)


def reasons(*payloads: bytes, limits: Limits = Limits()) -> list[Reason]:  # noqa: B008
    return [r.reason for r in decode(batch(*payloads), limits=limits).rejected]


def test_a_capture_gives_its_time_its_identity_and_its_sides() -> None:
    decoded = decode(batch(capture(at=START)))
    captures = decoded.captures[Key("e", "V", "")]
    assert captures.event_at.tolist() == [START]
    assert captures.sides[0].endpointInput is not None
    assert captures.sides[0].endpointInput.data == "1.5,2.5,a"
    assert decoded.event_at.tolist() == [START]


def test_an_envelope_names_endpoint_variant_and_version() -> None:
    decoded = decode(batch(capture(endpoint="other", variant="Blue", modelVersion="7")))
    assert list(decoded.captures) == [Key("other", "Blue", "7")]


def test_names_come_from_envelope_then_partition_key_then_path_then_configuration() -> None:
    path = "deep/by-path/P/2026/01/05/09/27-57-062-x.jsonl"
    records = batch(
        capture(endpoint="by-envelope"), capture(), capture(), path=path, keys=["by-key/K", "by-key/K", "k"]
    )
    assert list(decode(records).captures) == [
        Key("by-envelope", "V", ""),
        Key("by-key", "K", ""),
        Key("by-path", "P", ""),
    ]
    assert list(decode(batch(capture(), path="captures.jsonl")).captures) == [Key("e", "V", "")]


def test_an_envelopes_endpoint_is_not_paired_with_another_endpoints_variant() -> None:
    assert first_known(Names("a"), Names("b", "B")) == Names("a")
    assert first_known(Names("a"), Names("a", "A", "1")) == Names("a", "A", "1")


@pytest.mark.parametrize("path", ["", "a/b/c.jsonl", "e/v/2026/01/05/9/x.jsonl", "é/v/2026/01/05/09/x.jsonl"])
def test_a_path_of_another_layout_names_nobody(path: str) -> None:
    assert names_in_path(path) == Names()


@pytest.mark.parametrize("key", ["", "random", "a/", "/b", "a/b/c", "a b/c"])
def test_a_partition_key_of_another_form_names_nobody(key: str) -> None:
    assert names_in_partition_key(key) == Names()


def test_records_without_an_endpoint_are_invalid() -> None:
    assert [r.reason for r in decode(batch(capture()), default=Names()).rejected] == [Reason.NO_ENDPOINT]


def test_records_of_endpoints_that_are_not_watched_are_ignored_and_counted() -> None:
    decoded = decode(batch(capture(endpoint="unwatched"), capture()))
    assert decoded.ignored == 1
    assert len(decoded.captures) == 1


def test_equal_event_ids_have_equal_identities_and_missing_ones_none_in_common() -> None:
    records = batch(capture(event_id="a"), capture(event_id="a"), capture(event_id=None), capture(event_id=None))
    identity = decode(records).captures[Key("e", "V", "")].identity
    assert identity[0] == identity[1]
    assert len(np.unique(identity)) == 3


NESTED = b'{"captureData":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (b"not json", Reason.NOT_JSON),
        (b'{"captureData":', Reason.NOT_JSON),
        (b"\xff\xfe\x00binary", Reason.NOT_JSON),
        (b'{"captureData":{"endpointInput":{"data":"\xff"}}}', Reason.NOT_JSON),
        (b"[1,2]", Reason.NOT_A_CAPTURE),
        (b"{}", Reason.NOT_A_CAPTURE),
        (b'{"captureData":5}', Reason.NOT_A_CAPTURE),
        (b'{"captureData":{"endpointInput":{"data":[1]}}}', Reason.NOT_A_CAPTURE),
        (NESTED, Reason.TOO_DEEP),
        (b'{"captureData":{}}', Reason.NO_EVENT_TIME),
        (b'{"captureData":{},"eventMetadata":{"inferenceTime":"yesterday"}}', Reason.BAD_EVENT_TIME),
        (b'{"captureData":{},"eventMetadata":{"inferenceTime":"1970-01-01T00:00:00Z"}}', Reason.BAD_EVENT_TIME),
        (b'{"captureData":{},"eventMetadata":{"inferenceTime":"2026-01-05T09:27:57Z"}}', Reason.NO_PAYLOAD),
        (capture(at=NOW + 301_000), Reason.EVENT_TIME_IN_FUTURE),
        (capture(endpoint="no spaces"), Reason.BAD_NAME),
        (capture(variant="x" * 300), Reason.BAD_NAME),
    ],
)
def test_what_is_no_capture_is_invalid_for_a_stated_reason(payload: bytes, reason: Reason) -> None:
    assert reasons(payload) == [reason]


def test_a_record_above_the_limit_is_refused_unread() -> None:
    assert reasons(capture(), limits=Limits(record_bytes=10)) == [Reason.RECORD_TOO_LARGE]


def test_an_event_time_five_minutes_ahead_is_still_taken() -> None:
    assert reasons(capture(at=NOW + 300_000)) == []


def test_a_refused_record_keeps_the_name_its_place_gives() -> None:
    rejected = decode(batch(b"garbage", keys=["by-key/K"])).rejected
    assert [r.endpoint for r in rejected] == ["by-key"]


@given(
    st.lists(st.one_of(st.binary(max_size=80), st.just(capture()), st.just(capture(endpoint="unwatched"))), max_size=8)
)
def test_any_bytes_are_accounted_for_once(payloads: list[bytes]) -> None:
    decoded = decode(batch(*payloads))
    readable = sum(len(c.sides) for c in decoded.captures.values())
    assert readable + len(decoded.rejected) + decoded.ignored == len(payloads)


@given(st.data())
def test_a_mutated_capture_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    payload = bytearray(capture())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(payload) - 1))
        payload[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    decoded = decode(batch(bytes(payload)))
    assert sum(len(c.sides) for c in decoded.captures.values()) + len(decoded.rejected) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(["captureData", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["captureData", "eventMetadata", "endpointInput", "data", "capture"]), inner)
    ),
)


@given(json_values)
def test_any_json_is_read_or_refused_and_nothing_else(value: object) -> None:
    decoded = decode(batch(json.dumps(value).encode()))
    assert sum(len(c.sides) for c in decoded.captures.values()) + len(decoded.rejected) == 1


def test_a_time_padded_with_white_space_is_no_time() -> None:
    assert reasons(capture().replace(b"09:00:00Z", b"09:00:00Z" + b" " * 100)) == [Reason.BAD_EVENT_TIME]


def test_more_times_than_are_kept_are_read_as_well() -> None:
    payloads = [capture(at=START + i) for i in range(5_000)]
    decoded = decode(batch(*payloads))
    assert decoded.event_at.tolist() == [START + i for i in range(5_000)]


def test_a_shard_whose_name_is_no_utf8_has_identities() -> None:
    decoded = decode(batch(capture(event_id=None), shard="caf\udce9.jsonl"))
    assert len(decoded.captures[Key("e", "V", "")].identity) == 1


@given(
    st.lists(
        st.one_of(json_texts.map(lambda t: t.encode("utf-8", "surrogatepass")), st.binary(max_size=30)), max_size=5
    )
)
def test_a_capture_reads_alike_alone_and_among_any_others(others: list[bytes]) -> None:
    alone = decode(batch(capture())).captures[Key("e", "V", "")]
    among = decode(batch(*others, capture(), *others)).captures[Key("e", "V", "")]
    at = among.record.tolist().index(len(others))
    assert among.sides[at] == alone.sides[0]
    assert (among.event_at[at], among.identity[at]) == (alone.event_at[0], alone.identity[0])
