"""Pace: a sink that lets the wall clock pass, so that a person can watch months go by."""

from collections.abc import Awaitable, Callable, Sequence

from streamer.core.types import Action, EndpointDocument, Index
from streamer.ports import Clock


class Pace:
    """Holds the run back to so many seconds of event time for each second of the clock.

    It is the last sink, so whatever a window said is out before the next one may be read.

    Parameters
    ----------
    speed : float
        Event time over wall time; 0 lets the run go as fast as it can.
    clock : Clock
        How much time has passed.
    wait : callable
        Waits so many seconds.
    """

    name = "pace"

    def __init__(self, speed: float, clock: Clock, wait: Callable[[float], Awaitable[None]]) -> None:
        self._speed = speed
        self._clock = clock
        self._wait = wait
        self._began: tuple[float, float] | None = None

    async def deliver(self, actions: Sequence[Action]) -> None:
        """Wait until the clock has come as far as the windows among these."""
        ends = [
            action.document.window_end.timestamp()
            for action in actions
            if isinstance(action, Index) and isinstance(action.document, EndpointDocument)
        ]
        if not ends or not self._speed:
            return
        now, at = self._clock.monotonic(), max(ends)
        if self._began is None:
            self._began = (now, at)
        ahead = (at - self._began[1]) / self._speed - (now - self._began[0])
        if ahead > 0:
            await self._wait(ahead)

    async def commit(self) -> None:
        """Nothing is left to do."""

    async def close(self) -> None:
        """Nothing is held."""
