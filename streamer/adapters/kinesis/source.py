"""Source: a stream's shards, read in the order in which they follow one another."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from random import Random
from typing import Final, Literal

import msgspec
import structlog

from streamer.adapters.kinesis import positions
from streamer.adapters.kinesis.budget import ByteBudget
from streamer.adapters.kinesis.calls import StreamCalls
from streamer.adapters.kinesis.fetch import KinesisClient
from streamer.adapters.kinesis.pace import PaceSettings
from streamer.adapters.kinesis.positions import Gap, ShardState, Start
from streamer.adapters.kinesis.reader import Parts, ShardReader
from streamer.adapters.kinesis.shards import FoundShard, ShardGraph
from streamer.adapters.kinesis.trouble import Trouble
from streamer.core.errors import Retryable
from streamer.core.types import ShardId
from streamer.ports import Clock, Intake
from streamer.retry import Attempt, Backoff, Retry, stop_or_timeout

_LOG: Final = structlog.get_logger()
_BACKOFF: Final = Backoff(first_seconds=0.5, most_seconds=5.0)
_GAPS_KEPT: Final = 100
# Once told to stop; a call may take longer than a drain has.
_LAST_SECONDS: Final = 2.0
# Listings may be a little old; hash keys that nobody takes for longer than this are trouble.
_UNCOVERED_SECONDS: Final = 180.0


class KinesisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is read, and how.

    Attributes
    ----------
    stream : str
        Name or ARN.
    start : "latest", "trim_horizon" or int
        Where reading begins when there is no state: now, at the oldest record, or at an arrival
        time, milliseconds since the epoch.
    pace : PaceSettings
        How fast.
    in_flight_bytes : int
        What answers may take at once, over all shards.
    listing_seconds : float
        Shards are listed this often, up to twice as rarely: what the ends of shards tell is enough
        unless one was missed.
    """

    stream: str
    start: Literal["latest", "trim_horizon"] | int = "latest"
    pace: PaceSettings = PaceSettings()
    in_flight_bytes: int = 128 * 2**20
    listing_seconds: float = 30.0


