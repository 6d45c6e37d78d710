"""The seams between the pure core and the outside: each has a fake in ``streamer.testing``."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from streamer.core.types import Action, Batch


class Clock(Protocol):
    """Wall-clock and monotonic time; tests move theirs by hand."""

    def now(self) -> int:
        """Milliseconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, for durations and nothing else."""
        ...


class Source(Protocol):
    """Where records come from."""

    def batches(self) -> AsyncIterator[Batch]:
        """Batches until the source ends. Each shard's batches come in the shard's order."""
        ...


class Sink(Protocol):
    """Where actions go.

    A sink ignores kinds of action it has no use for. Delivery is idempotent: an action delivered
    twice, or after a newer revision of the same document, changes nothing.
    """

    name: str

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

    async def close(self) -> None:
        """Flush and let go of files and connections; safe to call twice."""
        ...
