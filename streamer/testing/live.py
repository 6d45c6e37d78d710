"""A live source from a script: shards that begin, give records, fall quiet, split and end."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple, assert_never

from streamer.core.errors import StateError
from streamer.core.types import Batch, ShardId
from streamer.ports import Intake


class Begin(NamedTuple):
    """A shard appears; of parents that have ended it is the continuation."""

    shard: ShardId
    parents: tuple[ShardId, ...] = ()


class Take(NamedTuple):
    """A shard gives records."""

    batch: Batch


class Empty(NamedTuple):
    """A shard is polled at its tip and has nothing."""

    shard: ShardId


class End(NamedTuple):
    """A shard gives no more records."""

    shard: ShardId


Step = Begin | Take | Empty | End


class ScriptedSource:
    """Plays a script once, and goes on in it from a state.

    Parameters
    ----------
    script : sequence of Begin, Take, Empty, End
        What happens, in order.
    stop_at_end : bool
        Return at the end of the script; else wait for the stop, as a stream would.

    Attributes
    ----------
    position : int
        Steps played.
    """

    def __init__(self, script: Sequence[Step], *, stop_at_end: bool = True) -> None:
        self._script = script
        self._stop_at_end = stop_at_end
        self.position = 0

    def state(self) -> bytes:
        """Steps played, as text."""
        return str(self.position).encode()

    def restore(self, state: bytes) -> None:
        """Go on from there.

        Raises
        ------
        StateError
            Not such a state.
        """
        if not state.isdigit() or int(state) > len(self._script):
            raise StateError("not a position in this script")
        self.position = int(state)

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Play on until the stop, or the end of the script."""
        while not stop.is_set() and self.position < len(self._script):
            step = self._script[self.position]
            self.position += 1
            match step:
                case Begin(shard, parents):
                    intake.begin(shard, parents)
                case Take(batch):
                    intake.take(batch)
                case Empty(shard):
                    intake.empty(shard)
                case End(shard):
                    intake.end(shard)
                case _:
                    assert_never(step)
            await intake.settle()
            await asyncio.sleep(0)
        if not self._stop_at_end:
            await stop.wait()

    def lag(self) -> Mapping[ShardId, float]:
        """Nothing is behind."""
        return {}

    def troubles(self) -> Sequence[str]:
        """Nothing is wrong."""
        return ()
