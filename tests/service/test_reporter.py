"""What the service tells of itself once a minute: best effort, and in nobody's way."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from streamer.core.errors import LeaseLost, Refused, StreamerError, Unavailable
from streamer.core.eventtime import as_datetime
from streamer.core.operations import OperationsDocument
from streamer.core.outbox import Outbox
from streamer.core.types import Index
from streamer.metrics import Metrics
from streamer.ports import Sink
from streamer.retry import Retry
from streamer.service.publisher import Publisher
from streamer.service.reporter import EVERY_SECONDS, Reporter
from streamer.testing.memory import FaultySink, ManualClock, MemorySink
from tests.contract.documents import feature, operations
from tests.service.test_service import Rig, script
from tests.strategies import NOW


class Way:
    """One publisher on fakes."""

    def __init__(self, sink: Sink, still_ours: Callable[[], None] = lambda: None) -> None:
        self.clock, self.registry = ManualClock(NOW), CollectorRegistry()
        self.outbox = Outbox([sink.name])

        async def ours() -> None:
            still_ours()

        retry = Retry(asyncio.Event(), self.clock, Random(1))
        metrics = Metrics(self.registry, version="test", sinks=[sink.name])
        self.publisher = Publisher(sink, self.outbox, retry, ours, lambda: None, self.clock, metrics)

    def decide(self, *names: str) -> None:
        self.outbox.add([feature(name) for name in names])
        self.outbox.commit(self.outbox.seal())
        self.publisher.wake()

    @property
    def dropped(self) -> float | None:
        return self.registry.get_sample_value("streamer_operations_dropped_total", {"sink": self.publisher.name})

    async def run(self, *steps: Callable[[], None]) -> None:
        """Each step once everything that the one before made possible has happened."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.publisher.run())
            for step in steps:
                step()
                for _ in range(20):
                    await asyncio.sleep(0)
            self.publisher.drain()


def ids(sink: MemorySink) -> list[list[str]]:
    return [[a.document.id for a in lot if isinstance(a, Index)] for lot in sink.deliveries]


async def test_what_is_offered_comes_after_what_was_decided() -> None:
    sink = MemorySink()
    way = Way(sink)
    way.publisher.offer(operations("o"))
    way.decide("f")
    await way.run(lambda: None)
    assert ids(sink) == [["f"], ["o"]]
    assert way.registry.get_sample_value("streamer_actions_delivered_total", {"sink": "memory"}) == 1.0


async def test_a_sink_that_was_away_gets_the_newest_hour_and_the_rest_is_counted() -> None:
    sink = MemorySink()
    way = Way(FaultySink(sink, [Unavailable("away")]))

    def many() -> None:
        for n in range(1, 65):
            way.publisher.offer(operations(f"o{n:02d}"))

    await way.run(lambda: way.publisher.offer(operations("o00")), many)
    assert ids(sink) == [[f"o{n:02d}" for n in range(5, 65)]]
    assert (way.dropped, way.publisher.trouble) == (5.0, "")


async def test_what_a_sink_refuses_is_counted_and_not_offered_again() -> None:
    sink = MemorySink()
    way = Way(FaultySink(sink, [Refused("never")]))
    await way.run(lambda: way.publisher.offer(operations("o1")), lambda: way.publisher.offer(operations("o2")))
    assert (ids(sink), way.dropped) == ([["o2"]], 1.0)


async def test_a_drain_does_not_wait_for_what_is_only_offered() -> None:
    faults: Sequence[StreamerError] = [Unavailable("away")] * 100
    way = Way(FaultySink(MemorySink(), faults))
    await way.run(lambda: way.publisher.offer(operations("o")))


async def test_who_lost_the_state_offers_nothing() -> None:
    def lost() -> None:
        raise LeaseLost("another's")

    sink = MemorySink()
    way = Way(sink, lost)
    with pytest.raises(ExceptionGroup) as raised:
        await way.run(lambda: way.publisher.offer(operations("o")))
    assert raised.group_contains(LeaseLost)
    assert sink.deliveries == []


async def test_at_the_start_and_every_minute_the_sinks_that_keep_documents_are_told_and_nobody_else() -> None:
    keeping, telling = MemorySink(), MemorySink()
    telling.name = "people"
    rig = Rig(script(5), [keeping, telling])
    waited: list[float] = []

    async def wait(event: asyncio.Event, seconds: float) -> None:
        waited.append(seconds)
        if len(waited) > 2:
            raise asyncio.CancelledError
        rig.clock.move(seconds)

    reporter = Reporter("pod-1", rig.service, rig.source, rig.outbox, ["memory"], rig.clock, wait)
    with pytest.raises(asyncio.CancelledError):
        await reporter.run()
    await rig.run()
    told = [d for d in keeping.documents.values() if isinstance(d, OperationsDocument)]
    assert [(d.instance, d.noted) for d in told] == [
        ("pod-1", as_datetime(NOW)),
        ("pod-1", as_datetime(NOW + 60_000)),
        ("pod-1", as_datetime(NOW + 120_000)),
    ]
    assert waited == [EVERY_SECONDS] * 3
    assert not any(isinstance(d, OperationsDocument) for d in telling.documents.values())
    after = reporter.document()
    assert (after.records, after.endpoints, after.outbox_bytes) == (60, 1, 0)
    assert after.watermark is not None
