"""Writing: the calls that put records."""

from streamer.testing.kinesis.account import Account
from streamer.testing.kinesis.answers import EntryAnswer, PutRecordAnswer, PutRecordsAnswer
from streamer.testing.kinesis.faults import AnyFault, FailEntries
from streamer.testing.kinesis.limits import PUT_BYTES
from streamer.testing.kinesis.rejection import THROUGHPUT, invalid, throttled
from streamer.testing.kinesis.requests import Entry, PutRecord, PutRecords, hash_key
from streamer.testing.kinesis.shard import Record, Shard
from streamer.testing.kinesis.stream import Stream


def put_record(account: Account, request: PutRecord, now: int, fault: AnyFault | None) -> PutRecordAnswer:
    """Put one record.

    Raises
    ------
    Rejection
        ``ProvisionedThroughputExceededException``: the shard takes no more in this second;
        ``InvalidArgumentException``: too large, or a hash key beyond 128 bits.
    """
    stream = account.used(request, now)
    size = _demand_size(stream, request)
    shard, record = _put(account, stream, request, size, hash_key(request.explicit_hash_key, "ExplicitHashKey"), now)
    if record is None:
        raise throttled(_too_fast(stream, shard))
    return PutRecordAnswer(shard_id=shard.id, sequence_number=record.sequence_number)


def put_records(account: Account, request: PutRecords, now: int, fault: AnyFault | None) -> PutRecordsAnswer:
    """Put records one by one; what a shard does not take fails alone.

    Raises
    ------
    Rejection
        ``InvalidArgumentException``: one is too large, all are, or a hash key is beyond 128 bits;
        then none was put.
    """
    stream = account.used(request, now)
    keys = [hash_key(entry.explicit_hash_key, "ExplicitHashKey") for entry in request.records]
    sizes = [_demand_size(stream, entry) for entry in request.records]
    if sum(sizes) > PUT_BYTES:
        raise invalid(f"Records size exceeds {PUT_BYTES // 2**20} MB limit")
    answers: list[EntryAnswer] = []
    for i, (entry, size, key) in enumerate(zip(request.records, sizes, keys, strict=True), 1):
        if isinstance(fault, FailEntries) and i % fault.every == 0:
            answers.append(EntryAnswer(error_code=fault.code, error_message="scripted"))
            continue
        shard, record = _put(account, stream, entry, size, key, now)
        if record is None:
            answers.append(EntryAnswer(error_code=THROUGHPUT, error_message=_too_fast(stream, shard)))
        else:
            answers.append(EntryAnswer(shard_id=shard.id, sequence_number=record.sequence_number))
    failed = sum(answer.error_code is not None for answer in answers)
    return PutRecordsAnswer(failed_record_count=failed, records=answers)


def _put(
    account: Account, stream: Stream, entry: Entry | PutRecord, size: int, key: int | None, now: int
) -> tuple[Shard, Record | None]:
    shard = stream.shard_for(entry.partition_key, key)
    if not shard.writes.admits(size, account.limits, now):
        return shard, None
    return shard, stream.put(shard, entry.data, entry.partition_key, now)


def _demand_size(stream: Stream, entry: Entry | PutRecord) -> int:
    size = len(entry.data) + len(entry.partition_key.encode())
    if size > stream.most_record_bytes:
        raise invalid(f"Record of {size} bytes is larger than the stream's limit of {stream.most_record_bytes} bytes")
    return size


def _too_fast(stream: Stream, shard: Shard) -> str:
    return f"Rate exceeded for shard {shard.id} in stream {stream.name}."
