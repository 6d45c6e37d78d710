"""CPU of the whole service over records in a stream, against a replay of the same records from a file."""

import asyncio
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Final
from urllib.request import urlopen

import msgspec

from streamer.app.replay import Replay
from streamer.bench import alone
from streamer.bench.records import START_AT
from streamer.bench.running import Running, aws, configure, emulator, put
from streamer.bench.traffic import Traffic
from streamer.config.load import load

FEATURES: Final = 30
RECORDS: Final = 300_000
# In turns, as what else the machine does changes with time.
_ROUNDS: Final = 2
ENDPOINT: Final = "bench"
_SHARDS: Final = 8
# As full shards have them: a record of 1,000 bytes a millisecond each.
_PER_SECOND: Final = 1_000 * _SHARDS
_PUT_RECORDS: Final = 5_000
_RECEIVED: Final = re.compile(rb"^streamer_records_received_total (\S+)$", re.MULTILINE)
# A scrape costs the service about 3 ms; Prometheus asks every 15 s.
_POLL_SECONDS: Final = 3.0
# The stream's own pace, two megabytes a second and shard, is the slowest of all.
_LONGEST_SECONDS_PER_RECORD: Final = 0.005
_DEFAULTS: Final = '[defaults]\nwindow = "10 s"\n'


class ServiceCost(msgspec.Struct, frozen=True, kw_only=True):
    """CPU microseconds per record, all threads of one process.

    Attributes
    ----------
    records : int
        Of 1,000 bytes and 30 features.
    service : float
        From Kinesis, with snapshots, metrics and the index, up to the end of the drain.
    replay : float
        From a file, with the index and result files.
    ratio_to_replay : float
        One over the other.
    """

    records: int
    service: float
    replay: float
    ratio_to_replay: float


def measure(records: int = RECORDS) -> ServiceCost:
    """Give the same records to both, each in a process of its own, in turns."""
    replay = service = 0.0
    for _ in range(_ROUNDS):
        replay += alone.run(replay_seconds, records)
        service += service_seconds(records)
    return ServiceCost(
        records=records,
        service=service / records / _ROUNDS * 1e6,
        replay=replay / records / _ROUNDS * 1e6,
        ratio_to_replay=service / replay,
    )


def service_seconds(records: int) -> float:
    """CPU seconds of the service over so many records, from its being ready to the end of its drain."""
    with TemporaryDirectory() as folder, emulator(_SHARDS) as url:
        configuration = _configuration(Path(folder), url)
        asyncio.run(_fill(url, records))
        with Running(configuration) as running:
            _wait_for(running.url, records)
            return running.stop().cpu_seconds


def replay_seconds(records: int) -> float:
    """CPU seconds of a replay of so many records."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        configuration = _configuration(folder, "http://127.0.0.1:9")
        captures = folder / "captures.jsonl"
        with captures.open("wb") as file:
            file.writelines(payload + b"\n" for payload in _payloads(records))
        began = time.process_time()
        asyncio.run(Replay(load(configuration, {}), [str(captures)], folder / "out").run())
        return time.process_time() - began


def _configuration(folder: Path, url: str) -> Path:
    endpoints = [{"name": ENDPOINT}]
    return configure(folder, url, endpoints, features=FEATURES, start="trim_horizon", defaults=_DEFAULTS)


def _payloads(records: int) -> Iterator[bytes]:
    traffic = Traffic(FEATURES, seed=1)
    return (traffic.capture(START_AT + i * 1000 // _PER_SECOND) for i in range(records))


async def _fill(url: str, records: int) -> None:
    async with aws(url) as clients:
        client = await clients.client("kinesis")
        # Keys that name no endpoint, as those of producers that only spread.
        for lot in _lots(enumerate(_payloads(records))):
            await put(client, [(str(i), payload) for i, payload in lot])


def _lots(records: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    lot: list[tuple[int, bytes]] = []
    for record in records:
        lot.append(record)
        if len(lot) == _PUT_RECORDS:
            yield lot
            lot = []
    if lot:
        yield lot


def _wait_for(url: str, records: int) -> None:
    ends = time.monotonic() + 60.0 + records * _LONGEST_SECONDS_PER_RECORD
    received = 0.0
    while received < records:
        if time.monotonic() > ends:
            raise RuntimeError(f"the service read {received:.0f} of {records} records and no more")
        Event().wait(_POLL_SECONDS)
        with urlopen(url + "/metrics", timeout=30.0) as answer:
            found = _RECEIVED.search(answer.read())
        received = float(found[1]) if found else 0.0
