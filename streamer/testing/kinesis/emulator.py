"""Emulator: a call in, an answer out; state and decisions of the whole service, without any I/O."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from streamer.ports import Clock
from streamer.testing.kinesis import listing, reading, requests, shaping, writing
from streamer.testing.kinesis.account import Account
from streamer.testing.kinesis.faults import (
    AnyFault,
    Call,
    Deny,
    ExpireIterator,
    Missing,
    Reset,
    Script,
    Stall,
    Throttle,
    Truncate,
    Unavailable,
)
from streamer.testing.kinesis.limits import Limits
from streamer.testing.kinesis.place import decode_iterator
from streamer.testing.kinesis.rejection import LIMIT, THROUGHPUT, Rejection, not_found
from streamer.testing.kinesis.requests import RequestT
from streamer.testing.kinesis.shard import Record
from streamer.testing.kinesis.stream import Stream

_RECORD_CALLS: Final = frozenset({"GetRecords", "GetShardIterator", "PutRecord", "PutRecords"})
Act = Callable[[Account, int, AnyFault | None], msgspec.Struct | None]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back to the caller, and what is to become of it on the way."""

    status: int
    body: bytes
    fault: Reset | Stall | Truncate | None = None


def _operation(
    form: type[RequestT], act: Callable[[Account, RequestT, int, AnyFault | None], msgspec.Struct | None]
) -> Callable[[bytes], tuple[msgspec.Struct, Act]]:
    """One kind of call: reads the request; what it does is done later, or not at all when a fault strikes."""

    def prepare(body: bytes) -> tuple[msgspec.Struct, Act]:
        request = requests.decode(body, form)
        return request, lambda account, now, fault: act(account, request, now, fault)

    return prepare


_OPERATIONS: Final[Mapping[str, Callable[[bytes], tuple[msgspec.Struct, Act]]]] = {
    "AddTagsToStream": _operation(requests.AddTags, shaping.add_tags),
    "CreateStream": _operation(requests.CreateStream, shaping.create_stream),
    "DecreaseStreamRetentionPeriod": _operation(requests.Retention, shaping.decrease_retention),
    "DeleteStream": _operation(requests.Request, shaping.delete_stream),
    "DescribeStream": _operation(requests.DescribeStream, listing.describe_stream),
    "DescribeStreamSummary": _operation(requests.Request, listing.describe_stream_summary),
    "GetRecords": _operation(requests.GetRecords, reading.get_records),
    "GetShardIterator": _operation(requests.GetShardIterator, reading.get_shard_iterator),
    "IncreaseStreamRetentionPeriod": _operation(requests.Retention, shaping.increase_retention),
    "ListShards": _operation(requests.ListShards, listing.list_shards),
    "ListStreams": _operation(requests.ListStreams, listing.list_streams),
    "ListTagsForStream": _operation(requests.ListTags, listing.list_tags),
    "MergeShards": _operation(requests.MergeShards, shaping.merge_shards),
    "PutRecord": _operation(requests.PutRecord, writing.put_record),
    "PutRecords": _operation(requests.PutRecords, writing.put_records),
    "RemoveTagsFromStream": _operation(requests.RemoveTags, shaping.remove_tags),
    "SplitShard": _operation(requests.SplitShard, shaping.split_shard),
    "UpdateShardCount": _operation(requests.UpdateShardCount, shaping.update_shard_count),
}


