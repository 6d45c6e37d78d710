"""How long the event loop is held with a thousand endpoints restored and traffic on all of them."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from streamer.adapters.clock import SystemClock
from streamer.app.index import install, with_server
from streamer.bench.meter import Held
from streamer.bench.running import VARIANT, Running, aws, configure, emulator, put
from streamer.bench.traffic import Traffic
from streamer.config.load import load
from streamer.core.eventtime import as_text

FEATURES: Final = 40
SECONDS: Final = 60
_SHARDS: Final = 4
_PER_SECOND: Final = 2_000
_TICK_SECONDS: Final = 0.25
_DEFAULTS: Final = """\
[defaults]
pane = "5 s"
window = "20 s"
lateness = "10 s"
rules.minimum_rows = 20
"""


class Callbacks(msgspec.Struct, frozen=True, kw_only=True):
    """CPU of the loop's callbacks.

    Attributes
    ----------
    endpoints, features : int
        Restored, with traffic on each; features of each.
    records : int
        Put meanwhile.
    cpu_share : float
        CPU of the service over the time measured.
    held : Held
        By callback.
    """

    endpoints: int
    features: int
    records: int
    cpu_share: float
    held: Held


def measure(
    endpoints: int = 1_000, seconds: float = SECONDS, per_second: int = _PER_SECOND, opensearch_url: str | None = None
) -> Callbacks:
    """Run the service twice: once to have a state, and once from it, metered.

    Parameters
    ----------
    endpoints : int
        Of 40 features.
    seconds : float
        How long traffic goes on.
    per_second : int
        Records of all endpoints together.
    opensearch_url : str, optional
        Address of a server that gets the documents, too; it is set up first.
    """
    with TemporaryDirectory() as folder, emulator(_SHARDS) as url:
        names = [f"endpoint-{i:04d}" for i in range(endpoints)]
        configuration = _configuration(Path(folder), url, names, opensearch_url)
        if opensearch_url is not None:
            with_server(load(configuration, {}), install)
        return asyncio.run(_measure(configuration, url, names, seconds, per_second))


def _configuration(folder: Path, url: str, names: list[str], opensearch_url: str | None) -> Path:
    return configure(
        folder,
        url,
        [{"name": name} for name in names],
        features=FEATURES - 1,
        start=as_text(SystemClock().now() - 60_000),
        source={"max_endpoints": len(names)},
        defaults=_DEFAULTS,
        opensearch_url=opensearch_url,
    )


async def _measure(configuration: Path, url: str, names: list[str], seconds: float, per_second: int) -> Callbacks:
    clock, endpoints = SystemClock(), len(names)
    traffic = Traffic(FEATURES - 1, seed=4)
    async with aws(url) as clients:
        client = await clients.client("kinesis")

        async def send(first: int, count: int) -> None:
            at = clock.now()
            keys = [f"{names[i % endpoints]}/{VARIANT}" for i in range(first, first + count)]
            await put(client, [(key, traffic.capture(at)) for key in keys])

        with Running(configuration) as before:
            await send(0, 2 * endpoints)
            await asyncio.sleep(4.0)
            before.stop()
        with Running(configuration, metered=True) as service:
            began = clock.monotonic()
            sent = 0
            while (passed := clock.monotonic() - began) < seconds:
                due = int(passed * per_second) - sent
                await send(sent, due)
                sent += due
                await asyncio.sleep(_TICK_SECONDS)
            served = service.stop()
            took = clock.monotonic() - began
    if served.held is None:
        raise RuntimeError("the run was not metered")
    return Callbacks(
        endpoints=endpoints,
        features=FEATURES,
        records=sent,
        cpu_share=served.cpu_seconds / took,
        held=served.held,
    )
