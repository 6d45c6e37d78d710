"""From the last capture of the pane that decides to the alert's arrival, in real time."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
import numpy as np

from streamer.adapters.clock import SystemClock
from streamer.bench.running import VARIANT, Running, aws, configure, emulator, put
from streamer.bench.topic import Topic
from streamer.bench.traffic import Traffic
from streamer.core.eventtime import as_text, start_of

FEATURES: Final = 10
SECONDS: Final = 75
ENDPOINTS: Final = 20
PER_SECOND: Final = 400
_SHARDS: Final = 2
_WINDOW_SECONDS: Final = 5
# Every endpoint errs for one window of so many.
_EVERY: Final = 4
_TICK_SECONDS: Final = 0.1
_CLOCK: Final = SystemClock()
# What was decided last has so long to arrive.
_LAST_SECONDS: Final = 5.0
_DEFAULTS: Final = f"""\
[defaults]
pane = "1 s"
window = "{_WINDOW_SECONDS} s"
lateness = "5 s"

[defaults.rules]
minimum_rows = 20
volume = false
silence = false

[defaults.alerts]
hold = 0
keep_firing = 0
"""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the last put of the deciding pane to the message at the topic.

    Attributes
    ----------
    alerts : int
        That fired; those that resolve are not counted.
    endpoints, records : int
        Watched; put meanwhile.
    median, p99, longest : float
        Of the latencies. A record a second newer has to come before a pane closes, which is in them.
    """

    alerts: int
    endpoints: int
    records: int
    median: float
    p99: float
    longest: float


def measure(seconds: float = SECONDS) -> Latency:
    """Let traffic flow, with an endpoint in the wrong unit about once a second.

    Raises
    ------
    RuntimeError
        No alert came.
    """
    with TemporaryDirectory() as folder, emulator(_SHARDS) as url:
        return asyncio.run(_measure(Path(folder), url, seconds))


async def _measure(folder: Path, url: str, seconds: float) -> Latency:
    names = [f"endpoint-{i:02d}" for i in range(ENDPOINTS)]
    async with Topic() as topic, aws(url) as clients:
        configuration = configure(
            folder,
            url,
            # Their windows do not end all at once.
            [{"name": name, "offset": f"{i % _WINDOW_SECONDS} s"} for i, name in enumerate(names)],
            features=FEATURES - 1,
            start=as_text(_CLOCK.now() - 60_000),
            source={"out_of_orderness": "1 s"},
            defaults=_DEFAULTS,
            sns_url=topic.url,
        )
        producer = _Producer(await clients.client("kinesis"), names)
        # Started from here it would hold up the topic.
        service = Running(configuration)
        await asyncio.to_thread(service.__enter__)
        try:
            began = _CLOCK.monotonic()
            while (passed := _CLOCK.monotonic() - began) < seconds:
                await producer.send(int(passed * PER_SECOND) - producer.sent)
                await asyncio.sleep(_TICK_SECONDS)
            await asyncio.sleep(_LAST_SECONDS)
            await asyncio.to_thread(service.stop)
        finally:
            service.__exit__(None, None, None)
    took = [
        arrival.at - producer.last_put(incident.endpoint, round(incident.changed.timestamp() * 1000))
        for arrival in topic.arrivals
        if arrival.notification.why == "firing" and (incident := arrival.notification.incident)
        # Decided by the drain, which waits for no record.
        if arrival.at <= began + seconds
    ]
    if not took:
        raise RuntimeError("no alert came")
    median, p99 = np.quantile(took, (0.5, 0.99), method="higher").tolist()
    return Latency(
        alerts=len(took),
        endpoints=ENDPOINTS,
        records=producer.sent,
        median=median,
        p99=p99,
        longest=max(took),
    )


class _Producer:
    """Puts captures of all endpoints in turn, and remembers when each endpoint's last one of a second was taken."""

    def __init__(self, client: object, names: list[str]) -> None:
        self._client = client
        self._names = names
        self._traffic = Traffic(FEATURES - 1, seed=6)
        self._puts: dict[tuple[str, int], float] = {}
        self.sent = 0

    async def send(self, count: int) -> None:
        at = _CLOCK.now()
        sending = [(self.sent + i) % len(self._names) for i in range(count)]
        records = [
            (f"{self._names[i]}/{VARIANT}", self._traffic.capture(at, is_wrong=_is_wrong(i, at))) for i in sending
        ]
        await put(self._client, records)
        done = _CLOCK.monotonic()
        self._puts.update(((self._names[i], at // 1000), done) for i in set(sending))
        self.sent += count

    def last_put(self, endpoint: str, before_at: int) -> float:
        """When the last capture of a window that ends at a time was taken by the stream."""
        second = before_at // 1000 - 1
        return next(
            self._puts[endpoint, s] for s in range(second, second - _WINDOW_SECONDS, -1) if (endpoint, s) in self._puts
        )


def _is_wrong(i: int, at: int) -> bool:
    window_at = start_of(at, _WINDOW_SECONDS, i % _WINDOW_SECONDS)
    return (window_at // (_WINDOW_SECONDS * 1000) + i // _WINDOW_SECONDS) % _EVERY == 0