class Kinesis:
    """The service: streams, limits and faults.

    Parameters
    ----------
    clock : Clock
        Tells the wall clock's time; everything that depends on time follows it.
    limits : Limits, optional
        As AWS publishes them when left out.
    account_id, region : str
        What ARNs are made of.

    Attributes
    ----------
    faults : Script
        What goes wrong, and when.
    calls : Counter of (str, str)
        Calls by operation and outcome: ``OK`` or the error's code.

    Examples
    --------
    >>> from streamer.testing.memory import ManualClock
    >>> kinesis = Kinesis(ManualClock(1_767_603_600_000))
    >>> stream = kinesis.create_stream("captures", shards=2)
    >>> kinesis.put("captures", b"{}", "flight-delay/AllTraffic").sequence_number
    '49001767603600000000000000000000000300000000000000000000'
    >>> kinesis.answer("DescribeStreamSummary", b'{"StreamName": "nowhere"}').status
    400
    """

    def __init__(
        self,
        clock: Clock,
        limits: Limits | None = None,
        *,
        account_id: str = "000000000000",
        region: str = "us-east-1",
    ) -> None:
        self.faults = Script()
        self.calls: Counter[tuple[str, str]] = Counter()
        self._clock = clock
        self._ahead = 0
        self._account = Account(account_id, region, limits or Limits())

    @property
    def limits(self) -> Limits:
        """What is allowed; assign others at any time."""
        return self._account.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._account.limits = limits

    def now(self) -> int:
        """The service's time, milliseconds since the epoch."""
        return self._clock.now() + self._ahead

    def advance(self, seconds: float) -> None:
        """Go ahead of the clock, by this much more: iterators expire, records are trimmed."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._ahead += round(seconds * 1000)

    def create_stream(self, name: str, shards: int = 1) -> Stream:
        """Make a stream, past faults.

        Raises
        ------
        Rejection
            ``ResourceInUseException``: there is one; ``LimitExceededException``: too many shards.
        """
        return self._account.create(name, shards, self.now())

    def stream(self, name: str) -> Stream:
        """A stream to look into.

        Raises
        ------
        Rejection
            ``ResourceNotFoundException``: there is none.
        """
        return self._account.stream(name, self.now())

    def put(self, stream: str, data: bytes, partition_key: str, explicit_hash_key: int | None = None) -> Record:
        """Put a record, past limits and faults."""
        found = self.stream(stream)
        return found.put(found.shard_for(partition_key, explicit_hash_key), data, partition_key, self.now())

    def split(self, stream: str, shard: str, key: int | None = None) -> None:
        """Split a shard, in the middle when no hash key is given; past faults."""
        found, now = self.stream(stream), self.now()
        split = found.shard(shard, now)
        middle = (split.first_key + split.last_key + 1) // 2
        found.split(split, middle if key is None else key, now, self._account.takes_until(now))

    def merge(self, stream: str, shard: str, adjacent: str) -> None:
        """Merge two shards; past faults."""
        found, now = self.stream(stream), self.now()
        found.merge(found.shard(shard, now), found.shard(adjacent, now), now, self._account.takes_until(now))

    def scale(self, stream: str, shards: int) -> None:
        """Scale a stream to so many open shards; past faults."""
        now = self.now()
        self.stream(stream).scale(shards, now, self._account.takes_until(now))

    def answer(self, operation: str, body: bytes) -> Answer:
        """Take a call.

        Parameters
        ----------
        operation : str
            For example ``GetRecords``.
        body : bytes
            The request's JSON.
        """
        try:
            answer = self._answer(operation, body)
        except Rejection as rejection:
            self.calls[operation, rejection.code] += 1
            body = msgspec.json.encode({"__type": rejection.code, "message": rejection.text})
            return Answer(status=rejection.status, body=body)
        self.calls[operation, "OK"] += 1
        return answer

    def _answer(self, operation: str, body: bytes) -> Answer:
        prepare = _OPERATIONS.get(operation)
        if prepare is None:
            raise Rejection("UnknownOperationException", f"There is no operation {operation[:64]!r} here.")
        request, act = prepare(body)
        now = self.now()
        fault = self.faults.strike(_call(operation, request), now)
        _refuse(operation, request, fault)
        if isinstance(fault, Reset) and not fault.applied:
            return Answer(status=200, body=b"", fault=fault)
        answer = act(self._account, now, fault)
        encoded = b"" if answer is None else msgspec.json.encode(answer)
        on_the_way = fault if isinstance(fault, Reset | Stall | Truncate) else None
        return Answer(status=200, body=encoded, fault=on_the_way)


def _call(operation: str, request: msgspec.Struct) -> Call:
    """What a call is about, for faults to match."""
    match request:
        case requests.GetRecords():
            held = decode_iterator(request.shard_iterator)
            return Call(operation, held.stream, held.shard)
        case requests.GetShardIterator():
            return Call(operation, request.stream or "", request.shard_id)
        case requests.Request():
            return Call(operation, request.stream or "")
        case _:
            return Call(operation)


def _refuse(operation: str, request: msgspec.Struct, fault: AnyFault | None) -> None:
    """Raise what the faults that refuse say."""
    match fault:
        case Throttle():
            raise Rejection(THROUGHPUT if operation in _RECORD_CALLS else LIMIT, "Rate exceeded (scripted).")
        case Unavailable(status=503):
            raise Rejection("ServiceUnavailable", "Scripted.", 503)
        case Unavailable():
            raise Rejection("InternalFailure", "Scripted.", fault.status)
        case Deny():
            raise Rejection("AccessDeniedException", f"The caller may not call kinesis:{operation} (scripted).")
        case Missing():
            raise not_found(f"Stream {_call(operation, request).stream} not found.")
        case ExpireIterator():
            raise Rejection("ExpiredIteratorException", "Iterator expired (scripted).")
        case _:
            return
