"""Account: the streams there are, found by name or ARN."""

from streamer.testing.kinesis.limits import Limits
from streamer.testing.kinesis.rejection import Rejection, beyond_limit, in_use, not_found
from streamer.testing.kinesis.requests import Request
from streamer.testing.kinesis.stream import Status, Stream


class Account:
    """Every stream of one account in one region.

    Parameters
    ----------
    account_id, region : str
        What ARNs are made of.
    limits : Limits
        What is allowed; may be replaced at any time.
    """

    def __init__(self, account_id: str, region: str, limits: Limits) -> None:
        self.limits = limits
        self._prefix = f"arn:aws:kinesis:{region}:{account_id}:stream/"
        self._streams: dict[str, Stream] = {}
        self._last_created_at = -1

    def takes_until(self, now: int) -> int:
        """When a change that begins now is complete."""
        return now + round(self.limits.transition_seconds * 1000)

    def create(self, name: str, shards: int, now: int) -> Stream:
        """Make a stream.

        Raises
        ------
        Rejection
            ``ResourceInUseException``: there is one; ``LimitExceededException``: too many shards.
        """
        if name in {stream.name for stream in self.streams(now)}:
            raise in_use(f"Stream {name} already exists.")
        self.demand_room(shards, now)
        # Two streams are never of one time: it tells their sequence numbers apart.
        self._last_created_at = max(now, self._last_created_at + 1)
        stream = Stream(
            name, self._prefix + name, shards, created_at=self._last_created_at, active_at=self.takes_until(now)
        )
        self._streams[name] = stream
        return stream

    def streams(self, now: int) -> list[Stream]:
        """Every stream, by name, each settled."""
        for stream in self._streams.values():
            stream.settle(now)
        self._streams = {name: stream for name, stream in self._streams.items() if not stream.is_gone}
        return sorted(self._streams.values(), key=lambda stream: stream.name)

    def stream(self, name: str, now: int) -> Stream:
        """A stream by its name, settled.

        Raises
        ------
        Rejection
            ``ResourceNotFoundException``: there is none.
        """
        stream = self._streams.get(name)
        if stream is not None:
            stream.settle(now)
        if stream is None or stream.is_gone:
            raise not_found(f"Stream {name} not found.")
        return stream

    def described(self, request: Request, now: int) -> Stream:
        """The stream a request is about, whatever its status.

        Raises
        ------
        Rejection
            ``ValidationException``: it names none; ``ResourceNotFoundException``: there is none.
        """
        if request.stream is None:
            raise Rejection("ValidationException", "Either StreamName or StreamARN must be given.")
        return self.stream(request.stream, now)

    def used(self, request: Request, now: int) -> Stream:
        """The stream a request reads or writes: one that is being made is not there yet.

        Raises
        ------
        Rejection
            ``ValidationException``: it names none; ``ResourceNotFoundException``: there is none.
        """
        stream = self.described(request, now)
        if stream.status is Status.CREATING:
            raise not_found(f"Stream {stream.name} not found.")
        return stream

    def demand_room(self, more_shards: int, now: int) -> None:
        """Refuse a change that makes too many open shards.

        Raises
        ------
        Rejection
            ``LimitExceededException``.
        """
        shards = sum(len(stream.open_shards) for stream in self.streams(now))
        if shards + more_shards > self.limits.shards:
            raise beyond_limit(
                f"This request would exceed the shard limit for the account. Current shard count: {shards}. "
                f"Limit: {self.limits.shards}."
            )
