import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.decode.capture import SidePayload
from streamer.core.decode.payload import Format, text_of
from streamer.core.errors import InvalidRecord, Reason

LIMIT = 1000


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def refusal(payload: SidePayload, limit: int = LIMIT) -> Reason:
    with pytest.raises(InvalidRecord) as refused:
        text_of(payload, limit)
    return refused.value.reason


@pytest.mark.parametrize(
    ("encoding", "content", "form"),
    [
        ("CSV", None, Format.CSV),
        ("csv", "application/json", Format.CSV),
        ("JSON", None, Format.JSON),
        ("JSON", "application/json", Format.JSON),
        ("JSON", "application/jsonlines", Format.JSON_LINES),
        ("JSON", "application/x-ndjson; charset=utf-8", Format.JSON_LINES),
    ],
)
def test_the_encoding_says_how_a_text_is_laid_out(encoding: str, content: str | None, form: Format) -> None:
    assert text_of(SidePayload("1", encoding, content), LIMIT) == ("1", form)


@pytest.mark.parametrize(
    ("text", "content", "form"),
    [
        ("1,2", None, Format.CSV),
        ("[1,2]", None, Format.JSON),
        (' \n{"x":1}', None, Format.JSON),
        ("[1,2]", "text/csv", Format.CSV),
        ("1", "application/json", Format.JSON),
        ("1", "application/jsonlines", Format.JSON_LINES),
        ("1", "APPLICATION/X-NDJSON", Format.JSON_LINES),
        ("{", "application/octet-stream", Format.JSON),
    ],
)
def test_base64_is_laid_out_as_its_content_type_says_or_it_looks(text: str, content: str | None, form: Format) -> None:
    assert text_of(SidePayload(encoded(text), "BASE64", content), LIMIT) == (text, form)


@pytest.mark.parametrize("text", ["1,2", '{"x":1}'])
def test_a_byte_order_mark_is_no_part_of_the_first_value(text: str) -> None:
    marked = "\ufeff" + text
    form = Format.CSV if text == "1,2" else Format.JSON
    assert text_of(SidePayload(marked, form.name), LIMIT) == (text, form)
    assert text_of(SidePayload(encoded(marked), "BASE64"), LIMIT) == (text, form)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (SidePayload(), Reason.NO_PAYLOAD),
        (SidePayload("1"), Reason.BAD_ENCODING),
        (SidePayload("1", "UTF-8"), Reason.BAD_ENCODING),
        (SidePayload("", "CSV"), Reason.EMPTY_PAYLOAD),
        (SidePayload("\ufeff", "CSV"), Reason.EMPTY_PAYLOAD),
        (SidePayload(" \r\n\t\x0b\u2028", "JSON"), Reason.EMPTY_PAYLOAD),
        (SidePayload("MQ", "BASE64"), Reason.BAD_BASE64),
        (SidePayload("M Q==", "BASE64"), Reason.BAD_BASE64),
        (SidePayload("\ud800", "BASE64"), Reason.BAD_BASE64),
        (SidePayload(encoded(b"\xff"), "BASE64"), Reason.NOT_TEXT),
        (SidePayload(encoded(b"\x89PNG\0"), "BASE64"), Reason.NOT_TEXT),
        (SidePayload(encoded("1\0"), "BASE64"), Reason.NOT_TEXT),
    ],
)
def test_what_is_no_text_is_refused_for_a_stated_reason(payload: SidePayload, reason: Reason) -> None:
    assert refusal(payload) is reason


def test_a_payload_of_exactly_the_limit_is_read() -> None:
    text_of(SidePayload("1" * 9, "CSV"), 9)
    text_of(SidePayload(encoded("1" * 9), "BASE64"), 9)


@pytest.mark.parametrize("length", [10, 14, 100])
def test_a_larger_payload_is_refused_however_it_is_encoded(length: int) -> None:
    assert refusal(SidePayload("1" * length, "CSV"), 9) is Reason.PAYLOAD_TOO_LARGE
    assert refusal(SidePayload(encoded("1" * length), "BASE64"), 9) is Reason.PAYLOAD_TOO_LARGE


@given(
    st.none() | st.text(max_size=40),
    st.none() | st.sampled_from(["CSV", "JSON", "BASE64", "base64"]) | st.text(max_size=8),
    st.none() | st.sampled_from(["text/csv", "application/json"]) | st.text(max_size=20),
)
def test_any_side_is_text_or_refused(data: str | None, encoding: str | None, content: str | None) -> None:
    try:
        text, _ = text_of(SidePayload(data, encoding, content), 30)
    except InvalidRecord:
        return
    assert text.strip()
    assert len(text) <= 30


@given(st.binary(max_size=40))
def test_any_bytes_in_base64_are_text_or_refused(data: bytes) -> None:
    try:
        text, _ = text_of(SidePayload(encoded(data), "BASE64"), LIMIT)
    except InvalidRecord:
        return
    assert data.decode("utf-8").removeprefix("\ufeff") == text
