"""Keeper: takes snapshots when they are due, and frees what they hold for publishing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog

from streamer.core.engine import Engine
from streamer.core.errors import Retryable
from streamer.core.freezing import Freezing
from streamer.core.outbox import Outbox
from streamer.metrics import Metrics
from streamer.ports import Clock, DecisionSource, LiveSource, SnapshotStore

SOURCE: Final = "source"
SERVICE: Final = "service"
DECISIONS: Final = "decisions"
# Endpoints frozen before the loop gets its turn, ~0.1 ms each with 40 features, while time is left.
_SLICE: Final = 50
_SLICE_SECONDS: Final = 0.01
_SLOWEST_RETRY_SECONDS: Final = 30.0

_log = structlog.get_logger()


class KeeperSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When a snapshot is due.

    Attributes
    ----------
    interval_seconds : float
        This long after the last one.
    size_bytes : int
        After so many bytes read.
    urgent_seconds : float
        When something was decided that a person or a pipeline waits for, at most this often.
    """

    interval_seconds: float = 10.0
    size_bytes: int = 67_108_864
    urgent_seconds: float = 1.0


class ServiceState(msgspec.Struct, frozen=True, kw_only=True):
    """What is neither the engine's nor the source's.

    Attributes
    ----------
    next_segment : int
        Number of the next segment of the outbox.
    """

    next_segment: int


class Keeper:
    """Takes snapshots of engine, source and outbox, all of one moment.

    Parameters
    ----------
    engine, source, outbox
        What is kept.
    store : SnapshotStore
        Where.
    clock : Clock
        Measures intervals.
    wait : callable
        Waits for an event or so many seconds, whichever comes first.
    metrics : Metrics
        Told of slices and snapshots.
    settings : KeeperSettings
        When a snapshot is due.
    decisions : DecisionSource or None
        Its place is kept, too.

    Attributes
    ----------
    trouble : str
        Why the last snapshot could not be saved; empty when it could.
    saved_at : float
        Monotonic time of the last one that was; of the start before any.
    number : int
        Its number.
    on_committed : list of callable
        Called when a snapshot has freed segments for publishing.
    """

    def __init__(
        self,
        engine: Engine,
        source: LiveSource,
        outbox: Outbox,
        store: SnapshotStore,
        clock: Clock,
        wait: Callable[[asyncio.Event, float], Awaitable[object]],
        metrics: Metrics,
        settings: KeeperSettings,
        decisions: DecisionSource | None,
    ) -> None:
        self._engine, self._source, self._outbox, self._store = engine, source, outbox, store
        self._clock, self._wait, self._metrics, self._settings = clock, wait, metrics, settings
        self._decisions = decisions
        self._due = asyncio.Event()
        self._urgent = False
        self._bytes = 0
        self._failures = 0
        self.trouble = ""
        self.saved_at = clock.monotonic()
        self.number = 0
        self.on_committed: list[Callable[[], None]] = []

    def note_bytes(self, count: int) -> None:
        """Note that so many bytes were read since the last note."""
        self._bytes += count
        if self._bytes >= self._settings.size_bytes:
            self._due.set()

    def hurry(self) -> None:
        """Ask for a snapshot soon: somebody waits for what was decided."""
        self._urgent = True
        self._due.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Save whenever it is due, until the stop.

        Raises
        ------
        LeaseLost, StateError
            The store is another process's, or can't be used: nothing more may be published.
        """
        began = self._clock.monotonic()
        while not stop.is_set():
            await self._wait(self._due, self._settings.interval_seconds - (self._clock.monotonic() - began))
            least = self._settings.urgent_seconds if not self._failures else self._backoff()
            rest = least - (self._clock.monotonic() - began)
            if rest > 0 and await self._wait(stop, rest):
                return
            began = self._clock.monotonic()
            await self.save()

    def _backoff(self) -> float:
        return min(self._settings.urgent_seconds * 2.0**self._failures, _SLOWEST_RETRY_SECONDS)

    async def save_at_last(self) -> None:
        """Save what there is, however often it takes.

        Raises
        ------
        LeaseLost, StateError
            As ``run``.
        """
        never = asyncio.Event()
        while not await self.save():
            await self._wait(never, self._backoff())

    async def save(self) -> bool:
        """Take one snapshot now; whether it could be saved.

        Raises
        ------
        LeaseLost, StateError
            As ``run``.
        """
        self._due.clear()
        self._urgent, self._bytes = False, 0
        began = self._clock.monotonic()
        # One moment: no await before the save.
        freezing = self._engine.freeze()
        own = {SOURCE: self._source.state(), **self._outbox.seal()}
        own[SERVICE] = msgspec.json.encode(ServiceState(next_segment=self._outbox.next_number))
        if self._decisions is not None:
            own[DECISIONS] = self._decisions.state()
        saved = None
        try:
            while True:
                if self._advance(freezing):
                    break
                await asyncio.sleep(0)
            saved = await self._store.save({**freezing.chunks, **own}, freezing.unchanged)
        except Retryable as error:
            self._failures += 1
            self._metrics.note_snapshot_failed()
            if str(error) != self.trouble:
                _log.warning("snapshot not saved", reason=str(error))
            self.trouble = str(error)
            return False
        finally:
            if saved is None:
                self._engine.change(freezing.names)
        if self.trouble:
            _log.info("snapshots are saved again", number=saved.number)
        self._failures, self.trouble = 0, ""
        self.saved_at, self.number = self._clock.monotonic(), saved.number
        size_bytes = sum(map(len, freezing.chunks.values())) + sum(map(len, own.values()))
        seconds = self.saved_at - began
        self._metrics.note_snapshot(saved, at=self._clock.now(), size_bytes=size_bytes, seconds=seconds)
        if saved.uncollected:
            _log.warning("old snapshots not deleted", reason=saved.uncollected)
        self._outbox.commit(own)
        for tell in self.on_committed:
            tell()
        return True

    def _advance(self, freezing: Freezing) -> bool:
        began = self._clock.monotonic()
        for _ in range(_SLICE):
            done = freezing.advance(1)
            if done or self._clock.monotonic() - began > _SLICE_SECONDS:
                break
        self._metrics.note_step("freeze", self._clock.monotonic() - began)
        return done
