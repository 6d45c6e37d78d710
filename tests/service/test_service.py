"""The service's promises while its surroundings fail, on a clock that is moved by hand."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from streamer.core.engine import Engine
from streamer.core.errors import LeaseLost, Refused, StorageFull, StreamerError, Unavailable
from streamer.core.outbox import Outbox
from streamer.core.settings import EndpointSettings, EngineSettings, Rules, Spans
from streamer.core.types import Action, Batch, ShardId
from streamer.metrics import Metrics
from streamer.ports import Sink
from streamer.service.keeper import KeeperSettings
from streamer.service.loop import Service
from streamer.testing.live import Begin, ScriptedSource, Step, Take
from streamer.testing.memory import ManualClock, MemorySink
from streamer.testing.state import MemorySnapshotStore, MemoryState
from tests.strategies import NOW, START, baseline, batch, capture

SETTINGS = EngineSettings(
    endpoints=(EndpointSettings(name="known", spans=Spans(pane=10, window=60), rules=Rules(minimum_rows=5)),)
)
SHARD = ShardId("shard-0")


def script(minutes: int, wild: int = -1) -> list[Step]:
    steps: list[Step] = [Begin(SHARD)]
    for minute in range(minutes):
        data = "900,2,a" if minute == wild else f"{minute % 10},2,a"
        at = [START + (minute * 60 + s) * 1000 for s in range(0, 60, 5)]
        payloads = [capture(data, at=t, event_id=str(t), endpoint="known") for t in at]
        steps.append(Take(batch(*payloads, shard=SHARD, first=minute * 12)))
    return steps


class Rig:
    """A service on fakes; time passes when everything waits."""

    def __init__(
        self,
        steps: Sequence[Step],
        sinks: Sequence[Sink],
        *,
        store: MemorySnapshotStore | None = None,
        outbox_bytes: int = 10_000_000,
        keeping: KeeperSettings | None = None,
    ) -> None:
        self.clock = ManualClock(NOW)
        self.source = ScriptedSource(steps)
        self.outbox = Outbox([s.name for s in sinks], outbox_bytes)
        self.store = store or MemorySnapshotStore(MemoryState())
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry, version="test", sinks=[s.name for s in sinks])
        engine = Engine(SETTINGS, {("known", ""): baseline()})
        self.service = Service(
            engine, self.source, self.outbox, sinks, self.store, self.clock, Random(1), metrics, keeping, self.wait
        )

        self.deadlines: list[float] = []
        take = self.service.take

        def second(batch: Batch) -> None:
            take(batch)
            self.clock.move(1.0)

        self.service.take = second  # type: ignore[method-assign]

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        deadline = self.clock.monotonic() + max(seconds, 0.0)
        self.deadlines.append(deadline)
        while True:
            if event.is_set() or self.clock.monotonic() >= deadline:
                break
            await asyncio.sleep(0)
        self.deadlines.remove(deadline)
        return event.is_set()

    async def pass_time(self) -> None:
        """When nothing has happened for some turns of the loop, the next deadline comes."""
        while True:
            before = (self.source.position, self.service.keeper.number, self.clock.monotonic())
            for _ in range(20):
                await asyncio.sleep(0)
            now = self.clock.monotonic()
            if before == (self.source.position, self.service.keeper.number, now):
                self.clock.move(max(min(self.deadlines, default=now) - now, 0.001))

    async def run(self) -> None:
        await self.store.acquire()
        await self.store.load()
        await self.serve()

    async def serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            time = group.create_task(self.pass_time())
            await self.service.run(asyncio.Event())
            time.cancel()

    def metric(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(name, labels)
        assert value is not None, name
        return value


class Down:
    """A sink that is away until a time, then delivers to another."""

    name = "people"

    def __init__(self, kept: MemorySink, until_seconds: float) -> None:
        self.kept, self.until_seconds = kept, until_seconds
        self.rig: Rig | None = None
        self.fullest = self.reached = 0
        self.reasons: list[str] = []

    async def deliver(self, actions: Sequence[Action]) -> None:
        assert self.rig is not None
        if self.rig.clock.monotonic() < self.until_seconds:
            self.fullest = max(self.fullest, self.rig.outbox.size_bytes)
            self.reached = max(self.reached, self.rig.source.position)
            self.reasons += self.rig.service.troubles()["sinks"]
            raise Unavailable("the service is away")
        await self.kept.deliver(actions)

    async def commit(self) -> None:
        return

    async def close(self) -> None:
        return


async def expected(steps: Sequence[Step]) -> MemorySink:
    sink = MemorySink()
    await Rig(steps, [sink]).run()
    return sink


async def test_everything_decided_is_published_by_the_end() -> None:
    sink = await expected(script(10, wild=5))
    assert len(sink.notifications) >= 1
    assert len(sink.documents) > 40


async def test_a_sink_away_for_an_hour_fills_the_outbox_reading_stops_and_nothing_is_lost() -> None:
    steps = script(60, wild=5)
    people = Down(MemorySink(), until_seconds=3_600.0)
    rig = Rig(steps, [people], outbox_bytes=40_000)
    people.rig = rig
    await rig.run()
    assert people.reached < len(steps) - 10
    assert any("outbox is full" in reason for reason in people.reasons)
    assert people.fullest < 120_000
    whole = await expected(steps)
    assert people.kept.documents == whole.documents
    assert people.kept.notifications == whole.notifications


async def test_one_sink_away_holds_no_other_back() -> None:
    steps = script(20, wild=5)
    fast, people = MemorySink(), Down(MemorySink(), until_seconds=1e9)
    rig = Rig(steps, [fast, people])
    people.rig = rig
    # The run ends without that sink: what it has not taken stays in the state for the next start.
    await rig.run()
    assert fast.documents == (await expected(steps)).documents
    assert not people.kept.documents
    assert not rig.outbox.is_empty
    loaded = await rig.store.load()
    assert loaded is not None
    kept = Outbox.restore(["memory", "people"], loaded.chunks, 1_000)
    assert kept.pending("people") is not None


async def test_nothing_is_published_before_its_snapshot_is_durable() -> None:

    order: list[str] = []

    class Watching(MemorySink):
        async def deliver(self, actions: Sequence[Action]) -> None:
            order.append("published")
            await super().deliver(actions)

    def step(name: str) -> None:
        if name == "pointer moved":
            order.append("durable")

    sink = Watching()
    store = MemorySnapshotStore(MemoryState(), at_step=step)
    rig = Rig(script(10, wild=5), [sink], store=store)
    await rig.run()
    assert "published" in order
    assert order.index("durable") < order.index("published")


async def test_a_disk_that_is_full_for_a_while_delays_everything_and_loses_nothing() -> None:
    faults: list[StreamerError | None] = [StorageFull("the disk is full")] * 6
    sink = MemorySink()
    rig = Rig(script(30, wild=5), [sink], store=MemorySnapshotStore(MemoryState(), faults))
    seen: list[str] = []
    save = rig.service.keeper.save

    async def watched() -> bool:
        saved = await save()
        seen.append(rig.service.keeper.trouble)
        return saved

    rig.service.keeper.save = watched  # type: ignore[method-assign]
    await rig.run()
    assert "the disk is full" in seen
    assert seen[-1] == ""
    assert sink.documents == (await expected(script(30, wild=5))).documents
    assert rig.metric("streamer_snapshots_failed_total") == 6.0


async def test_who_lost_the_state_publishes_nothing_more() -> None:
    state = MemoryState()
    sink = MemorySink()
    rig = Rig(script(30, wild=5), [sink], store=MemorySnapshotStore(state))

    await rig.store.acquire()
    await MemorySnapshotStore(state).acquire()
    with pytest.raises(ExceptionGroup) as raised:
        await rig.serve()
    assert raised.group_contains(LeaseLost, depth=None)
    assert not sink.deliveries


async def test_a_process_that_slept_asks_whether_the_state_is_its_own_before_it_publishes() -> None:
    state = MemoryState()
    sink = MemorySink()
    rig = Rig(script(12, wild=5), [sink], store=MemorySnapshotStore(state))
    commit = rig.outbox.commit

    def sleep_long(chunks: object) -> None:
        commit(chunks)  # type: ignore[arg-type]
        # Suspended between the snapshot and its publishing, while another process takes over.
        rig.clock.move(600.0)
        MemorySnapshotStore(state)._move(  # the usurper's acquire, in one step
            rig.store._found()[0].taken("usurper", "memory")
        )

    rig.outbox.commit = sleep_long  # type: ignore[method-assign]
    with pytest.raises(ExceptionGroup) as raised:
        await rig.run()
    assert raised.group_contains(LeaseLost, depth=None)
    assert not sink.deliveries


async def test_what_a_sink_refuses_is_counted_and_the_rest_goes_on() -> None:
    class Choosy(MemorySink):
        async def deliver(self, actions: Sequence[Action]) -> None:
            await super().deliver(actions)
            if len(self.deliveries) == 1:
                raise Refused("too long", ids=("one",))

    sink = Choosy()
    rig = Rig(script(12, wild=5), [sink])
    await rig.run()
    assert len(sink.deliveries) > 1
    assert rig.metric("streamer_actions_refused_total", sink="memory") == 1.0


async def test_an_alert_hurries_the_snapshot_and_documents_alone_do_not() -> None:
    rare = KeeperSettings(interval_seconds=3_600.0)
    calm, alarmed = Rig(script(12), [MemorySink()], keeping=rare), Rig(script(12, wild=5), [MemorySink()], keeping=rare)
    await calm.run()
    await alarmed.run()
    assert alarmed.service.keeper.number > calm.service.keeper.number


async def test_so_many_bytes_read_bring_a_snapshot_on() -> None:
    small = KeeperSettings(interval_seconds=1e9, size_bytes=10_000, urgent_seconds=0.0)
    none = KeeperSettings(interval_seconds=1e9, size_bytes=10**9, urgent_seconds=0.0)
    often, never = Rig(script(30), [MemorySink()], keeping=small), Rig(script(30), [MemorySink()], keeping=none)
    await often.run()
    await never.run()
    assert often.service.keeper.number > never.service.keeper.number + 5
