"""CPU per record, stage by stage, against a floor measured in the same run.

Floor: ``orjson.loads`` of the record and ``[float(v) for v in csv.split(",")]``: what any Python
program pays that reads the record at all. Rounds of every stage alternate, and each stage's least
round counts, so that what else the machine does falls on all alike.
"""

import time
from collections.abc import Callable

import msgspec
import numpy as np
import orjson

from streamer.bench.records import START_AT, baseline, captures
from streamer.core.columns import Columns
from streamer.core.decode.batch import BatchDecoder, Decoded
from streamer.core.decode.names import Names
from streamer.core.decode.sides import SideReader
from streamer.core.engine import Engine
from streamer.core.layout import Layout
from streamer.core.panes import Part, parts_of
from streamer.core.schema import Side
from streamer.core.settings import EndpointSettings, EngineSettings, Limits
from streamer.core.types import Batch, Key, ShardId

FEATURES = 30
BATCH_RECORDS = 1_000
ROUNDS = 5
_KEY = Key("bench", "AllTraffic", "")
_NOW = START_AT + 365 * 86_400_000


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """CPU microseconds per record, one core.

    Attributes
    ----------
    records, features, record_bytes : int
        What was read; mean size.
    decode, columns, fold, decide : float
        Bytes to captures; captures to columns; columns to profiles; closing windows, rules,
        documents, and all else the engine does.
    whole, floor, ratio_to_floor : float
        The engine from bytes to actions; the floor; one over the other.
    """

    records: int
    features: int
    record_bytes: int
    decode: float
    columns: float
    fold: float
    decide: float
    whole: float
    floor: float
    ratio_to_floor: float


def measure(records: int, seed: int = 1) -> Cost:
    """Time every stage on the same records."""
    payloads = captures(records, FEATURES, seed)
    known = baseline(FEATURES, seed + 1)
    positions = [f"{i:012d}" for i in range(records)]
    batches = [
        Batch(ShardId("shard-0"), payloads[i : i + BATCH_RECORDS], positions[i : i + BATCH_RECORDS])
        for i in range(0, records, BATCH_RECORDS)
    ]
    layout = Layout(known)
    readers = {side: SideReader(known.schema, side, "", Limits()) for side in Side}
    decoder = BatchDecoder(Limits(), Names("bench", "AllTraffic"), lambda names, event_at: _KEY)
    decoded = [decoder.decode(batch, _NOW) for batch in batches]
    columns = [_columns(d, readers) for d in decoded]
    settings = EngineSettings(endpoints=(EndpointSettings(name="bench"),))

    def whole() -> None:
        engine = Engine(settings, {("bench", ""): known})
        for batch in batches:
            engine.ingest(batch, _NOW)
        engine.finish()

    stages: dict[str, Callable[[], object]] = {
        "floor": lambda: _floor(payloads),
        "decode": lambda: [decoder.decode(batch, _NOW) for batch in batches],
        "columns": lambda: [_columns(d, readers) for d in decoded],
        "fold": lambda: [_fold(layout, d, c) for d, c in zip(decoded, columns, strict=True)],
        "whole": whole,
    }
    best = dict.fromkeys(stages, float("inf"))
    for _ in range(ROUNDS):
        for name, stage in stages.items():
            best[name] = min(best[name], _cpu(stage))
    per = {name: seconds / records * 1e6 for name, seconds in best.items()}
    return Cost(
        records=records,
        features=FEATURES,
        record_bytes=round(sum(map(len, payloads)) / records),
        decode=per["decode"],
        columns=per["columns"],
        fold=per["fold"],
        decide=max(per["whole"] - per["decode"] - per["columns"] - per["fold"], 0.0),
        whole=per["whole"],
        floor=per["floor"],
        ratio_to_floor=per["whole"] / per["floor"],
    )


def _cpu(stage: Callable[[], object]) -> float:
    start = time.process_time()
    stage()
    return time.process_time() - start


def _floor(payloads: list[bytes]) -> None:
    for payload in payloads:
        record = orjson.loads(payload)
        [float(v) for v in record["captureData"]["endpointInput"]["data"].split(",")]


def _columns(decoded: Decoded, readers: dict[Side, SideReader]) -> dict[Side, Columns]:
    sides = decoded.captures[_KEY].sides
    return {
        Side.INPUT: readers[Side.INPUT].read([s.endpointInput for s in sides if s.endpointInput is not None])[0],
        Side.OUTPUT: readers[Side.OUTPUT].read([s.endpointOutput for s in sides if s.endpointOutput is not None])[0],
    }


def _fold(layout: Layout, decoded: Decoded, columns: dict[Side, Columns]) -> list[Part]:
    event_at = decoded.captures[_KEY].event_at
    pane_at = event_at // 10_000 * 10_000
    return parts_of(layout, columns, pane_at, np.zeros(len(pane_at), np.bool_), np.ones(len(pane_at), np.bool_))
