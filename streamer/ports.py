"""The seams between the pure core and the outside: each has a fake in ``streamer.testing``."""

from collections.abc import Sequence
from typing import Protocol

from streamer.core.types import Action, Batch, ShardId


class Clock(Protocol):
    """Wall-clock and monotonic time; tests move theirs by hand."""

    def now(self) -> int:
        """Milliseconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, for durations and nothing else."""
        ...


class Source(Protocol):
    """Where records come from: a known set of shards, each with an end."""

    def shards(self) -> Sequence[ShardId]:
        """Every shard there is to read, without repeats, the same before and after reading.

        All are announced to the engine before the first record, so that none of them is overtaken.
        """
        ...

    async def next_batch(self, shard: ShardId) -> Batch | None:
        """Read on in one shard, in the shard's order.

        Returns
        -------
        Batch or None
            At least one record; ``None``, from then on always, when the shard has ended.
        """
        ...

    async def close(self) -> None:
        """Let go of files and connections; safe to call twice, and before the end."""
        ...


class Sink(Protocol):
    """Where actions go. A sink ignores kinds of action it has no use for.

    Delivery may repeat and may come out of order, and that changes nothing for who reads by id: of
    two documents with one id the larger revision is true, whichever came first; of two
    notifications or dead letters with one id either is, as they are equal. A store that can replace
    keeps one of each id. One that can only append (``jsonlines``) may hold a line twice.

    Constructors open what they need and raise ``SinkError`` when they can't.
    """

    @property
    def name(self) -> str:
        """One word for logs and metrics."""
        ...

    async def deliver(self, actions: Sequence[Action]) -> None:
        """Make these actions durable, all or raise.

        Raises
        ------
        Retryable
            Nothing is promised of this call's actions; deliver all of them again.
        Refused
            The far side will never take them.
        """
        ...

    async def commit(self) -> None:
        """Say that the run has come to its end and all was delivered: results become final.

        Raises
        ------
        Retryable
            They are not final; what was delivered is where it was.
        """
        ...

    async def close(self) -> None:
        """Let go of files and connections; safe to call twice.

        Without a commit before, nothing incomplete is left that could be taken for a whole result.
        """
        ...
