import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.decode.capture import Envelope, read_envelope
from streamer.core.errors import InvalidRecord, Reason
from tests.strategies import capture, json_texts

LIMIT = 1_000_000
DEPTHS = [1, 63, 64, 65, *range(100, 2001, 100)]


def outcome(payload: bytes) -> Reason | None:
    try:
        read_envelope(payload, LIMIT)
    except InvalidRecord as error:
        return error.reason
    return None


def data_of(envelope: Envelope) -> str | None:
    assert envelope.captureData is not None
    assert envelope.captureData.endpointInput is not None
    return envelope.captureData.endpointInput.data


def test_a_refusal_says_its_reason_and_none_of_the_payload() -> None:
    with pytest.raises(InvalidRecord) as refused:
        read_envelope(b'{"captureData": "secret"}', LIMIT)
    assert str(refused.value) == "not-a-capture"
    assert "secret" not in str(refused.value.__cause__)


def test_a_bare_capture_has_no_names() -> None:
    envelope = read_envelope(capture(), LIMIT)
    assert data_of(envelope) == "1.5,2.5,a"
    assert (envelope.endpoint, envelope.variant, envelope.modelVersion) == (None, None, None)


def test_a_wrapped_captures_fields_are_lifted_up() -> None:
    envelope = read_envelope(capture(endpoint="e", variant="v", modelVersion="1"), LIMIT)
    assert data_of(envelope) == "1.5,2.5,a"
    assert (envelope.endpoint, envelope.variant, envelope.modelVersion) == ("e", "v", "1")
    assert envelope.eventMetadata is not None


def test_a_wrapper_without_a_capture_in_it_is_no_capture() -> None:
    assert outcome(b'{"endpoint":"e","capture":{"eventVersion":"0"},"captureData":{}}') is Reason.NOT_A_CAPTURE


def test_a_record_of_exactly_the_limit_is_read() -> None:
    payload = capture()
    read_envelope(payload, len(payload))
    with pytest.raises(InvalidRecord, match="record-too-large"):
        read_envelope(payload, len(payload) - 1)


def test_of_a_key_given_twice_the_last_counts() -> None:
    twice = capture().replace(b'"data": "1.5,2.5,a"', b'"data": "0,0,z", "data": "1,2,b"')
    assert data_of(read_envelope(twice, LIMIT)) == "1,2,b"


@pytest.mark.parametrize(
    "payload",
    [
        b"\xef\xbb\xbf" + capture(),
        capture() + b"\0",
        b"\0" + capture(),
        capture() + capture(),
        capture().replace(b"AllTraffic", b"").replace(b'"1.5', b'"\\ud800'),
        capture().replace(b"1.5", b"\xed\xa0\x80"),
        capture().replace(b"1.5", b"1\n5"),
        capture().replace(b"1.5", b"\x005"),
        b'{"captureData":{"x":NaN}}',
    ],
)
def test_bytes_that_are_no_json_are_refused_as_such(payload: bytes) -> None:
    assert outcome(payload) is Reason.NOT_JSON


@pytest.mark.parametrize("around", [b"\r\n%s\r\n", b" \t%s", b"\r%s\r", b"%s\n"])
def test_white_space_around_a_capture_is_no_part_of_it(around: bytes) -> None:
    assert outcome(around.replace(b"%s", capture())) is None


def test_a_number_too_large_where_nobody_looks_does_no_harm() -> None:
    assert outcome(capture().replace(b'"eventVersion": "0"', b'"more": ' + b"9" * 400)) is None


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_of_any_depth_is_read_or_refused(depth: int, pair: tuple[bytes, bytes]) -> None:
    inner = pair[0] * depth + b"1" + pair[1] * depth
    assert outcome(capture().replace(b'"eventVersion": "0"', b'"more": ' + inner)) in (None, Reason.TOO_DEEP)
    assert outcome(capture().replace(b'"1.5,2.5,a"', inner)) in (Reason.NOT_A_CAPTURE, Reason.TOO_DEEP)
    assert outcome(inner) in (Reason.NOT_A_CAPTURE, Reason.TOO_DEEP)
    assert outcome(pair[0] * depth) in (Reason.NOT_JSON, Reason.TOO_DEEP)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_capture_or_refused(payload: bytes) -> None:
    outcome(payload)


@given(json_texts)
def test_any_json_is_a_capture_or_refused(text: str) -> None:
    for payload in (text, f'{{"captureData":{text}}}', f'{{"captureData":{{"endpointInput":{{"data":{text}}}}}}}'):
        outcome(payload.encode("utf-8", "surrogatepass"))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_of_a_side_comes_through_unchanged(text: str) -> None:
    for ascii_only in (True, False):
        record = json.dumps({"captureData": {"endpointInput": {"data": text}}}, ensure_ascii=ascii_only)
        assert data_of(read_envelope(record.encode(), LIMIT)) == text
