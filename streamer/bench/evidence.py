"""CPU of the default detection: the engine with it, and without it, on the same records in turns."""

import time

import msgspec
import numpy as np

from streamer.bench.records import START_AT, baseline, captures
from streamer.core.baseline.hourly import HOURS
from streamer.core.baseline.timeline import HOUR
from streamer.core.baseline.weather import DAY, ENOUGH_DAYS, Weather
from streamer.core.detectors.watch import Watch
from streamer.core.engine import Engine
from streamer.core.layout import Layout
from streamer.core.settings import EndpointSettings, EngineSettings
from streamer.core.types import Batch, ShardId

FEATURES = 40
PANE_RECORDS = 500
RECORDS = 20_000
ROUNDS = 5
_MONTH_SECONDS = 2_592_000
_PANE_SECONDS = 10
_NOW = START_AT + 365 * 86_400_000


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """CPU microseconds, one core, and bytes.

    Attributes
    ----------
    records, features, pane_records : int
        What was read, and records of a pane.
    without, detecting : float
        A record, from bytes to actions.
    share : float
        Part of the whole that detection is.
    state_bytes : float
        Of a feature in a snapshot, when its young baseline has the most weather with it.
    """

    records: int
    features: int
    pane_records: int
    without: float
    detecting: float
    share: float
    state_bytes: float


def measure(records: int, seed: int = 1) -> Evidence:
    """Time both in turns; the least round of each counts."""
    payloads = captures(records, FEATURES - 1, seed, per_second=PANE_RECORDS // _PANE_SECONDS)
    known = baseline(FEATURES - 1, seed + 1)
    batches = [
        Batch(
            ShardId("shard-0"),
            payloads[first : first + PANE_RECORDS],
            [f"{i:012d}" for i in range(first, min(first + PANE_RECORDS, records))],
        )
        for first in range(0, records, PANE_RECORDS)
    ]
    least: dict[int | None, float] = {}
    for _ in range(ROUNDS):
        for asked in (None, _MONTH_SECONDS):
            settings = EngineSettings(endpoints=(EndpointSettings(name="bench", false_alarm_seconds=asked),))
            engine = Engine(settings, {("bench", ""): known})
            # The first batch makes the key's tables, once and for all.
            engine.ingest(batches[0], _NOW)
            start = time.process_time()
            for batch in batches[1:]:
                engine.ingest(batch, _NOW)
            took = (time.process_time() - start) / (records - PANE_RECORDS) * 1e6
            least[asked] = min(took, least.get(asked, took))
    without, detecting = least[None], least[_MONTH_SECONDS]
    return Evidence(
        records=records,
        features=FEATURES,
        pane_records=PANE_RECORDS,
        without=without,
        detecting=detecting,
        share=1 - without / detecting,
        state_bytes=_state_bytes(Layout(known), seed),
    )


def _state_bytes(layout: Layout, seed: int) -> float:
    chance, weather = np.random.default_rng(seed), Weather(layout)
    shares = [layout.baseline_counts(cells) / max(cells.baseline.rows, 1) for cells in layout.features]
    for hour in range((ENOUGH_DAYS + 2) * HOURS - 1):
        # Hours are not alike in their traffic.
        rows = chance.poisson(PANE_RECORDS * HOUR // _PANE_SECONDS * (1 + hour % HOURS) // HOURS)
        counts = np.concatenate([chance.multinomial(rows, of) for of in shares]).astype(np.int64)
        weather.take(START_AT // DAY * DAY + hour * HOUR * 1000, counts)
    kept = [*Watch(layout, _MONTH_SECONDS, _PANE_SECONDS).to_state()[1].values(), *weather.to_state()[1].values()]
    return sum(array.nbytes for array in kept) / len(layout.features)
