"""Reader: one shard's loop, from its place to its end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final, NamedTuple, Protocol

import structlog

from streamer.adapters.kinesis.budget import ByteBudget, Reservation
from streamer.adapters.kinesis.calls import StreamCalls
from streamer.adapters.kinesis.fetch import Answer
from streamer.adapters.kinesis.pace import Pace, PaceSettings
from streamer.adapters.kinesis.positions import Gap, Position, ShardState, Start
from streamer.adapters.kinesis.shards import FoundShard
from streamer.adapters.kinesis.slices import slices, unwrapped
from streamer.adapters.kinesis.trouble import Trouble
from streamer.core.errors import Absent, ExpiredIterator, Refused, Retryable, Throttled, Unavailable
from streamer.core.eventtime import as_text
from streamer.core.types import ShardId
from streamer.ports import Clock, Intake
from streamer.retry import Attempt, Retry

_LOG: Final = structlog.get_logger()
# No stream keeps records for less.
_LEAST_RETENTION_MILLISECONDS: Final = 86_400_000
# Answers that contradict themselves, and shards said not to be there, are asked about again so often.
_DOUBTS: Final = 3
# Without its being old, a shard is given up after this: another stream may have its stream's name.
_ABSENT_SECONDS: Final = 300.0
_OLDEST: Final = Start(None)


class Parts(NamedTuple):
    """What all readers of a stream share.

    Attributes
    ----------
    calls : StreamCalls
        To the service.
    start : Start
        Where shards begin that continue none of ours.
    pace : PaceSettings
        How fast.
    budget : ByteBudget
        For answers on their way.
    retry : Retry
        Until the stop.
    clock : Clock
        Time.
    wait : callable
        Waits for the stop or so many seconds, and says whether it is the stop.
    chance : random.Random
        Spreads the shards' turns.
    intake : Intake
        Gets what is read.
    stop : asyncio.Event
        Set when no more is wanted.
    on_retry : callable
        Told of every call that failed and is tried again.
    """

    calls: StreamCalls
    start: Start
    pace: PaceSettings
    budget: ByteBudget
    retry: Retry
    clock: Clock
    wait: Callable[[asyncio.Event, float], Awaitable[bool]]
    chance: Random
    intake: Intake
    stop: asyncio.Event
    on_retry: Callable[[Retryable], None]


class Stream(Protocol):
    """What a reader says of its shard, and asks about it."""

    @property
    def reader_count(self) -> int:
        """Shards that are read."""
        ...

    async def confirm(self, shard: ShardId) -> FoundShard | None:
        """A shard as the service lists it now; ``None`` when it does not.

        Raises
        ------
        Retryable
            It can't be told now.
        """
        ...

    def ended(self, shard: ShardId, children: Sequence[FoundShard]) -> None:
        """Note that a shard was read to its end."""
        ...

    def lost(self, shard: ShardId) -> None:
        """Note that a shard is older than the retention."""
        ...

    def note_gap(self, gap: Gap) -> None:
        """Note that records may have gone unread."""
        ...


class ShardReader:
    """Reads one shard in its order.

    Parameters
    ----------
    shard : ShardState
        Whose position it moves, each time in the step in which the records are taken.
    parts : Parts
        Shared with the other readers.
    stream : Stream
        Told of the end.

    Attributes
    ----------
    trouble : Trouble
        What is wrong, if anything.
    read_at : int or None
        Wall clock of the last answer, milliseconds since the epoch.
    is_settling : bool
        Whether it waits for room: nothing is in its hands then.
    """

    def __init__(self, shard: ShardState, parts: Parts, stream: Stream) -> None:
        self.shard = shard
        self.trouble = Trouble(f"shard {shard.id}", parts.on_retry)
        self.read_at: int | None = None
        self.is_settling = False
        self._parts = parts
        self._stream = stream
        self._pace = Pace(parts.pace, parts.chance, parts.clock.monotonic())
        self._iterator: str | None = None
        self._read: Position | None = shard.position
        # The record at our position is asked for and was not seen yet.
        self._is_probing = False
        self._behind_seconds = 0.0
        self._contradictions = 0
        self._absences = 0
        self._absent_since = 0.0

    def lag_seconds(self) -> float:
        """How far it is behind: what the service said, and for how long its turn is overdue."""
        return self._behind_seconds + max(0.0, self._parts.clock.monotonic() - self._pace.next_at)

    async def run(self) -> None:
        """Read until the end of the shard or the stop."""
        parts = self._parts
        while not await parts.wait(parts.stop, max(0.0, self._pace.next_at - parts.clock.monotonic())):
            await self._settle()
            if parts.stop.is_set():
                return
            try:
                if await parts.retry.run(self._read_on, on_attempt=self._note):
                    return
            except Retryable:
                if not parts.stop.is_set():
                    raise
                return

    async def _settle(self) -> None:
        self.is_settling = True
        await self._parts.intake.settle()
        self.is_settling = False

    def _note(self, attempt: Attempt) -> None:
        self.trouble.note(attempt, self._parts.clock.monotonic())

    async def _read_on(self) -> bool:
        """One answer, fetched and taken; whether it was the last."""
        async with self._parts.budget.reserve() as reservation:
            answer = await self._fetch()
            if answer is None:
                self._stream.lost(self.shard.id)
                return True
            return await self._take(answer, reservation)

    async def _fetch(self) -> Answer | None:
        """An answer; ``None`` when the shard is no longer there."""
        parts, shard = self._parts, self.shard
        try:
            if self._iterator is None:
                self._iterator = await self._locate()
            self._called_at, self._asked_at = parts.clock.monotonic(), parts.clock.now()
            answer = await parts.calls.records(shard.id, self._iterator, self._pace.limit)
        except ExpiredIterator:
            self._iterator = None
            raise
        except Throttled:
            self._pace.throttled()
            raise
        except Absent as error:
            # The stream, or only this shard of it, or neither any more.
            self._iterator = None
            if await self._stream.confirm(shard.id) is None and self._is_surely_gone():
                return None
            raise Unavailable(str(error)) from error
        except Refused as error:
            self._iterator = None
            raise Unavailable(str(error)) from error
        self.read_at = parts.clock.now()
        self._absences = 0
        return answer

    def _is_surely_gone(self) -> bool:
        """Whether a shard that was not found, and is not listed, has expired; an old listing shows no young one."""
        self._absences += 1
        now = self._parts.clock.monotonic()
        if self._absences == 1:
            self._absent_since = now
        complete_at = self.shard.complete_until_at
        if complete_at is not None and self._parts.clock.now() - complete_at >= _LEAST_RETENTION_MILLISECONDS:
            return self._absences >= _DOUBTS
        return now - self._absent_since >= _ABSENT_SECONDS

    async def _locate(self) -> str:
        calls, shard = self._parts.calls, self.shard
        if self._read is not None:
            try:
                found = await calls.iterator_at(shard.id, self._read)
            except Refused as error:
                _LOG.warning("position refused, reading from the oldest record", shard=shard.id, reason=str(error))
                self._read = None
            else:
                self._is_probing = True
                return found
        self._is_probing = shard.position is not None
        oldest = shard.is_child or shard.position is not None
        return await calls.iterator_from(shard.id, _OLDEST if oldest else self._parts.start)

    async def _take(self, answer: Answer, reservation: Reservation) -> bool:
        """Hand over what is new in an answer, and learn from the rest; whether it was the last."""
        parts, shard = self._parts, self.shard
        self._behind_seconds = answer.behind_seconds
        captures = unwrapped(answer, self._read)
        sent_bytes = sum(map(len, answer.payloads)) + sum(map(len, answer.partition_keys))
        held_bytes = sum(map(len, captures.payloads))
        reservation.shrink(sent_bytes + held_bytes)
        self._pace.answered(
            self._called_at,
            parts.clock.monotonic(),
            records=len(answer.payloads),
            held_bytes=held_bytes,
            sent_bytes=sent_bytes,
            behind_seconds=answer.behind_seconds,
            shards=self._stream.reader_count,
        )
        self._look_for_gap(answer)
        for i, part in enumerate(slices(shard.id, captures, lambda: self._pace.batch_records, parts.pace.batch_bytes)):
            if i:
                await asyncio.sleep(0)
                if parts.stop.is_set():
                    return True
                await self._settle()
            began = parts.clock.cpu()
            parts.intake.take(part.batch)
            shard.position = self._read = part.position
            self._pace.folded(len(part.batch.payloads), parts.clock.cpu() - began)
        self._iterator = answer.next_iterator
        is_at_tip = answer.behind_seconds == 0
        self._note_complete(answer.last_at, self._asked_at if is_at_tip else None)
        if answer.next_iterator is None:
            return await self._is_end(answer, is_new=bool(captures.payloads))
        self._contradictions = 0
        if is_at_tip and not captures.payloads:
            parts.intake.empty(shard.id)
        return False

    def _note_complete(self, *until_at: int | None) -> None:
        known = [at for at in (self.shard.complete_until_at, *until_at) if at is not None]
        self.shard.complete_until_at = max(known, default=None)

    def _look_for_gap(self, answer: Answer) -> None:
        """Whether the record at our position is where we asked for it; if not, others may be lost, too."""
        if not self._is_probing:
            return
        position, now = self.shard.position, self._parts.clock.now()
        if answer.sequences:
            self._is_probing = False
            if position is None or (self._read is not None and int(answer.sequences[0]) <= int(position.sequence)):
                return
        elif answer.behind_seconds > 0:
            return
        self._is_probing = False
        complete_at = self.shard.complete_until_at
        if complete_at is not None and now - complete_at < _LEAST_RETENTION_MILLISECONDS:
            # The shard was quiet for longer than the retention, and we know it.
            return
        gap = Gap(shard=self.shard.id, from_at=complete_at or 0, to_at=answer.first_at or now)
        self._stream.note_gap(gap)
        _LOG.warning(
            "records gone before they were read", shard=gap.shard, since=as_text(gap.from_at), until=as_text(gap.to_at)
        )

    async def _is_end(self, answer: Answer, *, is_new: bool) -> bool:
        """Whether a shard really ends where an answer says that it does."""
        if answer.children:
            self._stream.ended(self.shard.id, answer.children)
            return True
        # An end without children contradicts itself: the place is asked for again.
        self._contradictions = 0 if is_new else self._contradictions + 1
        if self._contradictions < _DOUBTS:
            return False
        self._contradictions = 0
        found = await self._stream.confirm(self.shard.id)
        # One that is not listed may be too young for an old listing; if it is gone, its place is, too.
        if found is not None and found.is_closed:
            self._stream.ended(self.shard.id, ())
            return True
        return False
