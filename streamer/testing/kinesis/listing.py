"""Listing: the calls that tell of streams, shards and tags."""

from bisect import bisect_right

from streamer.testing.kinesis.account import Account
from streamer.testing.kinesis.answers import (
    DescribeStreamAnswer,
    DescribeStreamSummaryAnswer,
    ListShardsAnswer,
    ListStreamsAnswer,
    ListTagsAnswer,
    Monitoring,
    ShardAnswer,
    StreamDescription,
    StreamDescriptionSummary,
    StreamMode,
    Tag,
    describe_shard,
    summarise_stream,
)
from streamer.testing.kinesis.faults import AnyFault, HideReshard
from streamer.testing.kinesis.place import Page, decode_token, encode
from streamer.testing.kinesis.rejection import beyond_limit, invalid
from streamer.testing.kinesis.requests import (
    DescribeStream,
    ListShards,
    ListStreams,
    ListTags,
    Request,
    ShardFilter,
)
from streamer.testing.kinesis.shard import Shard
from streamer.testing.kinesis.stream import Stream


def describe_stream(
    account: Account, request: DescribeStream, now: int, fault: AnyFault | None
) -> DescribeStreamAnswer:
    """Tell of a stream and its shards."""
    stream = account.described(request, now)
    shards = [s for s in stream.living(now) if s.id > (request.exclusive_start_shard_id or "")]
    return DescribeStreamAnswer(
        stream_description=StreamDescription(
            stream_name=stream.name,
            stream_arn=stream.arn,
            stream_status=stream.status,
            stream_mode_details=StreamMode(stream_mode="PROVISIONED"),
            stream_creation_timestamp=stream.created_at / 1000,
            retention_period_hours=stream.retention_hours,
            enhanced_monitoring=[Monitoring(shard_level_metrics=[])],
            encryption_type="NONE",
            shards=[describe_shard(shard) for shard in shards[: request.limit]],
            has_more_shards=len(shards) > request.limit,
        )
    )


def describe_stream_summary(
    account: Account, request: Request, now: int, fault: AnyFault | None
) -> DescribeStreamSummaryAnswer:
    """Tell of a stream in short."""
    stream = account.described(request, now)
    return DescribeStreamSummaryAnswer(
        stream_description_summary=StreamDescriptionSummary(
            stream_name=stream.name,
            stream_arn=stream.arn,
            stream_status=stream.status,
            stream_mode_details=StreamMode(stream_mode="PROVISIONED"),
            stream_creation_timestamp=stream.created_at / 1000,
            retention_period_hours=stream.retention_hours,
            enhanced_monitoring=[Monitoring(shard_level_metrics=[])],
            encryption_type="NONE",
            open_shard_count=len(stream.open_shards),
            consumer_count=0,
            max_record_size=stream.most_record_bytes // 1024,
        )
    )


def list_streams(account: Account, request: ListStreams, now: int, fault: AnyFault | None) -> ListStreamsAnswer:
    """Name the streams."""
    after = request.exclusive_start_stream_name or ""
    if request.next_token is not None:
        after = decode_token(request.next_token, account.limits.iterator_seconds, now).after
    streams = [stream for stream in account.streams(now) if stream.name > after]
    page, more = streams[: request.limit], len(streams) > request.limit
    return ListStreamsAnswer(
        stream_names=[stream.name for stream in page],
        stream_summaries=[summarise_stream(stream) for stream in page],
        has_more_streams=more,
        next_token=encode(Page("", page[-1].name, None, now)) if more else None,
    )


def list_shards(account: Account, request: ListShards, now: int, fault: AnyFault | None) -> ListShardsAnswer:
    """Tell of the shards a filter lets through.

    Raises
    ------
    Rejection
        ``InvalidArgumentException``: a stream and a token at once, or neither, or a filter without
        what it needs; ``LimitExceededException``: asked too often.
    """
    if (request.stream is None) == (request.next_token is None):
        raise invalid("Either NextToken or StreamName should be provided, and not both.")
    if request.next_token is not None:
        page = decode_token(request.next_token, account.limits.iterator_seconds, now)
        stream, chosen, after = account.stream(page.stream, now), page.filter, page.after
    else:
        stream, chosen = account.described(request, now), request.shard_filter
        after = request.exclusive_start_shard_id or ""
    if not stream.lists.admits(account.limits.lists_per_second, now):
        raise beyond_limit(f"Rate exceeded for stream {stream.name}.")
    shards = [shard for shard in filtered(stream, chosen, now) if shard.id > after]
    page_of = shards[: request.max_results]
    more = len(shards) > request.max_results
    token = encode(Page(stream.name, page_of[-1].id, chosen, now)) if more else None
    return ListShardsAnswer(shards=_shown(page_of, now, fault), next_token=token)


def filtered(stream: Stream, chosen: ShardFilter | None, now: int) -> list[Shard]:
    """The shards a filter lets through, by number; expired ones never.

    A filter at a time covers every hash key once: of a shard that was closed at that very time and
    its children, it tells the shard.

    Raises
    ------
    Rejection
        ``InvalidArgumentException``: the filter lacks what it needs.
    """
    living = stream.living(now)
    kind = "FROM_TRIM_HORIZON" if chosen is None else chosen.type
    if chosen is not None and kind in ("AT_TIMESTAMP", "FROM_TIMESTAMP"):
        if chosen.timestamp is None:
            raise invalid(f"Timestamp must be given with the shard filter {kind}.")
        if chosen.timestamp * 1000 > now:
            raise invalid(f"Timestamp of the shard filter {kind} must not be in the future.")
        since = round(chosen.timestamp * 1000)
        living = [shard for shard in living if shard.closed_at is None or shard.closed_at >= since]
    if kind in ("AT_TRIM_HORIZON", "AT_TIMESTAMP"):
        return [shard for shard in living if not any(parent in living for parent in shard.parents)]
    if kind == "AT_LATEST":
        return [shard for shard in living if shard.closed_at is None]
    if chosen is not None and kind == "AFTER_SHARD_ID":
        if chosen.shard_id is None:
            raise invalid("ShardId must be given with the shard filter AFTER_SHARD_ID.")
        return [shard for shard in living if shard.id > chosen.shard_id]
    return living


def list_tags(account: Account, request: ListTags, now: int, fault: AnyFault | None) -> ListTagsAnswer:
    """Tell a stream's tags."""
    tags = sorted(account.described(request, now).tags.items())
    first = bisect_right(tags, request.exclusive_start_tag_key or "", key=lambda tag: tag[0])
    shown = tags[first : first + request.limit]
    return ListTagsAnswer(
        tags=[Tag(key=key, value=value) for key, value in shown], has_more_tags=len(tags) > first + len(shown)
    )


def _shown(shards: list[Shard], now: int, fault: AnyFault | None) -> list[ShardAnswer]:
    if not isinstance(fault, HideReshard):
        return [describe_shard(shard) for shard in shards]
    seen_at = now - round(fault.age_seconds * 1000)
    return [
        describe_shard(shard, as_open=shard.closed_at is not None and shard.closed_at > seen_at)
        for shard in shards
        if shard.created_at <= seen_at or not shard.parents
    ]
