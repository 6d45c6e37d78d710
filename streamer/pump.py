"""One source's loop: read, fold, decide, deliver, until every shard has ended."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from streamer.core.engine import Engine
from streamer.core.types import Action
from streamer.ports import Clock, Sink, Source

# Actions are handed on in lots of this many, so that a long window close does not pile up in a sink.
_LOT = 2_000


async def pump(
    engine: Engine,
    source: Source,
    sinks: Sequence[Sink],
    clock: Clock,
    on_batch: Callable[[Engine], None] = lambda engine: None,
) -> None:
    """Read a finite source to its end and deliver everything that follows from it.

    The shard read next is the one furthest behind in event time (the first by name of several):
    panes close at the least watermark, so this keeps as few of them open as can be, and no record
    is late because of the order in which shards are read.

    Parameters
    ----------
    engine : Engine
        Decides; its totals account for every record when this returns.
    source : Source
        Read batch by batch: no batch is asked for before the last one's actions are delivered,
        which is all the back-pressure there is.
    sinks : sequence of Sink
        Each gets every action, in order; committed at the end, closed in any case.
    clock : Clock
        Tells ``now`` for event times that lie ahead.
    on_batch : callable
        Called after each batch, for progress.

    Raises
    ------
    Retryable, Refused
        A sink could not take an action or commit; what was delivered stays delivered.
    """
    async with AsyncExitStack() as closing:
        closing.push_async_callback(source.close)
        for sink in sinks:
            closing.push_async_callback(sink.close)
        unread = sorted(source.shards())
        # Each holds every pane open until its first record says where it stands.
        for shard in unread:
            engine.begin(shard)
        clocks = engine.watermarks.shards
        while unread:
            shard = min(unread, key=lambda name: clocks[name].greatest_at)
            batch = await source.next_batch(shard)
            if batch is None:
                engine.watermarks.end(shard)
                unread.remove(shard)
                continue
            await _deliver(sinks, engine.ingest(batch, clock.now()))
            on_batch(engine)
            # Files never make us wait: without this no other task and no signal had its turn.
            await asyncio.sleep(0)
        await _deliver(sinks, engine.finish())
        for sink in sinks:
            await sink.commit()


async def _deliver(sinks: Sequence[Sink], actions: list[Action]) -> None:
    for first in range(0, len(actions), _LOT):
        lot = actions[first : first + _LOT]
        for sink in sinks:
            await sink.deliver(lot)
