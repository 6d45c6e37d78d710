"""The live run: captures go in at one end of the service while its alerts are read at the other."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import aiohttp

from streamer.adapters.jsonlines import ALERTS
from streamer.app.whole import write_whole
from streamer.core.documents import encode, encode_notification
from streamer.core.errors import SinkError, StreamerError
from streamer.core.types import Notify, Retrain
from streamer.demo.cloud import STREAM, Cloud
from streamer.demo.gauges import Gauges, read_gauges
from streamer.demo.pace import Pace
from streamer.demo.pipeline import VERSION, Takeover, answer
from streamer.demo.preparation import Prepared
from streamer.demo.processes import Process
from streamer.demo.producer import Producer
from streamer.ports import Clock, Sink
from streamer.progress import Progress
from streamer.retry import stop_or_timeout

RETRAINING: Final = "retraining.jsonl"
_LOOK_SECONDS: Final = 0.25
# From the last record put to the service having all of them; it reads each shard twice a second or faster.
_CATCHING_UP_SECONDS: Final = 60.0
_PATIENCE_SECONDS: Final = 10.0
_WEEK_MS: Final = 7 * 86_400_000


class Live:
    """One run of the service on captures that are made while it reads them.

    Parameters
    ----------
    cloud : Cloud
        Where captures go in and alerts come out.
    service : Process
        Reads and tells.
    processes : sequence of Process
        All that must run.
    pace : Pace
        Of the captures.
    clock : Clock
        Measures patience.
    sinks : sequence of Sink
        Get what arrives in the queues.
    shown : Progress
        Of records.
    say : callable
        Told what is being done.

    Attributes
    ----------
    gauges : Gauges
        The last look at the service.
    takeover : Takeover or None
        The second version, once it answers.
    """

    def __init__(
        self,
        cloud: Cloud,
        service: Process,
        processes: Sequence[Process],
        pace: Pace,
        clock: Clock,
        sinks: Sequence[Sink],
        shown: Progress,
        say: Callable[[str], None],
    ) -> None:
        self._cloud, self._service, self._processes = cloud, service, processes
        self._clock, self._sinks, self._shown = clock, sinks, shown
        self._producer = Producer(cloud.kinesis, STREAM, pace)
        self._received: dict[str, Notify | Retrain] = {}
        self._say = say
        self.gauges = Gauges()
        self.takeover: Takeover | None = None

    @property
    def received(self) -> list[Notify | Retrain]:
        """What arrived in the queues, once each, in the order in which it did."""
        return list(self._received.values())

    def sentence(self) -> str:
        """How much arrived, and on which way."""
        alerts = sum(isinstance(one, Notify) for one in self._received.values())
        requests = len(self._received) - alerts
        return (
            f"{alerts:,} notifications arrived through SNS and SQS, "
            f"{requests:,} retraining request{'' if requests == 1 else 's'} through EventBridge and SQS."
        )

    async def run(self, made: Prepared, *, published: bool) -> None:
        """Put all captures week by week, answer a request for retraining, and wait until the service has read all.

        Parameters
        ----------
        made : Prepared
            The captures.
        published : bool
            Also until everything it has decided is told.

        Raises
        ------
        StreamerError
            A process has ended, the stream takes nothing, or the service does not read.
        """
        ended = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as session:
                receiving = group.create_task(self._receive(ended))
                looking = group.create_task(self._look(session, ended))
                for week_at in range(made.first_at, made.ends_at, _WEEK_MS):
                    if week_at > made.first_at:
                        await self._between_weeks(made, week_at)
                    folder = made.captures if self.takeover is None else self.takeover.captures
                    await self._producer.run(folder, week_at, week_at + _WEEK_MS)
                if made.morning_after is not None:
                    await self._producer.run(made.morning_after)
                await self._caught_up(made.judged_until_at)
                if published:
                    await self._published()
                ended.set()
                await receiving
                await looking
        except ExceptionGroup as group_error:
            raise _first(group_error) from group_error

    async def _between_weeks(self, made: Prepared, week_at: int) -> None:
        """Where something fires, let it be told; answer the first request there is."""
        await self._caught_up(None)
        if self.takeover is not None or not self.gauges.firing:
            return
        await self._published()
        request = next((one.request for one in self._received.values() if isinstance(one, Retrain)), None)
        if request is not None:
            self._say(f"answering the request of {request.requested:%-d %B}: training version {VERSION}")
            self.takeover = await asyncio.to_thread(answer, made, request, week_at)
            self._say(f"version {VERSION}, trained on {self.takeover.rows:,} flights, takes over")
            await self._taken(made.sqlite)

    async def _taken(self, sqlite: Path) -> None:
        """Wait until the service has taken the decision."""
        began = self._clock.monotonic()
        while not await asyncio.to_thread(_has_decision, sqlite):
            if self._clock.monotonic() - began > _CATCHING_UP_SECONDS:
                raise StreamerError("the service does not take the decision on the second version")
            await asyncio.sleep(_LOOK_SECONDS)

    async def take(self) -> None:
        """Hand on what has arrived since.

        Raises
        ------
        StreamerError
            The queues can't be read.
        """
        found = await asyncio.to_thread(self._cloud.received)
        # Queues may deliver twice.
        new = {_id_of(one): one for one in found if _id_of(one) not in self._received}
        self._received |= new
        for sink in self._sinks if new else ():
            await sink.deliver(list(new.values()))

    async def _receive(self, ended: asyncio.Event) -> None:
        while not await stop_or_timeout(ended, _LOOK_SECONDS):
            await self.take()

    async def _look(self, session: aiohttp.ClientSession, ended: asyncio.Event) -> None:
        answered_at = self._clock.monotonic()
        while not await stop_or_timeout(ended, _LOOK_SECONDS):
            for process in self._processes:
                process.check()
            try:
                async with session.get(f"{self._service.url}/metrics", timeout=aiohttp.ClientTimeout(2)) as answer:
                    self.gauges = read_gauges(await answer.text())
            except (aiohttp.ClientError, TimeoutError) as error:
                # It may stand still for a moment; ``check`` tells when it is gone.
                if self._clock.monotonic() - answered_at > _PATIENCE_SECONDS:
                    raise StreamerError("the service does not answer at /metrics") from error
                continue
            answered_at = self._clock.monotonic()
            self._shown.set(self.gauges.received)
            self._shown.note(self.gauges.words())

    async def _caught_up(self, until_at: int | None) -> None:
        began = self._clock.monotonic()
        while True:
            seen, put = self.gauges, self._producer.put.records
            there = until_at is None or (seen.watermark_at is not None and seen.watermark_at >= until_at)
            if seen.received >= put and there:
                return
            if self._clock.monotonic() - began > _CATCHING_UP_SECONDS:
                raise StreamerError(f"the service has read {seen.received:,} of {put:,} records and does not go on")
            await asyncio.sleep(_LOOK_SECONDS)

    async def _published(self) -> None:
        # The first of two further snapshots may have begun before the last record was read.
        began, snapshot = self._clock.monotonic(), self.gauges.snapshot + 2
        while self.gauges.snapshot < snapshot or self.gauges.outbox_bytes:
            if self._clock.monotonic() - began > _CATCHING_UP_SECONDS:
                raise StreamerError("the service does not get its alerts out; /readyz says why")
            await asyncio.sleep(_LOOK_SECONDS)
        await self.take()


def write_received(received: Sequence[Notify | Retrain], directory: Path) -> tuple[Path, Path]:
    """Write what arrived, one JSON line each.

    Parameters
    ----------
    received : sequence of Notify or Retrain
        As ``Live`` has them.
    directory : Path
        Made if it is not there.

    Returns
    -------
    alerts, requests : Path
        The two files.

    Raises
    ------
    SinkError, StorageFull
        They can't be written.
    """
    alerts, requests = directory / ALERTS, directory / RETRAINING
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"can't make {directory}: {error.strerror}") from error
    write_whole(alerts, b"".join(encode_notification(one) + b"\n" for one in received if isinstance(one, Notify)))
    write_whole(requests, b"".join(encode(one.request) + b"\n" for one in received if isinstance(one, Retrain)))
    return alerts, requests


def _has_decision(sqlite: Path) -> bool:
    with closing(sqlite3.connect(sqlite)) as index:
        found = index.execute("SELECT 1 FROM documents WHERE json_extract(body, '$.kind') = 'decision' LIMIT 1")
        return found.fetchone() is not None


def _id_of(action: Notify | Retrain) -> str:
    return action.id if isinstance(action, Notify) else action.request.id


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """The error a person needs: ours, if there is one."""
    leaves: list[Exception] = []
    waiting: list[Exception] = [group]
    while waiting:
        error = waiting.pop()
        if isinstance(error, ExceptionGroup):
            waiting += error.exceptions
        else:
            leaves.append(error)
    return next((error for error in leaves if isinstance(error, StreamerError)), leaves[0])
