"""The loop: what is read next, what is delivered, and what happens when something fails."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from streamer.adapters.files import FilesSource
from streamer.core.engine import Engine
from streamer.core.errors import Reason, Retryable, StorageFull
from streamer.core.settings import EndpointSettings, EngineSettings, Rules, Spans
from streamer.core.types import Batch, ShardId
from streamer.ports import Sink, Source
from streamer.pump import pump
from streamer.testing.memory import FaultySink, ListSource, ManualClock, MemorySink
from tests.strategies import NOW, START, baseline, batch, capture

SPANS = Spans(pane=10, window=60, offset=0, lateness=30)
ENDPOINTS = tuple(EndpointSettings(name=name, spans=SPANS, rules=Rules()) for name in ("churn", "fraud"))
SETTINGS = EngineSettings(endpoints=ENDPOINTS, out_of_orderness_seconds=5, learn_unknown=False)


def engine() -> Engine:
    return Engine(SETTINGS, {(e.name, ""): baseline() for e in ENDPOINTS})


def record(seconds: int, name: str, endpoint: str = "churn") -> bytes:
    return capture(at=START + seconds * 1000, event_id=f"{name}-{seconds}", endpoint=endpoint)


def two_shards(apart: int) -> list[Batch]:
    """Two shards an amount of seconds apart, ten batches each."""
    found = []
    for n in range(10):
        for shard, lead in (("a", apart), ("b", 0)):
            first = lead + n * 100
            payloads = [record(s, shard) for s in range(first, first + 100, 5)]
            found.append(batch(*payloads, shard=shard, first=n * 20))
    return found


async def run(source: Source, sinks: Sequence[Sink] = (), of: Engine | None = None) -> Engine:
    chosen = of or engine()
    await pump(chosen, source, sinks, ManualClock(NOW))
    assert chosen.totals.accounted == chosen.totals.records
    return chosen


async def test_everything_read_is_delivered_and_committed_and_all_is_closed() -> None:
    source, sink = ListSource(two_shards(0)), MemorySink()
    done = await run(source, [sink])
    assert done.totals.accepted == 400
    assert (len(sink.documents) > 0, sink.committed, sink.closed, source.closed) == (True, True, True, True)


async def test_no_shard_is_late_because_another_was_read_first() -> None:
    assert (await run(ListSource(two_shards(10_000)))).totals.late == 0


async def test_the_shard_furthest_behind_is_read_next() -> None:
    read: list[ShardId] = []

    class Noting(ListSource):
        async def next_batch(self, shard: ShardId) -> Batch | None:
            read.append(shard)
            return await super().next_batch(shard)

    await run(Noting(two_shards(250)))
    assert read[:6] == ["a", "b", "b", "b", "b", "a"]


async def test_open_panes_stay_few_however_long_the_shards_are() -> None:
    most = 0

    def look(of: Engine) -> None:
        nonlocal most
        most = max(most, sum(len(t.panes) for e in of.endpoints.values() for t in e.tracks.values()))

    shards = [
        batch(*[record(s, f"s{k}") for s in range(n * 100, n * 100 + 100, 5)], shard=f"s{k}", first=n * 20)
        for k in range(5)
        for n in range(40)
    ]
    await pump(engine(), ListSource(shards), [], ManualClock(NOW), look)
    assert most <= 22


async def test_a_shard_that_ends_early_holds_nobody_back() -> None:
    sink = MemorySink()
    delivered: list[int] = []
    early, others = batch(record(0, "early"), shard="early"), two_shards(0)
    await pump(engine(), ListSource([early, *others]), [sink], ManualClock(NOW), lambda of: delivered.append(1))
    assert len([lot for lot in sink.deliveries if lot]) > 5


async def test_a_shard_that_only_has_unreadable_records_holds_nobody_back() -> None:
    bad = [batch(b"{", shard="bad", first=n) for n in range(3)]
    done = await run(ListSource([*two_shards(0), *bad]))
    assert (done.totals.accepted, done.totals.invalid) == (400, {Reason.NOT_JSON: 3})


async def test_each_sink_gets_every_action_in_lots_of_two_thousand_at_most() -> None:
    sinks = [MemorySink(), MemorySink()]
    broken = batch(*[b"{"] * 4_500, shard="a")
    await run(ListSource([broken]), sinks)
    assert [[len(lot) for lot in sink.deliveries] for sink in sinks] == [[2_000, 2_000, 500]] * 2


async def test_a_sink_that_fails_ends_the_run_without_a_commit_and_all_is_closed() -> None:
    source, good, inner = ListSource(two_shards(0)), MemorySink(), MemorySink()
    with pytest.raises(StorageFull, match="no room"):
        await run(source, [good, FaultySink(inner, [None, StorageFull("no room")])])
    assert [good.committed, good.closed, inner.closed, source.closed] == [False, True, True, True]


async def test_a_sink_that_can_not_be_closed_leaves_none_open() -> None:
    class Stuck(MemorySink):
        async def close(self) -> None:
            raise Retryable("stuck")

    source, sinks = ListSource(two_shards(0)), [MemorySink(), Stuck(), MemorySink()]
    with pytest.raises(Retryable, match="stuck"):
        await run(source, sinks)
    assert (sinks[0].closed, sinks[2].closed, source.closed) == (True, True, True)


async def test_other_tasks_have_their_turn_between_batches() -> None:
    turns: list[int] = []

    async def other() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(other())
        await run(ListSource(two_shards(0)))
        task.cancel()
    assert len(turns) >= 20


def captures_of(directory: Path, rng: random.Random) -> int:
    """An hour of two endpoints' variants, three instances each, as S3 has it: a file of about a minute each."""
    written = 0
    for place in ("churn/AllTraffic", "churn/Shadow", "fraud/AllTraffic"):
        endpoint = place.partition("/")[0]
        for instance in range(3):
            at, number = rng.randrange(60), 0
            while at < 3_600:
                until = at + rng.randrange(20, 90)
                # Requests that run at one time are written as they end: up to 4 seconds out of order.
                seconds = [s + rng.randrange(0, 5) for s in range(at, until, rng.randrange(1, 6))]
                lines = [record(s, f"{place}-{instance}-{number}-{i}", endpoint) for i, s in enumerate(seconds)]
                minute, second = divmod(until, 60)
                # SageMaker names a file by the time it is written, which is after all that is in it.
                name = f"{minute % 60:02d}-{second:02d}-000-{rng.getrandbits(64):016x}.jsonl"
                path = directory / place / f"2026/01/05/{9 + minute // 60:02d}" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"\n".join(lines))
                written += len(lines)
                at, number = until, number + 1
    return written


@pytest.mark.parametrize("seed", range(3))
async def test_no_record_of_a_tree_of_captures_is_late_because_of_the_order_of_files(tmp_path: Path, seed: int) -> None:
    written = captures_of(tmp_path, random.Random(seed))
    done = await run(FilesSource([str(tmp_path)], batch_records=100, record_bytes=100_000))
    assert (done.totals.accepted, done.totals.late, done.totals.records) == (written, 0, written)


async def test_a_tree_of_captures_gives_the_same_documents_in_batches_of_any_size(tmp_path: Path) -> None:
    captures_of(tmp_path, random.Random(7))
    sinks = [MemorySink(), MemorySink()]
    for sink, records in zip(sinks, (17, 1_000), strict=True):
        await run(FilesSource([str(tmp_path)], batch_records=records, record_bytes=100_000), [sink])
    assert sinks[0].documents == sinks[1].documents
    assert len(sinks[0].documents) > 100
