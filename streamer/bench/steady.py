"""Memory of the service over millions of records: it must not grow with them."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry

from streamer.adapters.clock import SystemClock
from streamer.adapters.sqlite import SqliteSink
from streamer.adapters.state_directory import DirectorySnapshotStore
from streamer.bench.memory import rss_bytes
from streamer.bench.records import START_AT, baseline
from streamer.bench.traffic import Traffic
from streamer.core.engine import Engine
from streamer.core.outbox import Outbox
from streamer.core.settings import EndpointSettings, EngineSettings, Spans
from streamer.core.types import Batch, ShardId
from streamer.metrics import Metrics
from streamer.ports import Intake
from streamer.service.loop import Service

FEATURES: Final = 30
RECORDS: Final = 1_000_000
ENDPOINT: Final = "bench"
_SHARDS: Final = 4
_BATCH_RECORDS: Final = 1_000
# Event time: so that windows close all the time.
_PER_SECOND: Final = 1_000


class Steady(msgspec.Struct, frozen=True, kw_only=True):
    """Resident set of the service early and late.

    Attributes
    ----------
    records, early_records : int
        Read in all, and before the first look.
    early_bytes, late_bytes : int
        Resident set: the largest up to there, and the largest after it.
    growth : float
        From early to late, as a share.
    """

    records: int
    early_records: int
    early_bytes: int
    late_bytes: int
    growth: float


def measure(records: int = RECORDS) -> Steady:
    """Read records at full speed with snapshots and an index; half of them are early, 500,000 at most."""
    with TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder), records))


async def _measure(folder: Path, records: int) -> Steady:
    early = min(500_000, records // 2)
    source = _Endless(records, early)
    known = baseline(FEATURES, seed=2)
    settings = EngineSettings(
        endpoints=(EndpointSettings(name=ENDPOINT, spans=Spans(pane=10, window=60)),), endpoint=ENDPOINT
    )
    clock = SystemClock()
    sink = SqliteSink(folder / "index.sqlite", retention_days=1)
    store = DirectorySnapshotStore(folder / "state", code="bench")
    await store.acquire()
    metrics = Metrics(CollectorRegistry(), version="bench", sinks=[sink.name], endpoints=[ENDPOINT])
    service = Service(
        Engine(settings, {(ENDPOINT, ""): known}),
        source,
        Outbox([sink.name]),
        [sink],
        store,
        clock,
        random.Random(1),
        metrics,
    )
    try:
        await service.run(asyncio.Event())
    finally:
        await sink.close()
        await store.close()
    return Steady(
        records=records,
        early_records=early,
        early_bytes=source.early_bytes,
        late_bytes=source.late_bytes,
        growth=source.late_bytes / source.early_bytes - 1,
    )


class _Endless:
    """A source that has records at once, whenever it is asked."""

    def __init__(self, records: int, early: int) -> None:
        self._records, self._early = records, early
        self._traffic = Traffic(FEATURES, seed=1)
        self.early_bytes = self.late_bytes = 0

    def state(self) -> bytes:
        return str(self._traffic.made).encode()

    def restore(self, state: bytes) -> None:
        self._traffic.made = int(state)

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        shards = [ShardId(f"shard-{i}") for i in range(_SHARDS)]
        for shard in shards:
            intake.begin(shard)
        while self._traffic.made < self._records and not stop.is_set():
            for shard in shards:
                if count := min(_BATCH_RECORDS, self._records - self._traffic.made):
                    intake.take(self._batch(shard, count))
                await intake.settle()
                await asyncio.sleep(0)
            self._look()

    def _batch(self, shard: ShardId, count: int) -> Batch:
        first = self._traffic.made
        # A round of all shards is of the same seconds.
        round_at = START_AT + first // (_SHARDS * _BATCH_RECORDS) * (_SHARDS * _BATCH_RECORDS * 1000 // _PER_SECOND)
        spread = _SHARDS * 1000 // _PER_SECOND
        payloads = [self._traffic.capture(round_at + i * spread) for i in range(count)]
        return Batch(shard, payloads, [f"{first + i:012d}" for i in range(count)])

    def _look(self) -> None:
        if self._traffic.made <= self._early:
            self.early_bytes = max(self.early_bytes, rss_bytes())
        else:
            self.late_bytes = max(self.late_bytes, rss_bytes())

    def lag(self) -> Mapping[ShardId, float]:
        return {}

    def troubles(self) -> Sequence[str]:
        return ()
