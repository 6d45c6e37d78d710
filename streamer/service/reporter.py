"""Reporter: once a minute, a document on how the service stands, for the sinks that keep documents."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from streamer.core.operations import OperationsDocument, operations_document
from streamer.core.outbox import Outbox
from streamer.core.watermarks import BEGINNING
from streamer.ports import Clock, LiveSource
from streamer.retry import stop_or_timeout
from streamer.service.loop import Service

EVERY_SECONDS: Final = 60.0


class Reporter:
    """Makes documents on operations, and offers them to some of the sinks.

    They are not part of what is decided: a sink that is away may miss some, and nothing waits for them.

    Parameters
    ----------
    instance : str
        Which process this is.
    service : Service
        What they are about.
    source, outbox
        The service's.
    sinks : sequence of str
        Names of those that keep documents.
    clock : Clock
        Wall clock for the documents, monotonic time for the snapshot's age.
    wait : callable
        Waits for an event or so many seconds.
    """

    def __init__(
        self,
        instance: str,
        service: Service,
        source: LiveSource,
        outbox: Outbox,
        sinks: Sequence[str],
        clock: Clock,
        wait: Callable[[asyncio.Event, float], Awaitable[object]] = stop_or_timeout,
    ) -> None:
        self._instance, self._service, self._source, self._outbox = instance, service, source, outbox
        self._clock, self._wait = clock, wait
        self._told = [publisher for publisher in service.publishers if publisher.name in sinks]

    async def run(self) -> None:
        """Report at the start, and every minute, until cancelled."""
        never = asyncio.Event()
        while True:
            document = self.document()
            for publisher in self._told:
                publisher.offer(document)
            await self._wait(never, EVERY_SECONDS)

    def document(self) -> OperationsDocument:
        """How the service stands now."""
        engine = self._service.engine
        watermark_at = engine.watermarks.at
        return operations_document(
            self._instance,
            self._clock.now(),
            engine.totals,
            {str(shard): seconds for shard, seconds in self._source.lag().items()},
            watermark_at=None if watermark_at == BEGINNING else watermark_at,
            endpoints=len(engine.endpoints),
            outbox_bytes=self._outbox.size_bytes,
            snapshot_age_seconds=self._clock.monotonic() - self._service.keeper.saved_at,
            sinks_in_trouble=[publisher.name for publisher in self._service.publishers if publisher.trouble],
        )
