"""Publisher: carries what snapshots have freed to one sink, in order, for as long as it takes.

Beside that it hands on documents that were only offered, when nothing else waits: the newest hour's.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from streamer.core.errors import NeedsPerson, Refused, Retryable
from streamer.core.outbox import Outbox
from streamer.core.types import Action, Index, OperationsDocument
from streamer.metrics import Metrics
from streamer.ports import Clock, Sink
from streamer.retry import Attempt, Retry

# Actions are handed on in lots of this many, so that a long window close does not pile up in a sink.
_LOT: Final = 2_000
# Documents on operations that wait for a sink at most: an hour's.
_OFFERED: Final = 60

_log = structlog.get_logger()


class Publisher:
    """One sink's way out of the outbox.

    Parameters
    ----------
    sink : Sink
        Where to.
    outbox : Outbox
        Where from.
    retry : Retry
        For what may work later.
    still_ours : callable
        Raises when another process has taken the state over: then nothing may be published.
    on_room : callable
        Called when the sink has taken a segment.
    clock : Clock
        Measures deliveries.
    metrics : Metrics
        Told of them.

    Attributes
    ----------
    trouble : str
        Why the sink takes nothing now; empty when it does.
    """

    def __init__(
        self,
        sink: Sink,
        outbox: Outbox,
        retry: Retry,
        still_ours: Callable[[], Awaitable[None]],
        on_room: Callable[[], None],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._sink, self._outbox, self._retry = sink, outbox, retry
        self._still_ours, self._on_room = still_ours, on_room
        self._clock, self._metrics = clock, metrics
        self._more = asyncio.Event()
        self._draining = False
        self._size = 0
        self._offered: deque[OperationsDocument] = deque()
        self.trouble = ""

    @property
    def name(self) -> str:
        """The sink's."""
        return self._sink.name

    def wake(self) -> None:
        """Look at the outbox again."""
        self._more.set()

    def offer(self, document: OperationsDocument) -> None:
        """Hand this on when nothing else waits; the oldest of too many is let go of."""
        self._offered.append(document)
        self._let_go()
        self._more.set()

    def _let_go(self) -> None:
        while len(self._offered) > _OFFERED:
            self._offered.popleft()
            self._metrics.note_unreported(self.name, 1)

    def drain(self) -> None:
        """Return once nothing is left to publish, or the sink takes nothing."""
        self._draining = True
        self._more.set()

    async def run(self) -> None:
        """Publish until drained.

        Raises
        ------
        LeaseLost
            The state is another process's.
        """
        while True:
            self._more.clear()
            segment = self._outbox.pending(self.name)
            if segment is None:
                if self._draining:
                    return
                if not self._offered or not await self._hand_on():
                    await self._more.wait()
                continue
            for first in range(0, len(segment.actions), _LOT):
                if not await self._deliver(segment.actions[first : first + _LOT]):
                    return
            self._outbox.acknowledge(self.name, segment.number)
            self._on_room()

    async def _hand_on(self) -> bool:
        """Whether the sink is through with what was offered; if not, the next look is time enough."""
        lot = list(self._offered)
        self._offered.clear()
        try:
            await self._still_ours()
            await self._sink.deliver([Index(document) for document in lot])
        except Retryable:
            self._offered.extendleft(reversed(lot))
            self._let_go()
            return False
        except Refused as error:
            self._metrics.note_unreported(self.name, len(error.ids) or len(lot))
        return True

    async def _deliver(self, lot: Sequence[Action]) -> bool:
        """Whether the sink has taken a lot; if not, the drain has no time left."""

        async def attempt() -> None:
            await self._still_ours()
            await self._sink.deliver(lot)

        self._size, began, refused = len(lot), self._clock.monotonic(), 0
        try:
            await self._retry.run(attempt, on_attempt=self._note)
        except Retryable:
            return False
        except Refused as error:
            refused = len(error.ids) or len(lot)
            self._metrics.note_refused(self.name, refused)
            _log.error("sink refused actions", sink=self.name, reason=str(error))
        self._metrics.note_delivered(self.name, len(lot) - refused, self._clock.monotonic() - began)
        return True

    def _note(self, attempt: Attempt) -> None:
        if attempt.error is None:
            if attempt.is_new:
                _log.info("sink takes actions again", sink=self.name, attempts=attempt.number)
            self.trouble = ""
            return
        self._metrics.note_retried(self.name, self._size)
        self.trouble = str(attempt.error)
        if attempt.is_new:
            tell = _log.error if isinstance(attempt.error, NeedsPerson) else _log.warning
            tell("sink takes nothing", sink=self.name, reason=self.trouble)
