"""Answers: what the service sends back, as structures that encode to its JSON."""

from collections.abc import Sequence

import msgspec

from streamer.testing.kinesis.shard import Record, Shard
from streamer.testing.kinesis.stream import Stream


class _Answer(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """Any answer; what is not set is left out."""


class HashKeyRange(_Answer, frozen=True, kw_only=True):
    """Both ends included, as decimal text."""

    starting_hash_key: str
    ending_hash_key: str


class SequenceNumberRange(_Answer, frozen=True, kw_only=True):
    """A closed shard has an ending number."""

    starting_sequence_number: str
    ending_sequence_number: str | None = None


class ShardAnswer(_Answer, frozen=True, kw_only=True):
    """A shard and where it comes from."""

    shard_id: str
    hash_key_range: HashKeyRange
    sequence_number_range: SequenceNumberRange
    parent_shard_id: str | None = None
    adjacent_parent_shard_id: str | None = None


class ChildShard(_Answer, frozen=True, kw_only=True):
    """What follows a closed shard."""

    shard_id: str
    parent_shards: list[str]
    hash_key_range: HashKeyRange


class ListShardsAnswer(_Answer, frozen=True, kw_only=True):
    """One page of shards."""

    shards: list[ShardAnswer]
    next_token: str | None = None


class StreamMode(_Answer, frozen=True, kw_only=True):
    """Always provisioned here."""

    stream_mode: str


class Monitoring(_Answer, frozen=True, kw_only=True):
    """Always none here."""

    shard_level_metrics: list[str]


class StreamSummary(_Answer, frozen=True, kw_only=True):
    """A stream in a list."""

    stream_name: str
    stream_arn: str = msgspec.field(name="StreamARN")
    stream_status: str
    stream_mode_details: StreamMode
    stream_creation_timestamp: float


class _StreamFacts(StreamSummary, frozen=True, kw_only=True):
    retention_period_hours: int
    enhanced_monitoring: list[Monitoring]
    encryption_type: str


class StreamDescription(_StreamFacts, frozen=True, kw_only=True):
    """A stream and one page of its shards."""

    shards: list[ShardAnswer]
    has_more_shards: bool


class StreamDescriptionSummary(_StreamFacts, frozen=True, kw_only=True):
    """A stream in short."""

    open_shard_count: int
    consumer_count: int
    max_record_size: int = msgspec.field(name="MaxRecordSizeInKiB")


class DescribeStreamAnswer(_Answer, frozen=True, kw_only=True):
    """The answer of DescribeStream."""

    stream_description: StreamDescription


class DescribeStreamSummaryAnswer(_Answer, frozen=True, kw_only=True):
    """The answer of DescribeStreamSummary."""

    stream_description_summary: StreamDescriptionSummary


class ListStreamsAnswer(_Answer, frozen=True, kw_only=True):
    """One page of streams."""

    stream_names: list[str]
    stream_summaries: list[StreamSummary]
    has_more_streams: bool
    next_token: str | None = None


class PutRecordAnswer(_Answer, frozen=True, kw_only=True):
    """Where a record is."""

    shard_id: str
    sequence_number: str


class EntryAnswer(_Answer, frozen=True, kw_only=True):
    """Where a record of many is, or why it is not."""

    shard_id: str | None = None
    sequence_number: str | None = None
    error_code: str | None = None
    error_message: str | None = None


class PutRecordsAnswer(_Answer, frozen=True, kw_only=True):
    """One for each record put, in their order."""

    failed_record_count: int
    records: list[EntryAnswer]


class GetShardIteratorAnswer(_Answer, frozen=True, kw_only=True):
    """A place to read from."""

    shard_iterator: str


class GetRecordsAnswer(_Answer, frozen=True, kw_only=True):
    """Records and where to read on; no place and some children at the end of a shard."""

    records: Sequence[Record]
    millis_behind_latest: int
    next_shard_iterator: str | None = None
    child_shards: list[ChildShard] | None = None


class UpdateShardCountAnswer(_Answer, frozen=True, kw_only=True):
    """The size before and the size to come."""

    stream_name: str
    current_shard_count: int
    target_shard_count: int
    stream_arn: str = msgspec.field(name="StreamARN")


class Tag(_Answer, frozen=True, kw_only=True):
    """One tag."""

    key: str
    value: str


class ListTagsAnswer(_Answer, frozen=True, kw_only=True):
    """One page of tags."""

    tags: list[Tag]
    has_more_tags: bool


def key_range(shard: Shard) -> HashKeyRange:
    """A shard's hash keys."""
    return HashKeyRange(starting_hash_key=str(shard.first_key), ending_hash_key=str(shard.last_key))


def describe_shard(shard: Shard, *, as_open: bool = False) -> ShardAnswer:
    """Tell of a shard, on request as if it were not closed yet."""
    parents = [parent.id for parent in shard.parents] + [None, None]
    return ShardAnswer(
        shard_id=shard.id,
        hash_key_range=key_range(shard),
        sequence_number_range=SequenceNumberRange(
            starting_sequence_number=shard.starting, ending_sequence_number=None if as_open else shard.ending
        ),
        parent_shard_id=parents[0],
        adjacent_parent_shard_id=parents[1],
    )


def describe_child(shard: Shard) -> ChildShard:
    """Tell of a shard as its parents' reader needs it."""
    return ChildShard(
        shard_id=shard.id, parent_shards=[parent.id for parent in shard.parents], hash_key_range=key_range(shard)
    )


def summarise_stream(stream: Stream) -> StreamSummary:
    """Tell of a stream in a list."""
    return StreamSummary(
        stream_name=stream.name,
        stream_arn=stream.arn,
        stream_status=stream.status,
        stream_mode_details=StreamMode(stream_mode="PROVISIONED"),
        stream_creation_timestamp=stream.created_at / 1000,
    )
