"""Reading: the calls that find a place in a shard and read on from it."""

from streamer.testing.kinesis.account import Account
from streamer.testing.kinesis.answers import GetRecordsAnswer, GetShardIteratorAnswer, describe_child
from streamer.testing.kinesis.faults import AnyFault, EmptyRead, EndWithoutChildren, Redeliver
from streamer.testing.kinesis.limits import READ_BYTES
from streamer.testing.kinesis.place import Place, decode_iterator, encode
from streamer.testing.kinesis.rejection import Rejection, invalid, not_found, throttled
from streamer.testing.kinesis.requests import GetRecords, GetShardIterator
from streamer.testing.kinesis.shard import Shard, origin_of
from streamer.testing.kinesis.stream import Stream


def get_shard_iterator(
    account: Account, request: GetShardIterator, now: int, fault: AnyFault | None
) -> GetShardIteratorAnswer:
    """Find a place in a shard.

    Raises
    ------
    Rejection
        ``ResourceNotFoundException``: no such stream or shard; ``InvalidArgumentException``: a
        sequence number that is not of this shard, or older than the retention, a time to come;
        ``ProvisionedThroughputExceededException``: asked too often.
    """
    stream = account.used(request, now)
    shard = stream.shard(request.shard_id, now)
    place = _place(account, stream, shard, request, now)
    if not shard.iterators.admits(account.limits.iterators_per_second, now):
        raise throttled(f"Rate exceeded for shard {shard.id} in stream {stream.name}.")
    return GetShardIteratorAnswer(shard_iterator=_iterator(stream, shard, place, now))


def get_records(account: Account, request: GetRecords, now: int, fault: AnyFault | None) -> GetRecordsAnswer:
    """Read on: as many records as asked for, 10 MiB at most.

    Raises
    ------
    Rejection
        ``ExpiredIteratorException``: it is too old; ``InvalidArgumentException``: it is none, or of
        another stream; ``ResourceNotFoundException``: the stream or the shard is gone;
        ``ProvisionedThroughputExceededException``: read too often or too much.
    """
    held = decode_iterator(request.shard_iterator)
    if request.stream not in (None, held.stream):
        raise invalid("The ShardIterator is of another stream.")
    lives_milliseconds = round(account.limits.iterator_seconds * 1000)
    if now - held.issued_at > lives_milliseconds:
        raise Rejection(
            "ExpiredIteratorException",
            f"Iterator expired. The iterator was created at time {held.issued_at} while right now it is {now} which "
            f"is further in the future than the tolerated delay of {lives_milliseconds} milliseconds.",
        )
    stream = account.stream(held.stream, now)
    if stream.created_at != held.stream_at:
        raise not_found(f"Stream {held.stream} is not the one the ShardIterator is of.")
    shard = stream.shard(held.shard, now)
    if not shard.reads.admits(account.limits, now):
        raise throttled(f"Rate exceeded for shard {shard.id} in stream {stream.name}.")
    place = max(held.place, shard.trimmed)
    if isinstance(fault, EmptyRead):
        return GetRecordsAnswer(
            records=(),
            millis_behind_latest=fault.behind_milliseconds,
            next_shard_iterator=_iterator(stream, shard, place, now),
        )
    return _read(account, stream, shard, place, request.limit, now, fault)


def _read(
    account: Account, stream: Stream, shard: Shard, place: int, limit: int, now: int, fault: AnyFault | None
) -> GetRecordsAnswer:
    again = place
    if isinstance(fault, Redeliver):
        again = max(shard.trimmed, place - fault.records)
    records = shard.read(again, limit, READ_BYTES)
    shard.reads.weigh(sum(record.weight for record in records), account.limits, now)
    # A reader never moves backwards, however much is delivered again.
    following = max(place, again + len(records))
    at_end = following >= shard.end
    behind = 0
    if not at_end:
        waiting = shard.records[following - shard.trimmed]
        behind = max(0, now - round(waiting.approximate_arrival_timestamp * 1000))
    if isinstance(fault, EndWithoutChildren):
        return GetRecordsAnswer(records=records, millis_behind_latest=behind)
    if at_end and shard.closed_at is not None:
        children = [describe_child(child) for child in shard.children]
        return GetRecordsAnswer(records=records, millis_behind_latest=0, child_shards=children)
    return GetRecordsAnswer(
        records=records,
        millis_behind_latest=behind,
        next_shard_iterator=_iterator(stream, shard, following, now),
    )


def _iterator(stream: Stream, shard: Shard, place: int, now: int) -> str:
    return encode(Place(stream.name, stream.created_at, shard.id, place, now))


def _place(account: Account, stream: Stream, shard: Shard, request: GetShardIterator, now: int) -> int:
    kind = request.shard_iterator_type
    by_number = kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
    number = request.starting_sequence_number
    if by_number != (number is not None):
        raise invalid(
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
            f"(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified {kind} and "
            f"{'no' if by_number else 'also a'} StartingSequenceNumber."
        )
    if number is not None:
        _demand_origin(account, stream, shard, number)
        return shard.place_of(number, after=kind == "AFTER_SEQUENCE_NUMBER")
    if kind == "AT_TIMESTAMP":
        if request.timestamp is None:
            raise invalid("Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP.")
        if request.timestamp * 1000 > now:
            raise invalid(
                "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
                f"timestampInMillis: {request.timestamp * 1000:.0f}, currentTimestampInMillis: {now}"
            )
        return shard.place_at(request.timestamp)
    return shard.end if kind == "LATEST" else shard.trimmed


def _demand_origin(account: Account, stream: Stream, shard: Shard, number: str) -> None:
    """Refuse a sequence number that this shard has not given, or that is older than what it still holds."""
    used = f"StartingSequenceNumber {number} used in GetShardIterator on shard {shard.id} in stream {stream.name}"
    origin = origin_of(number)
    if origin is None:
        raise invalid(f"{used} is invalid.")
    stream_at, _, shard_number = origin
    if stream_at != stream.created_at:
        raise invalid(f"{used} is invalid because it did not come from this stream.")
    if shard_number != shard.number:
        raise invalid(f"{used} is invalid: it encodes shardId-{shard_number:012d}.")
    if number < shard.starting or (shard.ending is not None and number > shard.ending):
        raise invalid(f"{used} is invalid.")
    aged = number <= shard.last_trimmed and number != shard.starting
    if aged and account.limits.refuse_trimmed:
        raise invalid(f"{used} is invalid because it is older than the retention period.")
