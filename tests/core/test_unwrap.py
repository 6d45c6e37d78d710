import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.decode.unwrap import GZIP, MOST_BYTES, may_be_wrapped, unwrap
from streamer.core.errors import InvalidRecord, Reason

ONE = b'{"eventVersion":"0"}'
# What json.dumps(indent=2) makes: lines, but one object.
PRETTY = b'{\n  "a": {\n    "b": 1\n  }\n}'
LINES = st.lists(st.integers().map(lambda n: b'{"n":%d}' % n), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(ONE, [ONE], id="one plain record"),
        pytest.param(ONE + b"\n", [ONE + b"\n"], id="one record and the end of its line"),
        pytest.param(ONE + b"\n" + ONE, [ONE, ONE], id="two lines"),
        pytest.param(ONE + b"\r\n\r\n" + ONE + b"\r\n", [ONE, ONE], id="blank lines and carriage returns"),
        pytest.param(PRETTY, [PRETTY], id="pretty-printed JSON"),
        pytest.param(b"", [b""], id="nothing"),
        pytest.param(ONE + b'\n{"torn', [ONE, b'{"torn'], id="a torn last line"),
        pytest.param(b"torn}\n" + ONE, [b"torn}", ONE], id="a torn first line"),
        pytest.param(gzip.compress(ONE), [ONE], id="compressed"),
        pytest.param(gzip.compress(ONE + b"\n" + ONE), [ONE, ONE], id="compressed lines"),
        pytest.param(gzip.compress(ONE + b"\n") + gzip.compress(ONE), [ONE, ONE], id="several members"),
        pytest.param(gzip.compress(ONE) + bytes(512), [ONE], id="padded with zeros"),
        pytest.param(gzip.compress(b""), [b""], id="nothing, compressed"),
    ],
)
def test_a_record_holds(payload: bytes, expected: list[bytes]) -> None:
    assert list(unwrap(payload)) == expected


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(GZIP, Reason.BAD_GZIP, id="a magic number and nothing else"),
        pytest.param(gzip.compress(ONE)[:-1], Reason.BAD_GZIP, id="torn in the trailer"),
        pytest.param(gzip.compress(ONE)[:12], Reason.BAD_GZIP, id="torn in the data"),
        pytest.param(gzip.compress(ONE)[:-8] + bytes(8), Reason.BAD_GZIP, id="a wrong checksum"),
        pytest.param(gzip.compress(ONE) + b"more", Reason.BAD_GZIP, id="followed by something else"),
        pytest.param(gzip.compress(ONE) + gzip.compress(ONE)[:9], Reason.BAD_GZIP, id="a torn second member"),
        pytest.param(gzip.compress(bytes(MOST_BYTES + 1)), Reason.RECORD_TOO_LARGE, id="a bomb"),
        pytest.param(b"{\n" * 60_000, Reason.RECORD_TOO_LARGE, id="too many lines"),
        pytest.param(gzip.compress(b"{\n" * 60_000), Reason.RECORD_TOO_LARGE, id="too many lines, compressed"),
    ],
)
def test_a_record_is_refused(payload: bytes, reason: Reason) -> None:
    with pytest.raises(InvalidRecord) as refused:
        unwrap(payload)
    assert refused.value.reason is reason


def test_many_small_members_count_together() -> None:
    member = gzip.compress(b"x" * 600)
    assert unwrap(member, most_bytes=1_000) == (b"x" * 600,)
    with pytest.raises(InvalidRecord):
        unwrap(member + member, most_bytes=1_000)


def test_what_just_fits_is_accepted() -> None:
    assert len(unwrap(gzip.compress(b"x" * 1_000), most_bytes=1_000)[0]) == 1_000
    with pytest.raises(InvalidRecord):
        unwrap(gzip.compress(b"x" * 1_001), most_bytes=1_000)


@given(LINES)
def test_lines_come_back_compressed_or_not(lines: list[bytes]) -> None:
    joined = b"\n".join(lines)
    assert list(unwrap(joined)) == lines
    assert list(unwrap(gzip.compress(joined))) == lines


@given(st.binary(max_size=200), st.booleans())
def test_nothing_but_an_invalid_record_is_raised(tail: bytes, compressed: bool) -> None:
    payload = GZIP + tail if not compressed else gzip.compress(tail)[: len(tail)] + tail
    try:
        found = unwrap(payload)
    except InvalidRecord as refused:
        assert refused.reason in (Reason.BAD_GZIP, Reason.RECORD_TOO_LARGE)  # noqa: PT017
    else:
        assert found


@given(st.binary(max_size=200))
def test_a_plain_record_comes_back_as_it_is(payload: bytes) -> None:
    if not may_be_wrapped(payload):
        assert list(unwrap(payload)) == [payload]


def test_a_raw_deflate_stream_is_no_gzip() -> None:
    payload = zlib.compress(ONE)
    assert list(unwrap(payload)) == [payload]
