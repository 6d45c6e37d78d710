"""One source's loop: read, fold, decide, deliver, until the source ends."""

from collections.abc import Callable, Sequence

from streamer.core.engine import Engine
from streamer.core.types import Action
from streamer.ports import Clock, Sink, Source

# Actions are handed on in lots of this many, so that a long window close does not pile up.
_LOT = 2_000


async def pump(
    engine: Engine,
    source: Source,
    sinks: Sequence[Sink],
    clock: Clock,
    on_batch: Callable[[Engine], None] = lambda engine: None,
) -> None:
    """Read a finite source to its end and deliver everything that follows from it.

    Parameters
    ----------
    engine : Engine
        Decides; its totals account for every record when this returns.
    source : Source
        Read batch by batch: no batch is asked for before the last one's actions are delivered,
        which is all the back-pressure there is.
    sinks : sequence of Sink
        Each gets every action, in order; closed in any case.
    clock : Clock
        Tells ``now`` for event times that lie ahead.
    on_batch : callable
        Called after each batch, for progress.

    Raises
    ------
    Retryable, Refused
        A sink could not take an action; what was delivered stays delivered.
    """
    try:
        async for batch in source.batches():
            engine.begin(batch.shard)
            await _deliver(sinks, engine.ingest(batch, clock.now()))
            on_batch(engine)
        await _deliver(sinks, engine.finish())
    finally:
        for sink in sinks:
            await sink.close()


async def _deliver(sinks: Sequence[Sink], actions: list[Action]) -> None:
    for first in range(0, len(actions), _LOT):
        for sink in sinks:
            await sink.deliver(actions[first : first + _LOT])
