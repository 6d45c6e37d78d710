"""Shaping: the calls that make, change and delete streams."""

from streamer.testing.kinesis.account import Account
from streamer.testing.kinesis.answers import UpdateShardCountAnswer
from streamer.testing.kinesis.faults import AnyFault
from streamer.testing.kinesis.rejection import beyond_limit, invalid
from streamer.testing.kinesis.requests import (
    AddTags,
    CreateStream,
    MergeShards,
    RemoveTags,
    Request,
    Retention,
    SplitShard,
    UpdateShardCount,
    hash_key,
)
from streamer.testing.kinesis.stream import LEAST_RETENTION_HOURS, MOST_RETENTION_HOURS, Stream

_DEFAULT_SHARDS = 4


def create_stream(account: Account, request: CreateStream, now: int, fault: AnyFault | None) -> None:
    """Make a stream."""
    stream = account.create(request.stream_name, request.shard_count or _DEFAULT_SHARDS, now)
    stream.tags.update(request.tags or {})


def delete_stream(account: Account, request: Request, now: int, fault: AnyFault | None) -> None:
    """Delete a stream and its records."""
    account.described(request, now).delete(now, account.takes_until(now))


def split_shard(account: Account, request: SplitShard, now: int, fault: AnyFault | None) -> None:
    """Split a shard in two."""
    stream = account.described(request, now)
    key = hash_key(request.new_starting_hash_key, "NewStartingHashKey")
    if key is None:
        raise AssertionError("the request demands one")
    shard = stream.shard(request.shard_to_split, now)
    account.demand_room(1, now)
    stream.split(shard, key, now, account.takes_until(now))


def merge_shards(account: Account, request: MergeShards, now: int, fault: AnyFault | None) -> None:
    """Merge two shards."""
    stream = account.described(request, now)
    shard = stream.shard(request.shard_to_merge, now)
    adjacent = stream.shard(request.adjacent_shard_to_merge, now)
    stream.merge(shard, adjacent, now, account.takes_until(now))


def update_shard_count(
    account: Account, request: UpdateShardCount, now: int, fault: AnyFault | None
) -> UpdateShardCountAnswer:
    """Scale a stream to so many shards of equal width.

    Raises
    ------
    Rejection
        ``LimitExceededException``: too far at once, too many shards, too often in a day.
    """
    stream = account.described(request, now)
    current, target = len(stream.open_shards), request.target_shard_count
    stream.demand_scalable(target)
    account.demand_room(target - current, now)
    if not stream.scalings.admits(account.limits.scalings_per_day, now):
        raise beyond_limit(f"Stream {stream.name} was scaled {account.limits.scalings_per_day} times in 24 hours.")
    stream.scale(target, now, account.takes_until(now))
    return UpdateShardCountAnswer(
        stream_name=stream.name, current_shard_count=current, target_shard_count=target, stream_arn=stream.arn
    )


def increase_retention(account: Account, request: Retention, now: int, fault: AnyFault | None) -> None:
    """Keep records for longer.

    Raises
    ------
    Rejection
        ``InvalidArgumentException``: less long than now, or more than a year.
    """
    stream, hours = _retained(account, request, now)
    if hours < stream.retention_hours:
        raise invalid(
            f"Requested retention period ({hours} hours) for stream {stream.name} can not be shorter than existing "
            f"retention period ({stream.retention_hours} hours). Use DecreaseRetentionPeriod API."
        )
    stream.retention_hours = hours


def decrease_retention(account: Account, request: Retention, now: int, fault: AnyFault | None) -> None:
    """Keep records for less long; those older are gone at once.

    Raises
    ------
    Rejection
        ``InvalidArgumentException``: longer than now, or less than a day.
    """
    stream, hours = _retained(account, request, now)
    if hours > stream.retention_hours:
        raise invalid(
            f"Requested retention period ({hours} hours) for stream {stream.name} can not be longer than existing "
            f"retention period ({stream.retention_hours} hours). Use IncreaseRetentionPeriod API."
        )
    stream.retention_hours = hours


def add_tags(account: Account, request: AddTags, now: int, fault: AnyFault | None) -> None:
    """Set tags of a stream."""
    account.described(request, now).tags.update(request.tags)


def remove_tags(account: Account, request: RemoveTags, now: int, fault: AnyFault | None) -> None:
    """Take tags off a stream."""
    tags = account.described(request, now).tags
    for key in request.tag_keys:
        tags.pop(key, None)


def _retained(account: Account, request: Retention, now: int) -> tuple[Stream, int]:
    stream, hours = account.described(request, now), request.retention_period_hours
    if not LEAST_RETENTION_HOURS <= hours <= MOST_RETENTION_HOURS:
        raise invalid(
            f"Retention period must be from {LEAST_RETENTION_HOURS} to {MOST_RETENTION_HOURS} hours, not {hours}."
        )
    stream.demand_active()
    return stream, hours
