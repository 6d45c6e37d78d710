"""Requests: what callers send, decoded and checked in one step."""

from typing import Annotated, Final, Literal, TypeVar

import msgspec

from streamer.testing.kinesis.limits import PUT_RECORDS, READ_RECORDS
from streamer.testing.kinesis.rejection import Rejection, invalid
from streamer.testing.kinesis.shard import HASH_KEYS

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_.-]+$")]
Arn = Annotated[str, msgspec.Meta(max_length=2048, pattern=r"^arn:aws.*:kinesis:.*:\d{12}:stream/\S+$")]
HashKey = Annotated[str, msgspec.Meta(pattern=r"^(0|([1-9]\d{0,38}))$")]
SequenceNumber = Annotated[str, msgspec.Meta(pattern=r"^(0|([1-9]\d{0,128}))$")]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=2**20)]
PartitionKey = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Data = Annotated[bytes, msgspec.Meta(max_length=10 * 2**20)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Page = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
TagKey = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
TagValue = Annotated[str, msgspec.Meta(max_length=256)]
Tags = Annotated[dict[TagKey, TagValue], msgspec.Meta(min_length=1, max_length=200)]

IteratorType = Literal["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]
FilterType = Literal[
    "AFTER_SHARD_ID", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON", "AT_LATEST", "AT_TIMESTAMP", "FROM_TIMESTAMP"
]

# How msgspec says that JSON is of another form than asked for, rather than out of bounds.
_OTHER_FORM: Final = (", got `", "Invalid base64", "Invalid UTF-8")


class Request(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Any call; one that names a stream does so by name, by ARN, or by both when they agree."""

    stream_name: Name | None = None
    stream_arn: Arn | None = msgspec.field(name="StreamARN", default=None)

    @property
    def stream(self) -> str | None:
        """The stream's name, if one is given.

        Raises
        ------
        Rejection
            ``InvalidArgumentException``: name and ARN are of two streams.
        """
        named = None if self.stream_arn is None else self.stream_arn.rpartition("/")[2]
        if named is not None and self.stream_name is not None and named != self.stream_name:
            raise invalid(f"StreamARN is of the stream {named}, StreamName is {self.stream_name}")
        return named or self.stream_name


class CreateStream(Request, frozen=True, kw_only=True):
    """Make a stream."""

    stream_name: Name
    shard_count: Count | None = None
    tags: Tags | None = None


class DescribeStream(Request, frozen=True, kw_only=True):
    """Tell of a stream and its shards, page by page."""

    limit: Page = 100
    exclusive_start_shard_id: Name | None = None


class ListStreams(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Name the streams, page by page."""

    limit: Page = 100
    exclusive_start_stream_name: Name | None = None
    next_token: Token | None = None


class ShardFilter(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Which shards ListShards tells of."""

    type: FilterType
    shard_id: Name | None = None
    timestamp: float | None = None


class ListShards(Request, frozen=True, kw_only=True):
    """Tell of a stream's shards, filtered, page by page."""

    next_token: Token | None = None
    exclusive_start_shard_id: Name | None = None
    max_results: Page = 1000
    shard_filter: ShardFilter | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One record to put."""

    data: Data
    partition_key: PartitionKey
    explicit_hash_key: HashKey | None = None


class PutRecord(Request, frozen=True, kw_only=True):
    """Put one record."""

    data: Data
    partition_key: PartitionKey
    explicit_hash_key: HashKey | None = None
    sequence_number_for_ordering: SequenceNumber | None = None


class PutRecords(Request, frozen=True, kw_only=True):
    """Put records, each of which may fail alone."""

    records: Annotated[list[Entry], msgspec.Meta(min_length=1, max_length=PUT_RECORDS)]


class GetShardIterator(Request, frozen=True, kw_only=True):
    """Ask for a place to read from."""

    shard_id: Name
    shard_iterator_type: IteratorType
    starting_sequence_number: SequenceNumber | None = None
    timestamp: float | None = None


class GetRecords(Request, frozen=True, kw_only=True):
    """Read on from a place."""

    shard_iterator: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=READ_RECORDS)] = READ_RECORDS


class SplitShard(Request, frozen=True, kw_only=True):
    """Split a shard in two."""

    shard_to_split: Name
    new_starting_hash_key: HashKey


class MergeShards(Request, frozen=True, kw_only=True):
    """Merge two shards."""

    shard_to_merge: Name
    adjacent_shard_to_merge: Name


class UpdateShardCount(Request, frozen=True, kw_only=True):
    """Scale a stream."""

    target_shard_count: Count
    scaling_type: Literal["UNIFORM_SCALING"]


class Retention(Request, frozen=True, kw_only=True):
    """Keep records for longer, or for less long."""

    retention_period_hours: int


class AddTags(Request, frozen=True, kw_only=True):
    """Set tags of a stream."""

    tags: Tags


class RemoveTags(Request, frozen=True, kw_only=True):
    """Take tags off a stream."""

    tag_keys: Annotated[list[TagKey], msgspec.Meta(min_length=1, max_length=50)]


class ListTags(Request, frozen=True, kw_only=True):
    """Tell a stream's tags, page by page."""

    exclusive_start_tag_key: TagKey | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=50)] = 50


RequestT = TypeVar("RequestT", bound=msgspec.Struct)


def decode(body: bytes, form: type[RequestT]) -> RequestT:
    """Read a request.

    Raises
    ------
    Rejection
        ``SerializationException``: the JSON is broken or of another form;
        ``ValidationException``: a part is missing or out of bounds.
    """
    try:
        return msgspec.json.decode(body or b"{}", type=form)
    except msgspec.ValidationError as error:
        text = str(error)
        if any(sign in text for sign in _OTHER_FORM):
            raise Rejection("SerializationException", text) from error
        raise Rejection("ValidationException", f"1 validation error detected: {text}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejection("SerializationException", "the body is not JSON") from error


def hash_key(text: str | None, argument: str) -> int | None:
    """A hash key as a number.

    Raises
    ------
    Rejection
        ``InvalidArgumentException``: it is beyond 128 bits.
    """
    if text is None:
        return None
    key = int(text)
    if key >= HASH_KEYS:
        raise invalid(f"Invalid {argument}. {argument} must be in the range: [0, 2^128-1]. Specified value was {key}")
    return key
