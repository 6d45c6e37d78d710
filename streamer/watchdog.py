"""The watchdog: notices from outside that the event loop stands still, and where."""

import asyncio
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from streamer.ports import Clock

# Of the deepest stack and of the most threads that are logged.
_FRAMES: Final = 60
_THREADS: Final = 40


class Watchdog:
    """Knows whether the event loop turns.

    ``run`` beats in the loop; a thread looks at the time of the last beat, because a loop that
    stands still can't tell. When the whole process stood still (it was stopped, the machine slept,
    a native call kept all threads out) that is said, and is not taken for a stall.

    Parameters
    ----------
    clock : Clock
        Measures the time between beats; asked from two threads.
    limit_seconds : float
        Without a beat for so long, the loop is stalled.
    beat_seconds : float
        Time between two beats, and between two looks.
    on_lag : callable
        Told at each beat how many seconds late it came.
    on_change : callable
        Told that a stall begins or has ended, from either thread, in order; returns at once.
    wait : callable
        Lets so many seconds pass in the loop.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        limit_seconds: float = 10.0,
        beat_seconds: float = 1.0,
        on_lag: Callable[[float], None] = lambda seconds: None,
        on_change: Callable[[bool], None] = lambda stalled: None,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._limit = limit_seconds
        self._interval = beat_seconds
        self._on_lag = on_lag
        self._on_change = on_change
        self._wait = wait
        self._lock = threading.Lock()
        self._beat_at = self._looked_at = clock.monotonic()
        self._since_at: float | None = None
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

    @property
    def stalled(self) -> bool:
        """Whether the loop stands still."""
        return self._since_at is not None

    def troubles(self) -> list[str]:
        """Why the loop is not well, in words; empty when it is."""
        since = self._since_at
        if since is None:
            return []
        return [f"the event loop has not turned for {self._clock.monotonic() - since:.0f} s"]

    def beat(self) -> None:
        """Note that the loop turns."""
        with self._lock:
            now, since = self._clock.monotonic(), self._since_at
            self._beat_at, self._since_at = now, None
            if since is not None:
                self._on_change(False)
        if since is not None:
            self._log.warning("event loop turns again", seconds=round(now - since, 3))

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self.beat()
            due_at = self._clock.monotonic() + self._interval
            await self._wait(self._interval)
            self._on_lag(max(0.0, self._clock.monotonic() - due_at))

    def look(self) -> None:
        """See whether a beat is overdue; log every thread's stack when a stall begins."""
        with self._lock:
            now = self._clock.monotonic()
            unseen, self._looked_at = now - self._looked_at, now
            paused = unseen >= self._limit
            if paused and self._since_at is None:
                # Nobody ran, so it is not the loop that is to blame: it is given its time anew.
                self._beat_at = now
            begins = self._since_at is None and now - self._beat_at >= self._limit
            if begins:
                self._since_at = self._beat_at
                self._on_change(True)
        # After the change is told, and without the lock: the log waits when standard error is what is stuck.
        if begins:
            self._log.error("event loop stands still", limit_seconds=self._limit, stacks=stacks())
        elif paused:
            self._log.warning("whole process stood still", seconds=round(unseen, 3))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look again and again, from a thread, until the end of the block."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(self._interval):
                self.look()

        with self._lock:
            self._beat_at = self._looked_at = self._clock.monotonic()
        # A daemon: it may wait for a log that is stuck, and must not keep the process from ending.
        thread = threading.Thread(target=watch, name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(self._interval)


def stacks() -> dict[str, list[str]]:
    """Where every thread is, innermost call last: places and lines of code, no values.

    Returns
    -------
    dict of str to list of str
        ``file:line function: code`` of each call, by the thread's name and number.
    """
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    found: dict[str, list[str]] = {}
    for number, frame in list(sys._current_frames().items())[:_THREADS]:
        calls = traceback.extract_stack(frame)[-_FRAMES:]
        found[f"{names.get(number, 'unknown')} {number}"] = [
            f"{call.filename}:{call.lineno} {call.name}: {call.line}" for call in calls
        ]
    return found
