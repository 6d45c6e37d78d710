"""Ports in memory: a clock moved by hand, records from a list, a sink to look into, scripted faults."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import assert_never

from streamer.core.errors import StreamerError
from streamer.core.types import (
    Action,
    Batch,
    DeadLetter,
    Index,
    Kept,
    Notify,
    Reject,
    Retrain,
    RetrainingRequest,
    ShardId,
)
from streamer.ports import Sink


class ManualClock:
    """A clock that stands still until it is moved.

    Parameters
    ----------
    at : int
        Wall clock it starts at, milliseconds since the epoch.

    Examples
    --------
    >>> clock = ManualClock(1_000)
    >>> clock.move(2.5)
    >>> clock.now(), clock.monotonic()
    (3500, 2.5)
    """

    def __init__(self, at: int) -> None:
        self._start_at = at
        self._passed = 0.0

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return self._start_at + round(self._passed * 1000)

    def monotonic(self) -> float:
        """Seconds since it was made."""
        return self._passed

    def cpu(self) -> float:
        """Seconds since it was made: nobody else takes any."""
        return self._passed

    def move(self, seconds: float) -> None:
        """Let time pass."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._passed += seconds


class ListSource:
    """Batches from a list; its shards are those the batches are of.

    Parameters
    ----------
    batches : iterable of Batch
        Each shard's in the shard's order; empty ones are left out.

    Attributes
    ----------
    closed : bool
        Whether it was closed.
    """

    def __init__(self, batches: Iterable[Batch]) -> None:
        self.closed = False
        self._unread: dict[ShardId, deque[Batch]] = {}
        for batch in batches:
            shard = self._unread.setdefault(batch.shard, deque())
            if batch.payloads:
                shard.append(batch)

    def shards(self) -> list[ShardId]:
        """Every shard, in the order of its first batch."""
        return list(self._unread)

    async def next_batch(self, shard: ShardId) -> Batch | None:
        """The shard's next batch; ``None`` at its end."""
        unread = self._unread[shard]
        return unread.popleft() if unread else None

    async def close(self) -> None:
        """Note it."""
        self.closed = True


class MemorySink:
    """Keeps what was delivered, one of each id.

    Attributes
    ----------
    documents : dict of str to document
        The newest revision by id, incidents among them.
    notifications : dict of str to Notify
        By id, in the order of their first delivery.
    letters : dict of str to DeadLetter
        By id.
    requests : dict of str to RetrainingRequest
        By id.
    deliveries : list of list of Action
        What was delivered, call by call, repeats included.
    committed, closed : bool
        Whether that was called.
    """

    name = "memory"

    def __init__(self) -> None:
        self.documents: dict[str, Kept] = {}
        self.notifications: dict[str, Notify] = {}
        self.letters: dict[str, DeadLetter] = {}
        self.requests: dict[str, RetrainingRequest] = {}
        self.deliveries: list[list[Action]] = []
        self.committed = False
        self.closed = False

    async def deliver(self, actions: Sequence[Action]) -> None:
        """Keep these."""
        self.deliveries.append(list(actions))
        for action in actions:
            match action:
                case Index(document):
                    known = self.documents.get(document.id)
                    if known is None or known.revision <= document.revision:
                        self.documents[document.id] = document
                case Notify():
                    self.notifications.setdefault(action.id, action)
                case Reject(letter):
                    self.letters.setdefault(letter.id, letter)
                case Retrain(request):
                    self.requests.setdefault(request.id, request)
                case _:
                    assert_never(action)

    async def commit(self) -> None:
        """Note it."""
        self.committed = True

    async def close(self) -> None:
        """Note it."""
        self.closed = True


class FaultySink:
    """A sink that fails as scripted, then works.

    Parameters
    ----------
    sink : Sink
        Takes what is delivered when no fault is due.
    faults : iterable of StreamerError or None
        One for each call of ``deliver``, in order; ``None`` lets that call through. When they are
        used up every call is let through.
    after : bool
        Whether a fault strikes after the sink took the actions, as when an answer is lost on its
        way; else before.
    """

    def __init__(self, sink: Sink, faults: Iterable[StreamerError | None], *, after: bool = False) -> None:
        self.sink = sink
        self._faults = deque(faults)
        self._after = after

    @property
    def name(self) -> str:
        """The inner sink's."""
        return self.sink.name

    async def deliver(self, actions: Sequence[Action]) -> None:
        """Raise the next fault or hand these on.

        Raises
        ------
        StreamerError
            As scripted.
        """
        fault = self._faults.popleft() if self._faults else None
        if fault is None or self._after:
            await self.sink.deliver(actions)
        if fault is not None:
            raise fault

    async def commit(self) -> None:
        """Commit the inner sink."""
        await self.sink.commit()

    async def close(self) -> None:
        """Close the inner sink."""
        await self.sink.close()
