"""A world for the service to live and die in: what outlives a process, and lives that are cut off."""

import asyncio
from collections.abc import Sequence
from random import Random

from prometheus_client import CollectorRegistry

from streamer.app.service import restored
from streamer.core.baseline.model import Baseline
from streamer.core.documents import encode, encode_notification
from streamer.core.errors import StreamerError
from streamer.core.settings import EngineSettings
from streamer.core.types import Action
from streamer.metrics import Metrics
from streamer.service.keeper import KeeperSettings
from streamer.service.loop import Service
from streamer.testing.live import ScriptedSource, Step
from streamer.testing.memory import ManualClock, MemorySink
from streamer.testing.state import MemorySnapshotStore, MemoryState
from tests.strategies import NOW

OUTBOX_BYTES = 10_000_000


class Killed(StreamerError):
    """The process is dead: whatever it still does has no effect."""


class World:
    """What outlives a process: the state, what sinks have, and whether the process lives.

    Parameters
    ----------
    script : sequence of Step
        What the source gives.
    settings, baselines
        The engine's.
    """

    def __init__(
        self, script: Sequence[Step], settings: EngineSettings, baselines: dict[tuple[str, str], Baseline]
    ) -> None:
        self.script, self.settings, self.baselines = script, settings, baselines
        self.state = MemoryState()
        self.index, self.people = MemorySink(), MemorySink()
        self.positions: list[int] = []
        self.steps = 0

    def outcome(self) -> dict[str, dict[str, bytes]]:
        """Everything sinks have, as bytes by id."""
        return {
            "documents": {i: encode(d) for i, d in sorted(self.index.documents.items())},
            "letters": {i: encode(d) for i, d in sorted(self.index.letters.items())},
            "notifications": {i: encode_notification(n) for i, n in sorted(self.people.notifications.items())},
            "requests": {i: encode(r) for i, r in sorted(self.people.requests.items())},
        }

    def live(self, turns: int | None = None, die_at_step: int | None = None) -> bool:
        """One process, from its start to its end, or until it is killed.

        Parameters
        ----------
        turns : int, optional
            Killed after so many turns of the event loop.
        die_at_step : int, optional
            Killed in the middle of a save, after so many steps of the store.

        Returns
        -------
        bool
            Whether it came to its own end.
        """
        life = _Life(self, die_at_step)
        loop = asyncio.new_event_loop()
        try:
            task = loop.create_task(life.run())
            turned = 0
            while not task.done() and not life.dead and (turns is None or turned < turns):
                loop.call_soon(loop.stop)
                loop.run_forever()
                turned += 1
            ended = task.done() and not life.dead
            life.dead = True
            if not ended:
                task.cancel()
                loop.run_until_complete(asyncio.wait([task]))
                if not task.cancelled():
                    task.exception()
            else:
                task.result()
        finally:
            loop.close()
        return ended


class _Life:
    def __init__(self, world: World, die_at_step: int | None) -> None:
        self.world = world
        self.dead = False
        self._die_at_step = die_at_step
        self._clock = ManualClock(NOW)

    async def run(self) -> None:
        world = self.world
        store = MemorySnapshotStore(world.state, at_step=self._step)
        await store.acquire()
        loaded = await store.load()
        source = ScriptedSource(world.script)
        sinks = [_Sink("index", world.index, self), _Sink("people", world.people, self)]
        names = [sink.name for sink in sinks]
        engine, outbox = restored(loaded, world.settings, world.baselines, source, names, OUTBOX_BYTES)
        world.positions.append(source.position)
        metrics = Metrics(CollectorRegistry(), version="test", sinks=names)
        metrics.resume(engine.totals)
        service = Service(
            engine, source, outbox, sinks, store, self._clock, Random(1), metrics, KeeperSettings(), self._wait
        )
        await service.run(asyncio.Event())

    def _step(self, step: str) -> None:
        self.world.steps += 1
        if self._die_at_step is not None:
            if self._die_at_step == 0:
                self.dead = True
            self._die_at_step -= 1
        if self.dead:
            raise Killed(f"killed after: {step}")

    async def _wait(self, event: asyncio.Event, seconds: float) -> bool:
        """A few turns of the loop, then the time has passed."""
        for _ in range(3):
            if event.is_set():
                return True
            await asyncio.sleep(0)
        self._clock.move(max(seconds, 0.0))
        return event.is_set()


class _Sink:
    def __init__(self, name: str, kept: MemorySink, life: _Life) -> None:
        self.name = name
        self._kept, self._life = kept, life

    async def deliver(self, actions: Sequence[Action]) -> None:
        for action in actions:
            # Half of a delivery may arrive before the end.
            await asyncio.sleep(0)
            if self._life.dead:
                raise Killed("killed while delivering")
            await self._kept.deliver([action])

    async def commit(self) -> None:
        return

    async def close(self) -> None:
        return
