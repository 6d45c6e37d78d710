"""The one-pass reader of answers gives what the SDK's own parser gives."""

from functools import cache
from typing import Any

import botocore.session
import orjson
import pybase64
import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from streamer.adapters.kinesis.fetch import _FETCHED, Answer, _of_stock, _read_body

# Milliseconds, as the service gives them, in seconds.
ARRIVALS = st.integers(1_600_000_000_000, 1_900_000_000_000).map(lambda at: at / 1000)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "SequenceNumber": st.integers(0, 10**56).map(str),
            "Data": st.binary(max_size=40).map(lambda data: pybase64.b64encode(data).decode()),
            "PartitionKey": st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
        },
        optional={"ApproximateArrivalTimestamp": ARRIVALS, "EncryptionType": st.just("KMS"), "New": st.just([1, {}])},
    ),
    max_size=5,
)
CHILDREN = st.lists(
    st.fixed_dictionaries(
        {
            "ShardId": st.text("ab", min_size=1),
            "ParentShards": st.lists(st.text("ab", min_size=1), min_size=1, max_size=2),
            "HashKeyRange": st.fixed_dictionaries(
                {
                    "StartingHashKey": st.integers(0, 2**128 - 1).map(str),
                    "EndingHashKey": st.integers(0, 2**128 - 1).map(str),
                }
            ),
        }
    ),
    max_size=2,
)
BODIES = st.fixed_dictionaries(
    {"Records": RECORDS},
    optional={
        "NextShardIterator": st.none() | st.text("ab", min_size=1),
        "MillisBehindLatest": st.integers(0, 10**9),
        "ChildShards": CHILDREN,
    },
)


@cache
def output_shape() -> Any:
    model = botocore.session.get_session().get_service_model("kinesis")
    return model.operation_model("GetRecords").output_shape


def of_stock(body: bytes) -> Answer:
    response = {"status_code": 200, "headers": {}, "body": body}
    return _of_stock(create_parser("json").parse(response, output_shape()))


def read(body: bytes, status: int = 200) -> tuple[dict[str, Any], dict[str, Any]]:
    response: dict[str, Any] = {"status_code": status, "headers": {}, "body": body}
    customized: dict[str, Any] = {}
    _read_body(response, customized, operation_model=None)
    return response, customized


@given(BODIES)
def test_both_read_the_same(content: dict[str, Any]) -> None:
    body = orjson.dumps(content)
    response, customized = read(body)
    assert customized[_FETCHED] == of_stock(body)
    assert response["body"] == b"{}"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b'{"__type":"ExpiredIteratorException"}', 400, id="an error"),
        pytest.param(b'{"Records":[', 200, id="a torn answer"),
        pytest.param(b"{}", 200, id="an answer without records"),
        pytest.param(b'{"Records":[{"SequenceNumber":"1","Data":"*","PartitionKey":"k"}]}', 200, id="no BASE64"),
        pytest.param(b"\xbf", 200, id="no JSON"),
    ],
)
def test_what_it_cant_read_is_left_to_the_sdk(body: bytes, status: int) -> None:
    response, customized = read(body, status)
    assert customized == {}
    assert response["body"] == body
