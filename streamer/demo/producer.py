"""Producer: the capture files' lines put into the stream, as fast as their event times allow."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

from streamer.core.errors import SourceError
from streamer.core.watermarks import END
from streamer.demo.configuration import ENDPOINT, VARIANT
from streamer.demo.pace import Pace
from streamer.producer import NotPut, Origin, Put, Record, put_records, record_of
from streamer.producer.put import KinesisClient

_ORIGIN: Final = Origin(endpoint=ENDPOINT, variant=VARIANT)
_BATCH_RECORDS: Final = 500
# In BASE64, a call's body stays under 1 MiB.
_BATCH_BYTES: Final = 600 * 1024
# Waits shorter than this cost more than they smooth.
_TICK_SECONDS: Final = 0.1
_PUTTING_SECONDS: Final = 60.0


class Hour(NamedTuple):
    """Captures of one hour.

    Attributes
    ----------
    start_at : int
        Milliseconds since the epoch.
    path : Path
        Their file.
    """

    start_at: int
    path: Path


def hours_of(captures: Path) -> list[Hour]:
    """Capture files below a folder, as ``write_captures`` names them, in their order."""
    found = []
    for path in sorted(captures.glob("*/*/*/*/*/*/*.jsonl")):
        year, month, day, hour = (int(part) for part in path.parts[-5:-1])
        found.append(Hour(round(datetime(year, month, day, hour, tzinfo=UTC).timestamp() * 1000), path))
    return found


def records_of(path: Path) -> Iterator[Record]:
    """Lines of a capture file as records of the stream.

    One endpoint is watched, so its name as the partition key would fill one shard and leave the others empty.
    The key is a hash of the line instead: a repeated capture still meets itself in one shard.

    Raises
    ------
    SourceError
        It can't be read.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SourceError(f"{path}: can't be read: {error.strerror}") from error
    for line in lines:
        yield record_of(line, _ORIGIN)._replace(partition_key=sha256(line).hexdigest()[:32])


class Producer:
    """Puts captures, in the order of their hours.

    Parameters
    ----------
    client : KinesisClient
        Without retries of its own.
    stream : str
        Its name.
    pace : Pace
        How fast.
    wait : callable
        Waits for so many seconds.

    Attributes
    ----------
    put : Put
        What the stream has taken so far.
    """

    def __init__(
        self, client: KinesisClient, stream: str, pace: Pace, wait: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._client, self._stream = client, stream
        self._pace, self._wait = pace, wait
        self.put = Put()

    async def run(self, captures: Path, since_at: int = 0, until_at: int = END) -> None:
        """Put what is below a folder of capture files.

        Parameters
        ----------
        captures : Path
            The folder.
        since_at, until_at : int
            Only hours that start from one time to the other, milliseconds since the epoch.

        Raises
        ------
        SourceError
            A file can't be read, or the stream does not take records.
        """
        batch: list[Record] = []
        size_bytes = 0
        for start_at, path in hours_of(captures):
            if not since_at <= start_at < until_at:
                continue
            ahead = self._pace.ahead_seconds(start_at)
            if ahead > 0:
                await self._send(batch)
                batch, size_bytes = [], 0
                await self._wait(max(ahead, _TICK_SECONDS))
            for record in records_of(path):
                if batch and (len(batch) == _BATCH_RECORDS or size_bytes + record.size > _BATCH_BYTES):
                    await self._send(batch)
                    batch, size_bytes = [], 0
                batch.append(record)
                size_bytes += record.size
        await self._send(batch)

    async def _send(self, batch: list[Record]) -> None:
        if not batch:
            return
        until = monotonic() + _PUTTING_SECONDS
        try:
            put = await asyncio.to_thread(
                put_records, self._client, self._stream, batch, seconds_left=lambda: until - monotonic()
            )
        except NotPut as error:
            raise SourceError(f"the stream takes no captures: {error.reason}") from error
        self.put = Put(*(so_far + more for so_far, more in zip(self.put, put, strict=True)))
        self._pace.note_put(put.records)
