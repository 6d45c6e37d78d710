"""Delivery in calls of a few entries, for services that answer each entry by itself.

What one call accepted is not sent again when the rest is; what is refused does not take its
neighbours with it; and entries that must keep their order go one after the other.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

from streamer.core.errors import Refused, Retryable

# Ids remembered between a delivery that failed and its repetition. Beyond, the oldest are sent twice.
_REMEMBERED: Final = 10_000
# Entries looked through for one whose group has none in the call yet.
_AHEAD: Final = 100

_Body = TypeVar("_Body")

Outcome: TypeAlias = Retryable | Refused | None


class Entry(NamedTuple, Generic[_Body]):
    """One action in the form its service takes.

    Attributes
    ----------
    id : str
        The action's.
    body : object
        What is sent.
    size_bytes : int
        What the service counts of it.
    group : str
        Entries of one group arrive in the order given; empty where order does not matter.
    """

    id: str
    body: _Body
    size_bytes: int
    group: str = ""


class Wanted(NamedTuple, Generic[_Body]):
    """One action to deliver, and how its entry is made when its turn comes.

    So a failing service costs the making of one call's entries, not of all that wait.
    """

    id: str
    make: Callable[[], Entry[_Body]]


class Delivery(Generic[_Body]):
    """Sends entries, and remembers between a failure and its repetition what is settled.

    One call is made at a time.

    Parameters
    ----------
    send : callable
        Makes one call and gives the outcome of each of its entries, in their order: ``None`` for
        accepted. It raises what is about the call as a whole.
    most_entries, most_bytes : int
        What one call may hold.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Entry[_Body]]], Awaitable[Sequence[Outcome]]],
        *,
        most_entries: int,
        most_bytes: int,
    ) -> None:
        self._send = send
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._accepted: dict[str, None] = {}
        self._refused: dict[str, Refused] = {}

    async def deliver(self, several: Iterable[Wanted[_Body]]) -> None:
        """Send all of these that an earlier, failed delivery has not settled.

        Raises
        ------
        Retryable
            Some are left: deliver the same again. Others may have been accepted and some refused,
            which is remembered.
        Refused
            All are settled; ``ids`` are those that were refused.
        """
        wanted = {one.id: one for one in several}
        unmade = (one.make() for one in wanted.values() if not self._is_settled(one.id))
        ahead: deque[Entry[_Body]] = deque()
        left: list[Retryable] = []
        held: set[str] = set()
        while batch := self._next(ahead, unmade, held):
            try:
                outcomes = await self._outcomes(batch)
            except Retryable as error:
                # About the service, not about these entries: the others would fare no better.
                left.append(error)
                break
            for entry, outcome in zip(batch, outcomes, strict=True):
                if outcome is None:
                    self._accepted[entry.id] = None
                elif isinstance(outcome, Refused):
                    self._refused[entry.id] = outcome
                else:
                    left.append(outcome)
                    held.add(entry.group)
        if left:
            self._forget_oldest()
            raise left[0]
        refused = {i: self._refused[i] for i in wanted if i in self._refused}
        for settled in wanted:
            self._accepted.pop(settled, None)
            self._refused.pop(settled, None)
        if refused:
            first = next(iter(refused.values()))
            raise Refused(f"{len(refused)} of {len(wanted)} refused, the first one: {first}", list(refused))

    def _next(self, ahead: deque[Entry[_Body]], unmade: Iterator[Entry[_Body]], held: set[str]) -> list[Entry[_Body]]:
        """Take the next call's entries: of those passed over before, then new ones."""
        batch: list[Entry[_Body]] = []
        groups: set[str] = set()
        passed: list[Entry[_Body]] = []
        size_bytes = 0
        while len(batch) < self._most_entries and len(passed) < _AHEAD:
            entry = ahead.popleft() if ahead else next(unmade, None)
            if entry is None:
                break
            if entry.size_bytes > self._most_bytes:
                text = f"{entry.size_bytes} bytes where {self._most_bytes} are allowed"
                self._refused[entry.id] = Refused(text, [entry.id])
            elif entry.group and entry.group in held:
                # What follows a failed entry in its group must not overtake it: left, like that one.
                continue
            elif entry.group and entry.group in groups:
                # Of two in one call the first may fail and the second not.
                passed.append(entry)
            elif size_bytes + entry.size_bytes > self._most_bytes:
                passed.append(entry)
                break
            else:
                batch.append(entry)
                groups.add(entry.group)
                size_bytes += entry.size_bytes
        ahead.extendleft(reversed(passed))
        return batch

    async def _outcomes(self, batch: Sequence[Entry[_Body]]) -> Sequence[Outcome]:
        try:
            return await self._send(batch)
        except Refused as error:
            if len(batch) == 1:
                return [error]
        # One of them is to blame, and nobody says which: each goes alone.
        outcomes: list[Outcome] = []
        for entry in batch:
            try:
                outcomes += await self._send([entry])
            except (Refused, Retryable) as error:
                outcomes.append(error)
        return outcomes

    def _is_settled(self, identity: str) -> bool:
        return identity in self._accepted or identity in self._refused

    def _forget_oldest(self) -> None:
        for known in (self._accepted, self._refused):
            while len(known) > _REMEMBERED:
                del known[next(iter(known))]
