"""Place: where a reader stands in a shard or in a list, as the opaque text that callers carry."""

from binascii import Error as Base64Error
from typing import TypeVar

import msgspec
import pybase64

from streamer.testing.kinesis.rejection import Rejection, invalid
from streamer.testing.kinesis.requests import ShardFilter


class Place(msgspec.Struct, frozen=True, array_like=True, tag="r", forbid_unknown_fields=True):
    """A shard iterator's content."""

    stream: str
    stream_at: int
    """When the stream was made: an iterator does not outlive its stream."""
    shard: str
    place: int
    issued_at: int


class Page(msgspec.Struct, frozen=True, array_like=True, tag="p", forbid_unknown_fields=True):
    """A page token's content."""

    stream: str
    after: str
    filter: ShardFilter | None
    issued_at: int


_ContentT = TypeVar("_ContentT", Place, Page)


def encode(content: Place | Page) -> str:
    """Wrap up."""
    return pybase64.b64encode_as_string(msgspec.json.encode(content))


def _decode(text: str, form: type[_ContentT]) -> _ContentT | None:
    try:
        return msgspec.json.decode(pybase64.b64decode(text, validate=True), type=form)
    except (Base64Error, ValueError, msgspec.MsgspecError):
        return None


def decode_iterator(text: str) -> Place:
    """Unwrap an iterator.

    Raises
    ------
    Rejection
        ``InvalidArgumentException``: it is none.
    """
    place = _decode(text, Place)
    if place is None:
        raise invalid("Invalid ShardIterator.")
    return place


def decode_token(text: str, lives_seconds: float, now: int) -> Page:
    """Unwrap a page token.

    Raises
    ------
    Rejection
        ``InvalidArgumentException``: it is none; ``ExpiredNextTokenException``: it is too old.
    """
    page = _decode(text, Page)
    if page is None:
        raise invalid("NextToken is invalid.")
    if now - page.issued_at > lives_seconds * 1000:
        raise Rejection("ExpiredNextTokenException", "NextToken has expired.")
    return page