class KinesisSource:
    """A stream as a ``LiveSource``.

    Every record from the start on is handed over once, in its shard's order, and after those of the
    shards before it; from a state on, those after it. Records the service no longer keeps are told
    of as gaps.

    Parameters
    ----------
    client : KinesisClient
        Open; belongs to who made it. ``install`` makes its answers five times cheaper.
    settings : KinesisSettings
        What is read.
    clock : Clock
        Fixes ``latest``; paces.
    chance : random.Random
        For jitter.
    wait : callable
        Waits for an event or so many seconds, and says whether it is the event.
    on_retry : callable
        Told of every call that failed and is tried again.
    """

    def __init__(
        self,
        client: KinesisClient,
        settings: KinesisSettings,
        clock: Clock,
        chance: Random,
        wait: Callable[[asyncio.Event, float], Awaitable[bool]] = stop_or_timeout,
        on_retry: Callable[[Retryable], None] = lambda _: None,
    ) -> None:
        self._calls = StreamCalls(client, settings.stream)
        self._settings = settings
        self._clock, self._chance, self._wait = clock, chance, wait
        self._start: Start | None = None
        self._graph = ShardGraph()
        self._gaps: list[Gap] = []
        self._gap_count = 0
        self._readers: dict[ShardId, ShardReader] = {}
        self._on_retry = on_retry
        self._listing = Trouble(f"stream {settings.stream}", on_retry)
        self._covered_at = clock.monotonic()

    def state(self) -> bytes:
        """Positions, the shards' graph, the start and the gaps; equal states give equal bytes."""
        stream = self._settings.stream
        return positions.encode(stream, self._start, self._graph.shards, self._gaps, self._gap_count)

    def restore(self, state: bytes) -> None:
        """Read on from a state; before ``run``.

        Raises
        ------
        StateError
            It is torn, of another version, or of another stream.
        """
        found = positions.decode(state, self._settings.stream)
        self._start = found.start
        self._graph = ShardGraph(found.shards)
        self._gaps, self._gap_count = found.gaps, found.gap_count

    @property
    def gaps(self) -> Sequence[Gap]:
        """The last gaps, oldest first."""
        return self._gaps

    @property
    def gap_count(self) -> int:
        """All gaps there were."""
        return self._gap_count

    def lag(self) -> Mapping[ShardId, float]:
        """Seconds each open shard is behind its tip, the time its turn is overdue included."""
        return {name: reader.lag_seconds() for name, reader in self._readers.items()}

    def last_reads(self) -> Mapping[ShardId, int | None]:
        """When each open shard last answered, milliseconds since the epoch; ``None`` when it did not yet."""
        return {name: reader.read_at for name, reader in self._readers.items()}

    def troubles(self) -> Sequence[str]:
        """Why it can't read well now, in words: one line for each kind of trouble."""
        now = self._clock.monotonic()
        errors = [trouble.grave(now) for trouble in (self._listing, *(r.trouble for r in self._readers.values()))]
        alike: dict[type[Retryable], list[str]] = {}
        for error in errors:
            if error is not None:
                alike.setdefault(type(error), []).append(str(error))
        words = [texts[0] + (f" (and {len(texts) - 1} more)" if len(texts) > 1 else "") for texts in alike.values()]
        if not words and now - self._covered_at > _UNCOVERED_SECONDS:
            words.append(f"stream {self._settings.stream} lists no shard for some of the hash keys")
        return words

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Read until ``stop`` is set; the batch in hand is handed over first.

        Parameters
        ----------
        intake : Intake
            Gets everything. Its state and this source's must be taken in one step.
        stop : asyncio.Event
            Tested between batches and waits; a call that has no answer two seconds later is given up.
        """
        if self._start is None:
            self._start = self._first_start()
        self._covered_at = self._clock.monotonic()
        retry = Retry(stop, self._clock, self._chance, backoff=_BACKOFF, wait=self._wait)
        parts = Parts(
            calls=self._calls,
            start=self._start,
            pace=self._settings.pace,
            budget=ByteBudget(self._settings.in_flight_bytes),
            retry=retry,
            clock=self._clock,
            wait=self._wait,
            chance=self._chance,
            intake=intake,
            stop=stop,
            on_retry=self._on_retry,
        )
        try:
            async with asyncio.TaskGroup() as group:
                running = _Running(self._graph, self._readers, parts, group, self._note_gap)
                running.resume()
                listing = group.create_task(self._list_again_and_again(running, parts), name="list")
                await stop.wait()
                running.stop_waiting()
                # An answer on its way is still taken; one that stalls must not use up the drain.
                _, stalled = await asyncio.wait({listing, *running.tasks}, timeout=_LAST_SECONDS)
                for task in stalled:
                    task.cancel()
        finally:
            self._readers.clear()

    def _first_start(self) -> Start:
        # Frozen: what comes before a shard is discovered is not to be lost.
        match self._settings.start:
            case "latest":
                at = self._clock.now()
            case "trim_horizon":
                return Start(None)
            case at:
                pass
        return Start(at // 1000 * 1000)

    async def _list_again_and_again(self, running: "_Running", parts: Parts) -> None:
        every = self._settings.listing_seconds
        while True:
            try:
                await parts.retry.run(running.list, on_attempt=self._note_listing)
            except Retryable:
                if not parts.stop.is_set():
                    raise
                return
            if self._graph.covers_all_keys():
                self._covered_at = self._clock.monotonic()
            if childless := self._graph.childless():
                _LOG.warning("ended shards without children", shards=childless)
            if await self._wait(parts.stop, every * self._chance.uniform(1.0, 2.0)):
                return

    def _note_listing(self, attempt: Attempt) -> None:
        self._listing.note(attempt, self._clock.monotonic())

    def _note_gap(self, gap: Gap) -> None:
        self._gap_count += 1
        self._gaps = [*self._gaps, gap][-_GAPS_KEPT:]


class _Running:
    """One run: starts a reader for each shard when its turn has come."""

    def __init__(
        self,
        graph: ShardGraph,
        readers: dict[ShardId, ShardReader],
        parts: Parts,
        group: asyncio.TaskGroup,
        note_gap: Callable[[Gap], None],
    ) -> None:
        self.note_gap = note_gap
        self._graph = graph
        self._readers = readers
        self._parts = parts
        self._group = group
        self._one_listing = asyncio.Lock()
        self._tasks: dict[ShardId, asyncio.Task[None]] = {}
        self._listings = 0
        self._listed: dict[ShardId, FoundShard] = {}

    @property
    def reader_count(self) -> int:
        """Shards that are read."""
        return len(self._readers)

    @property
    def tasks(self) -> Collection[asyncio.Task[None]]:
        """Those that read a shard."""
        return self._tasks.values()

    def resume(self) -> None:
        """Read on in the shards that were being read."""
        for shard in self._graph.reading():
            self._read(shard)
        self._go_on()

    async def list(self) -> None:
        """List the shards, and read those that are new and whose turn it is.

        Raises
        ------
        Retryable
            Try again.
        """
        before = self._listings
        async with self._one_listing:
            if self._listings > before:
                # Somebody else's began after we asked.
                return
            found = await self._parts.calls.shards_from(self._parts.start)
            self._listings += 1
            self._listed = {shard.id: shard for shard in found}
            self._graph.learn_listing(found, self._parts.clock.now())
            self._go_on()

    async def confirm(self, shard: ShardId) -> FoundShard | None:
        """A shard as the service lists it now; ``None`` when it does not."""
        await self.list()
        return self._listed.get(shard)

    def ended(self, shard: ShardId, children: Sequence[FoundShard]) -> None:
        """Note that a shard was read to its end, and go on with its children."""
        _LOG.info("shard ended", shard=shard, children=[child.id for child in children])
        self._graph.end(shard, children, self._parts.clock.now())
        del self._readers[shard], self._tasks[shard]
        self._go_on()

    def lost(self, shard: ShardId) -> None:
        """Note that a shard is older than the retention."""
        _LOG.warning("shard expired", shard=shard)
        state, now = self._graph.shards[shard], self._parts.clock.now()
        if state.complete_until_at is not None:
            self.note_gap(Gap(shard=shard, from_at=state.complete_until_at, to_at=now))
        self._graph.lose(shard, now)
        del self._readers[shard], self._tasks[shard]
        self._go_on()

    def _go_on(self) -> None:
        """Begin and end shards, in one step: between the two the keys would look quiet."""
        for shard in self._graph.begin_ready():
            self._parts.intake.begin(shard.id, self._graph.continued_by(shard))
            _LOG.info("shard begun", shard=shard.id, parents=shard.parents)
            self._read(shard)
        for shard in self._graph.release_ended():
            self._parts.intake.end(shard.id)

    def _read(self, shard: ShardState) -> None:
        reader = self._readers[shard.id] = ShardReader(shard, self._parts, self)
        self._tasks[shard.id] = self._group.create_task(reader.run(), name=f"read {shard.id}")

    def stop_waiting(self) -> None:
        """Let go of readers that wait for room: it may not come before the drain is over."""
        for name, reader in self._readers.items():
            if reader.is_settling:
                self._tasks[name].cancel()
