"""Byte budget: how much may be on its way from the service at once, over all shards."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

# The most one answer may hold.
ANSWER_BYTES: Final = 10 * 2**20


class Reservation:
    """One answer's share of the budget; at first the most it may hold."""

    def __init__(self, budget: "ByteBudget") -> None:
        self._budget = budget
        self.held_bytes = ANSWER_BYTES

    def shrink(self, held_bytes: int) -> None:
        """Give back what the answer did not need."""
        self._budget.change(held_bytes - self.held_bytes)
        self.held_bytes = held_bytes


class ByteBudget:
    """Bytes that answers may take, asked for before each call.

    Parameters
    ----------
    most_bytes : int
        Over all shards; at least one answer is always let through.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = max(most_bytes, ANSWER_BYTES)
        self._held = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def held_bytes(self) -> int:
        """Reserved now."""
        return self._held

    @asynccontextmanager
    async def reserve(self) -> AsyncIterator[Reservation]:
        """Wait for room for one answer, first come first served; given back at the end."""
        while self._waiting or self._held + ANSWER_BYTES > self._most:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)
            if self._held + ANSWER_BYTES <= self._most:
                break
        reservation = Reservation(self)
        self._held += ANSWER_BYTES
        try:
            yield reservation
        finally:
            self.change(-reservation.held_bytes)

    def change(self, by_bytes: int) -> None:
        """Take more or give back, and let those in for whom there is room now."""
        self._held += by_bytes
        room = self._most - self._held
        while self._waiting and room >= ANSWER_BYTES:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                room -= ANSWER_BYTES
