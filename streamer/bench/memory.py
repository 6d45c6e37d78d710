"""Memory of many endpoints with open panes."""

import resource
import sys
from pathlib import Path

import msgspec

from streamer.bench.records import START_AT, baseline, captures
from streamer.core.engine import Engine
from streamer.core.eventtime import as_text
from streamer.core.settings import EndpointSettings, EngineSettings
from streamer.core.types import Batch, ShardId

_NOW = START_AT + 365 * 86_400_000
# Enough seconds that panes, a window and its late revision are all held at once.
_SECONDS = 340


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What open endpoints take.

    Attributes
    ----------
    endpoints, features : int
        Open ones, and features of each.
    rss_bytes : int
        Resident set of the whole program at the end.
    grown_bytes : int
        Growth of the resident set while the endpoints opened.
    bytes_per_feature : float
        Growth over endpoints times features: state, layout and Python's own share.
    """

    endpoints: int
    features: int
    rss_bytes: int
    grown_bytes: int
    bytes_per_feature: float


def measure(endpoints: int = 1_000, features: int = 40, seed: int = 3) -> Memory:
    """Open endpoints with panes, windows and late parts, and weigh the program before and after."""
    known = baseline(features - 1, seed)
    names = [f"endpoint-{i:04d}" for i in range(endpoints)]
    settings = EngineSettings(max_endpoints=endpoints, endpoints=tuple(EndpointSettings(name=name) for name in names))
    # One record every 20 s for each endpoint: two panes and two windows are open at any time.
    payloads = captures(_SECONDS // 20, features - 1, seed, per_second=1)
    times = [START_AT + i * 20_000 for i in range(len(payloads))]
    payloads = [_at(payload, i, at) for i, (payload, at) in enumerate(zip(payloads, times, strict=True))]
    engine = Engine(settings, {(name, ""): known for name in names})
    before = rss_bytes()
    for i, payload in enumerate(payloads):
        records = [payload] * endpoints
        positions = [f"{i:06d}-{n:06d}" for n in range(endpoints)]
        keys = [f"{name}/AllTraffic" for name in names]
        engine.ingest(Batch(ShardId("shard-0"), records, positions, keys), _NOW)
    after = rss_bytes()
    return Memory(
        endpoints=len(engine.endpoints),
        features=features,
        rss_bytes=after,
        grown_bytes=after - before,
        bytes_per_feature=(after - before) / (endpoints * features),
    )


def _at(payload: bytes, i: int, at: int) -> bytes:
    return payload.replace(as_text(START_AT + i * 1000).encode(), as_text(at).encode())


def rss_bytes() -> int:
    """Resident set of this program now, in bytes; the largest so far where the system tells no better."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
