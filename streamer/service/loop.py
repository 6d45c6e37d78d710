"""The service's loop: one engine, one source, the outbox between them and the world."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Final

from streamer.core.baseline.model import Baseline
from streamer.core.decisions import Decision
from streamer.core.engine import Engine
from streamer.core.outbox import Outbox
from streamer.core.types import Action, Batch, DeadLetter, Notify, Reject, Retrain, ShardId
from streamer.metrics import Metrics
from streamer.ports import Clock, DecisionSource, LiveSource, Sink, SnapshotStore
from streamer.retry import Retry, stop_or_timeout
from streamer.service.keeper import Keeper, KeeperSettings
from streamer.service.publisher import Publisher

# What is closed before the loop gets its turn: ~5 ms each with 40 features, so few, and while time is left.
_SLICE: Final = 8
_SLICE_SECONDS: Final = 0.01
# A process that was suspended for longer than this asks whether the state is still its own.
_SURE_SECONDS: Final = 5.0
# A drain tries a sink that takes nothing for so long; platforms kill after 30 s.
_LAST_SECONDS: Final = 10.0


class Service:
    """Runs until it is told to stop, then drains.

    Parameters
    ----------
    engine : Engine
        Decides.
    source : LiveSource
        Reads.
    outbox : Outbox
        Of these sinks.
    sinks : sequence of Sink
        Get every action once a snapshot holds it.
    store : SnapshotStore
        Acquired.
    clock : Clock
        Wall clock for event times ahead; monotonic time for intervals.
    chance : random.Random
        For the jitter of retries.
    metrics : Metrics
        Told of everything.
    settings : KeeperSettings
        When snapshots are due.
    wait : callable
        Waits for an event or so many seconds, and says whether it is the event.
    decisions : DecisionSource, optional
        Operators' decisions.

    Attributes
    ----------
    keeper : Keeper
        Takes the snapshots.
    publishers : list of Publisher
        One for each sink.
    """

    def __init__(
        self,
        engine: Engine,
        source: LiveSource,
        outbox: Outbox,
        sinks: Sequence[Sink],
        store: SnapshotStore,
        clock: Clock,
        chance: Random,
        metrics: Metrics,
        settings: KeeperSettings | None = None,
        wait: Callable[[asyncio.Event, float], Awaitable[bool]] = stop_or_timeout,
        decisions: DecisionSource | None = None,
    ) -> None:
        self.engine = engine
        self._source, self._outbox, self._store, self._clock = source, outbox, store, clock
        self._giving_up = asyncio.Event()
        self._room = asyncio.Event()
        self._metrics = metrics
        self._wait = wait
        self.keeper = Keeper(
            engine, source, outbox, store, clock, wait, metrics, settings or KeeperSettings(), decisions
        )
        self._decisions = decisions
        retry = Retry(self._giving_up, clock, chance, wait=wait)
        self.publishers = [
            Publisher(sink, outbox, retry, self._still_ours, self._room.set, clock, metrics) for sink in sinks
        ]
        self.keeper.on_committed += [publisher.wake for publisher in self.publishers]
        self._sure_at = clock.monotonic()

    async def run(self, stop: asyncio.Event) -> None:
        """Read, decide, snapshot and publish until the stop; then publish what is left.

        Raises
        ------
        ExceptionGroup
            Of ``LeaseLost``: another process has the state; or of whatever a part could not bear.
        """
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(self.keeper.run(ended))
            publishing = [group.create_task(publisher.run()) for publisher in self.publishers]
            deciding = group.create_task(self._decisions.run(self, stop)) if self._decisions is not None else None
            await self._source.run(self, stop)
            if deciding is not None:
                # A source that ends by itself ends the run; nothing more is decided by anybody.
                stop.set()
                await deciding
            await self._decide()
            ended.set()
            self.keeper.hurry()
            await keeping
            # What was decided last must be durable before it is published. Until it is, there is no
            # end but the deadline: a start after that reads it again.
            await self.keeper.save_at_last()
            for publisher in self.publishers:
                publisher.drain()
            patience = group.create_task(self._give_up())
            for task in publishing:
                await task
            patience.cancel()
            # What was published may go; what was not is published by the next start.
            await self.keeper.save()

    async def _give_up(self) -> None:
        """Let sinks that take nothing be, after a last while: the state keeps what is theirs."""
        await self._wait(asyncio.Event(), _LAST_SECONDS)
        self._giving_up.set()

    def begin(self, shard: ShardId, parents: Sequence[ShardId] = ()) -> None:
        """Announce a shard; see ``ports.Intake``."""
        self.engine.begin(shard, parents)

    def take(self, batch: Batch) -> None:
        """Fold records; see ``ports.Intake``."""
        size_bytes, began = sum(map(len, batch.payloads)), self._clock.monotonic()
        self._collect(self.engine.fold(batch, self._clock.now()))
        self.keeper.note_bytes(size_bytes)
        self._metrics.note_batch(size_bytes, self._clock.monotonic() - began)
        self._metrics.note_totals(self.engine.totals)

    def empty(self, shard: ShardId) -> None:
        """Note a shard at its tip; see ``ports.Intake``."""
        self.engine.note_empty(shard, self._clock.now())

    def end(self, shard: ShardId) -> None:
        """Note the end of a shard; see ``ports.Intake``."""
        self.engine.end(shard, self._clock.now())

    def decide_on(self, decision: Decision, baseline: Baseline | None) -> None:
        """Let an operator's decision take effect; see ``ports.DecisionIntake``."""
        self._collect(self.engine.decide_on(decision, baseline))

    def reject(self, letter: DeadLetter) -> None:
        """Keep what is no decision; see ``ports.DecisionIntake``."""
        self._collect([Reject(letter)])

    async def settle(self) -> None:
        """Decide in slices, and wait for room; see ``ports.Intake``."""
        await self._decide()
        while self._outbox.is_full:
            self._room.clear()
            # What fills it may not even be in a snapshot yet.
            self.keeper.hurry()
            await self._room.wait()

    async def _decide(self) -> None:
        while self.engine.undecided:
            began = self._clock.monotonic()
            for _ in range(_SLICE):
                self._collect(self.engine.decide(1))
                if not self.engine.undecided or self._clock.monotonic() - began > _SLICE_SECONDS:
                    break
            self._metrics.note_step("decide", self._clock.monotonic() - began)
            await asyncio.sleep(0)

    def _collect(self, actions: Sequence[Action]) -> None:
        if actions:
            self._outbox.add(actions)
            self._metrics.note_decided(actions)
            if any(isinstance(action, Notify | Retrain) for action in actions):
                self.keeper.hurry()

    async def _still_ours(self) -> None:
        if self._clock.monotonic() - max(self._sure_at, self.keeper.saved_at) > _SURE_SECONDS:
            await self._store.verify()
            self._sure_at = self._clock.monotonic()

    def troubles(self) -> Mapping[str, Sequence[str]]:
        """Why the service is not well, by part; empty where it is."""
        sinks = [f"{p.name}: {p.trouble}" for p in self.publishers if p.trouble]
        if self._outbox.is_full:
            sinks.append("the outbox is full: reading waits")
        state = [self.keeper.trouble] if self.keeper.trouble else []
        reading = [*self._source.troubles(), *(self._decisions.troubles() if self._decisions is not None else ())]
        return {"source": reading, "state": state, "sinks": sinks}
