"""Calls: what is asked of the service about one stream, bounded in time, errors translated."""

from collections.abc import Mapping
from typing import Any, Final

from streamer.adapters.aws_errors import calling
from streamer.adapters.kinesis.fetch import Answer, KinesisClient, fetch, found_shard
from streamer.adapters.kinesis.positions import Position, Start
from streamer.adapters.kinesis.shards import FoundShard
from streamer.core.errors import Refused, Unavailable
from streamer.core.eventtime import as_datetime, as_text
from streamer.core.types import ShardId

# The longest answer, over a slow line; the client's own limit bounds each wait for more of it.
_CALL_SECONDS: Final = 30.0


class StreamCalls:
    """The three calls a reader makes.

    Parameters
    ----------
    client : KinesisClient
        Open.
    stream : str
        Name or ARN.
    """

    def __init__(self, client: KinesisClient, stream: str) -> None:
        self._client = client
        self._stream = stream
        self._by_arn = {"StreamARN": stream} if stream.startswith("arn:") else {}
        self._named = self._by_arn or {"StreamName": stream}

    async def shards_from(self, start: Start) -> list[FoundShard]:
        """Every shard with records from a start on, all pages.

        Raises
        ------
        Retryable
            Try again; ``Absent`` when there is no such stream.
        """
        found: list[FoundShard] = []
        asked: dict[str, object] = {**self._named}
        if start.at is not None:
            # Closed before then, they have nothing for us. The service takes a time before the
            # oldest record for that record's.
            asked["ShardFilter"] = {"Type": "FROM_TIMESTAMP", "Timestamp": as_datetime(start.at)}
        while True:
            try:
                async with calling(f"list the shards of stream {self._stream}", _CALL_SECONDS):
                    page: Mapping[str, Any] = await self._client.list_shards(**asked)
            except Refused as error:
                raise _perhaps_early(error, start) from error
            found += [found_shard(shard, _parents(shard)) for shard in page["Shards"]]
            token = page.get("NextToken")
            if not token:
                return found
            asked = {"NextToken": token}

    async def iterator_at(self, shard: ShardId, position: Position) -> str:
        """Place of the record at a position, which is not passed over: it tells that nothing is lost.

        Raises
        ------
        Refused
            The service does not know it, or no longer.
        Retryable
            Try again.
        """
        return await self._iterator(
            shard, {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": position.sequence}
        )

    async def iterator_from(self, shard: ShardId, start: Start) -> str:
        """Place where a shard begins for us.

        Raises
        ------
        Retryable
            Try again, perhaps because the start lies ahead.
        """
        if start.at is None:
            place: dict[str, object] = {"ShardIteratorType": "TRIM_HORIZON"}
        else:
            place = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": as_datetime(start.at)}
        try:
            return await self._iterator(shard, place)
        except Refused as error:
            raise _perhaps_early(error, start) from error

    async def _iterator(self, shard: ShardId, place: Mapping[str, object]) -> str:
        async with calling(f"find a place in shard {shard} of stream {self._stream}", _CALL_SECONDS):
            found = await self._client.get_shard_iterator(**self._named, ShardId=shard, **place)
        return str(found["ShardIterator"])

    async def records(self, shard: ShardId, iterator: str, limit: int) -> Answer:
        """Records from a place on.

        Raises
        ------
        Refused
            The place is none.
        Retryable
            Try again; ``ExpiredIterator``: from a new place.
        """
        async with calling(f"read shard {shard} of stream {self._stream}", _CALL_SECONDS):
            return await fetch(self._client, iterator, limit, **self._by_arn)


def _parents(shard: Mapping[str, Any]) -> list[str]:
    named = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
    return [parent for parent in named if parent]


def _perhaps_early(refused: Refused, start: Start) -> Unavailable:
    if start.at is None:
        return Unavailable(str(refused))
    return Unavailable(f"{refused}; the start, {as_text(start.at)}, may lie ahead of the service's clock")
