"""The index on a real server: CPU of the client against opensearch-py's helpers, and many documents through faults.

``python -m tests.bench.index --documents 100000``. The server is that of ``STREAMER_TEST_OPENSEARCH_URL``,
or the one that ``.ci/opensearch`` has fetched. Exit code 1 where a document is missing, double or stale.
"""

import argparse
import asyncio
import gc
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import msgspec
from opensearchpy import AsyncHttpConnection, AsyncOpenSearch, helpers

from streamer.core.index.families import Family
from streamer.core.rounding import rounded
from streamer.core.types import Action, Index
from tests.contract.documents import feature
from tests.opensearch.front import Front
from tests.opensearch.place import Place
from tests.opensearch.server import shared_url
from tests.opensearch.truth import carry, faults_of, lots_of, truth_of
from tests.strategies import START

# As the service's publisher hands them on.
LOT: Final = 2_000
DAY: Final = 86_400_000


class Cost(NamedTuple):
    """What writing took.

    Attributes
    ----------
    cpu_seconds : float
        Of this process: the server is another.
    seconds : float
        Real time.
    held_seconds : float
        Most CPU time between two turns of the event loop.
    """

    cpu_seconds: float
    seconds: float
    held_seconds: float


def documents_of(count: int, chance: Random) -> list[Index]:
    """Documents of features of a usual size, about 900 bytes."""
    made = []
    for i in range(count):
        about = feature(f"{i:032x}", 7, at=START + i % 2 * DAY, name=f"feature {i % 100}").document
        numbers = {
            name: rounded(chance.gauss(0.0, 10.0)) for name in ("mean", "deviation", "psi", "ks", "js", "evidence")
        }
        quantiles = {f"p{p:02d}": rounded(chance.gauss(0.0, 10.0)) for p in (1, 5, 25, 50, 75, 95, 99)}
        cells = tuple(chance.randrange(500) for _ in range(30))
        made.append(Index(msgspec.structs.replace(about, quantiles=quantiles, cells=cells, **numbers)))
    return made


class Holding:
    """Notes the most CPU time between two turns of the loop."""

    def __init__(self) -> None:
        self.held_seconds = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Holding":
        self._task = asyncio.get_running_loop().create_task(self._watch())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *raised: object) -> None:
        assert self._task is not None
        self._task.cancel()

    async def _watch(self) -> None:
        while True:
            # CPU of this thread: what other programs took on a busy machine is not in it.
            began = time.thread_time()
            await asyncio.sleep(0)
            self.held_seconds = max(self.held_seconds, time.thread_time() - began)


async def by_sink(place: Place, actions: Sequence[Action]) -> Cost:
    """Write with the sink."""
    sink = place.sink()
    _settle()
    began, cpu = time.perf_counter(), time.process_time()
    for first in range(0, len(actions), LOT):
        await sink.deliver(actions[first : first + LOT])
    cost = time.process_time() - cpu, time.perf_counter() - began
    await sink.close()
    return Cost(*cost, 0.0)


async def by_helpers(place: Place, actions: Sequence[Index]) -> Cost:
    """Write with ``async_streaming_bulk``, from dictionaries that are there already."""
    made = []
    for action in actions:
        entry = place.shelf.entry_of(action)
        assert entry is not None
        about = {"_op_type": "index", "_index": entry.place, "_id": entry.id, "version": entry.revision}
        made.append(about | {"version_type": "external_gte", "_source": msgspec.json.decode(entry.body)})
    client = AsyncOpenSearch(hosts=[place.url], connection_class=AsyncHttpConnection, timeout=60)

    async def each() -> AsyncIterator[dict[str, Any]]:
        for one in made:
            yield one

    _settle()
    began, cpu = time.perf_counter(), time.process_time()
    async for ok, about in helpers.async_streaming_bulk(client, each(), chunk_size=LOT, max_chunk_bytes=4_194_304):
        assert ok, about
    cost = time.process_time() - cpu, time.perf_counter() - began
    await client.close()
    return Cost(*cost, 0.0)


async def held_by_sink(place: Place, actions: Sequence[Action]) -> float:
    """Longest time the loop is held while the sink writes."""
    async with Holding() as holding:
        await by_sink(place, actions)
    return holding.held_seconds


async def through_faults(place: Place, documents: int, seed: int) -> tuple[int, int, int]:
    """Kills, requests, and documents that are missing, double or other than the truth."""
    chance = Random(seed)
    lots = lots_of(documents, chance, LOT)
    async with Front(place.url, faults_of(100_000, chance)) as front:
        before = Place(front.url, installed=False)
        before.shelf = place.shelf
        kills = await carry(
            lots, lambda: before.sink(most_bytes=700_000, timeout_seconds=3.0), lambda: front.bulks, chance, 40
        )
        requests = front.bulks
    found = place.documents()
    truth = truth_of(lots, place.shelf)
    kept = {(d.place, d.id): d.body for d in found}
    wrong = sum(kept.get(key) != body for key, body in truth.items())
    return kills, requests, wrong + len(kept.keys() - truth.keys()) + len(found) - len(kept)


def _settle() -> None:
    """Take what there is out of the collector's way, as the service does after its start."""
    gc.collect()
    gc.freeze()


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU of the index's client, and documents through faults.")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--faulty", type=int, help="documents through faults; as many when left out")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    faulty = asked.documents if asked.faulty is None else asked.faulty
    with tempfile.TemporaryDirectory() as folder:
        url = os.environ.get("STREAMER_TEST_OPENSEARCH_URL") or shared_url(Path(folder), os.getpid())
        actions = documents_of(asked.documents, Random(asked.seed))
        sizes = sum(len(msgspec.json.encode(action.document)) for action in actions)
        say(f"{asked.documents:,} documents of {sizes / asked.documents:,.0f} bytes")
        costs = {}
        # Each writes into new indices; a small run before warms the server.
        for name, write in (("warm", by_sink), ("helpers", by_helpers), ("sink", by_sink)):
            with Place(url) as place:
                costs[name] = asyncio.run(write(place, actions[:5_000] if name == "warm" else actions))
                if name != "warm":
                    assert len(place.of(Family.FEATURES)) == asked.documents
        for name in ("helpers", "sink"):
            cost = costs[name]
            say(
                f"{name}: {1e6 * cost.cpu_seconds / asked.documents:.1f} us CPU a document, "
                f"{asked.documents / cost.seconds:,.0f} documents a second"
            )
        say(f"CPU of the sink over that of the helpers: {costs['sink'].cpu_seconds / costs['helpers'].cpu_seconds:.3f}")
        with Place(url) as place:
            held = asyncio.run(held_by_sink(place, actions[:20_000]))
        say(f"loop held for {1_000 * held:.1f} ms at most")
        if faulty:
            with Place(url) as place:
                kills, requests, wrong = asyncio.run(through_faults(place, faulty, asked.seed))
            say(f"{faulty:,} documents through faults: {kills} kills, {requests} requests, {wrong} wrong")
            sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
