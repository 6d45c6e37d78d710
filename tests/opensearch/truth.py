"""Many documents through faults and kills, and what must have come of them.

Documents are delivered in lots, as a publisher does. Some come again in later revisions, some older
ones come late. A life ends at a request drawn by chance; the next one knows nothing of it and begins
some lots earlier, as after a restart from a snapshot.
"""

import asyncio
from collections.abc import Callable, Sequence
from random import Random

from streamer.adapters.opensearch import OpenSearchSink
from streamer.core.errors import Refused, Retryable
from streamer.core.index.entry import Shelf
from streamer.core.types import Action
from streamer.testing.opensearch import Fault, Garbled, Reset, Short, Silent, Some, Whole
from tests.contract.documents import feature, incident, notify, reject, window
from tests.strategies import START

DAY = 86_400_000
MINUTE = 60_000


def lots_of(documents: int, chance: Random, size: int = 400) -> list[list[Action]]:
    """So many ids, each in one to three revisions, in an order that is theirs but for some latecomers."""
    due: list[tuple[float, Action]] = []
    for i in range(documents):
        at = START + i * 5 * DAY // documents
        for revision in range(1, chance.choice((2, 2, 3, 4))):
            place = i + chance.uniform(0.0, documents / 20) * revision
            if chance.random() < 0.02:
                # An older revision that comes when the newer ones are there.
                place += documents / 5
            due.append((place, _action(i, revision, at)))
    due.sort(key=lambda one: one[0])
    actions = [action for _, action in due]
    return [actions[first : first + size] for first in range(0, len(actions), size)]


def _action(number: int, revision: int, at: int) -> Action:
    if number % 50 == 1:
        return notify(f"n{number}", incident(f"i{number}", at=at))
    if number % 50 == 2:
        return reject(f"d{number}")
    if number % 10 == 3:
        return window(f"w{number}", revision, at=at)
    return feature(f"f{number}", revision, at=at, name=f"feature {number % 40}")


def truth_of(lots: Sequence[Sequence[Action]], shelf: Shelf) -> dict[tuple[str, str], str]:
    """The newest revision of each id: its body by index and id."""
    newest: dict[tuple[str, str], tuple[int, str]] = {}
    for lot in lots:
        for action in lot:
            entry = shelf.entry_of(action)
            assert entry is not None
            key = (entry.place, entry.id)
            if newest.get(key, (0, ""))[0] <= entry.revision:
                newest[key] = (entry.revision, entry.body.decode())
    return {key: body for key, (_, body) in newest.items()}


def faults_of(count: int, chance: Random) -> list[Fault | None]:
    """Faults for so many requests; two of three work."""
    kinds: list[Fault] = [
        Whole(429),
        Whole(503),
        Some(429, "rejected_execution_exception", every=3),
        Some(429, "cluster_block_exception", every=2),
        Some(503, "unavailable_shards_exception", every=1),
        Silent(),
        Silent(written=True),
        Reset(),
        Reset(written=True),
        Short(),
        Short(missing=7),
        Garbled(),
    ]
    return [chance.choice(kinds) if chance.random() < 1 / 3 else None for _ in range(count)]


async def carry(
    lots: Sequence[Sequence[Action]],
    make: Callable[[], OpenSearchSink],
    requests: Callable[[], int],
    chance: Random,
    life_requests: int,
) -> int:
    """Deliver all, in as many lives as it takes.

    Parameters
    ----------
    lots : sequence of lots
        What.
    make : callable
        A sink that knows nothing yet.
    requests : callable
        How many bulk requests have come.
    chance : random.Random
        Ends lives.
    life_requests : int
        Most requests of one life.

    Returns
    -------
    int
        Kills.
    """
    done, kills = 0, 0
    while True:
        sink, reached = make(), done

        async def live(sink: OpenSearchSink = sink) -> None:
            nonlocal reached
            while reached < len(lots):
                try:
                    await sink.deliver(lots[reached])
                except Retryable:
                    continue
                except Refused as error:
                    raise AssertionError("nothing here is refused") from error
                reached += 1

        last = requests() + chance.randint(1, life_requests)
        life = asyncio.get_running_loop().create_task(live())
        while not life.done() and requests() < last:
            # Not an event: a life ends in the middle of whatever it does, and the server may be in another thread.
            await asyncio.wait([life], timeout=0.002)
        killed = not life.done()
        life.cancel()
        await asyncio.wait([life])
        await sink.close()
        if not killed:
            life.result()
            return kills
        kills += 1
        # What was acknowledged after the last snapshot comes again.
        done = max(0, reached - chance.randint(0, 1))
