"""The seams between the pure core and the outside: each has a fake in ``streamer.testing``."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from streamer.core.baseline.model import Baseline
from streamer.core.decisions import Decision
from streamer.core.manifest import Loaded, Saved
from streamer.core.types import Action, Batch, DeadLetter, ShardId


class Clock(Protocol):
    """Wall-clock, monotonic and CPU time; tests move theirs by hand."""

    def now(self) -> int:
        """Milliseconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, for durations and nothing else."""
        ...

    def cpu(self) -> float:
        """CPU seconds of the calling thread, for what a step costs: time others took is not in it."""
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


class Intake(Protocol):
    """What a live source hands its records to."""

    def begin(self, shard: ShardId, parents: Sequence[ShardId] = ()) -> None:
        """Announce a shard: until its first record it holds every pane open.

        Of parents that have ended it inherits the watermark and the identities seen.
        """
        ...

    def take(self, batch: Batch) -> None:
        """Take in records, in the shard's order.

        They are folded when this returns. The source moves its position in the same step, with no
        ``await`` between, so that no snapshot falls between a record and its position.
        """
        ...

    def empty(self, shard: ShardId) -> None:
        """Note that a shard was polled at its tip and had nothing: not that a poll failed or waits."""
        ...

    def end(self, shard: ShardId) -> None:
        """Note that a shard will give no more records."""
        ...

    async def settle(self) -> None:
        """Wait until what was taken in is decided, and there is room for more: before reading on."""
        ...


class LiveSource(Protocol):
    """Where records come from while they are made: shards come and go, and there is no end."""

    def state(self) -> bytes:
        """Positions, and all else that is needed to read on; taken in one step with the engine's state."""
        ...

    def restore(self, state: bytes) -> None:
        """Read on from a state; before ``run``.

        Raises
        ------
        StateError
            It is not this source's.
        """
        ...

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Read until ``stop`` is set; the batch in hand is handed over first."""
        ...

    def lag(self) -> Mapping[ShardId, float]:
        """Seconds each open shard is behind its tip."""
        ...

    def troubles(self) -> Sequence[str]:
        """Why it can't read well now, in words; empty when it can."""
        ...


class DecisionIntake(Protocol):
    """What operators' decisions are handed to."""

    def decide_on(self, decision: Decision, baseline: Baseline | None) -> None:
        """Let a decision take effect, with the baseline at the path it names, if it can be read."""
        ...

    def reject(self, letter: DeadLetter) -> None:
        """Keep what is no decision as a dead letter."""
        ...


class DecisionSource(Protocol):
    """Where operators' decisions come from, each once and in the order they were made."""

    def state(self) -> bytes:
        """The place of the next one; taken in one step with the engine's state."""
        ...

    def restore(self, state: bytes) -> None:
        """Read on from a place; before ``run``.

        Raises
        ------
        StateError
            It is not this source's.
        """
        ...

    async def run(self, intake: DecisionIntake, stop: asyncio.Event) -> None:
        """Hand over decisions as they are made, until the stop."""
        ...

    def troubles(self) -> Sequence[str]:
        """Why decisions can't be read now, in words; empty when they can."""
        ...


class SnapshotStore(Protocol):
    """Where snapshots are kept: one process at a time holds it."""

    async def acquire(self) -> int:
        """Take the store for this process.

        Returns
        -------
        int
            The epoch, larger than every one before.

        Raises
        ------
        StateInUse
            A living process has it.
        Retryable, StateError
            It can't be written now; or never.
        """
        ...

    async def load(self) -> Loaded | None:
        """The newest snapshot that is whole; ``None`` when nothing was ever saved.

        Raises
        ------
        StateError
            There is something, and nothing of it is whole.
        Retryable
            It can't be read now.
        """
        ...

    async def save(self, chunks: Mapping[str, bytes], unchanged: Collection[str] = ()) -> Saved:
        """Write what changed since the last snapshot, then move the pointer.

        Parameters
        ----------
        chunks : mapping of str to bytes
            By name; the whole snapshot but for ``unchanged``.
        unchanged : collection of str
            Chunks that are as in the last snapshot saved or loaded.

        Raises
        ------
        LeaseLost
            Another process has the store: publish nothing more.
        Retryable
            Nothing was saved.
        """
        ...

    async def verify(self) -> None:
        """Make sure that the store is still this process's.

        Raises
        ------
        LeaseLost
            It is not.
        Retryable
            It can't be told now.
        """
        ...

    async def close(self) -> None:
        """Let go of it; safe to call twice."""
        ...
