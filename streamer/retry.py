"""Retrying: what may work later is tried again, ever more slowly, until a deadline or the stop.

This is the only place that retries; the SDKs' own retries are off. Waits grow exponentially with
full jitter, so that many that failed together do not come back together.

References
----------
Brooker, M. (2015). Exponential Backoff And Jitter. AWS Architecture Blog ("Full Jitter").
"""

import asyncio
from collections.abc import Awaitable, Callable
from math import ldexp
from random import Random
from typing import NamedTuple, TypeVar

import msgspec

from streamer.core.errors import Retryable
from streamer.ports import Clock

_T = TypeVar("_T")


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long is waited between attempts.

    Attributes
    ----------
    first_seconds : float
        Longest wait after the first failure; it doubles with each one.
    most_seconds : float
        Longest wait after any.
    """

    first_seconds: float = 0.2
    most_seconds: float = 30.0

    def ceiling(self, failures: int) -> float:
        """Longest wait after so many failures in a row, in seconds.

        Examples
        --------
        >>> [Backoff(first_seconds=1.0).ceiling(n) for n in (1, 2, 5, 6, 10_000)]
        [1.0, 2.0, 16.0, 30.0, 30.0]
        """
        # A service that is down over night must not overflow a float.
        return min(self.most_seconds, ldexp(self.first_seconds, min(failures - 1, 64)))


class Attempt(NamedTuple):
    """One attempt, as it is told to metrics and logs.

    Attributes
    ----------
    number : int
        1 for the first.
    error : Retryable or None
        What came back; ``None`` when it worked.
    is_new : bool
        Whether the outcome differs from that of the attempt before: worth a line in a log. A first
        attempt that works is not.
    wait_seconds : float or None
        Wait before the next attempt; ``None`` when there is none.
    """

    number: int
    error: Retryable | None
    is_new: bool
    wait_seconds: float | None


async def stop_or_timeout(stop: asyncio.Event, seconds: float) -> bool:
    """Wait until the stop or for so long, whichever comes first.

    Returns
    -------
    bool
        Whether it is the stop.
    """
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return stop.is_set()
    return True


class Retry:
    """Calls something until it works, it fails for good, or time is up.

    Parameters
    ----------
    stop : asyncio.Event
        No attempt follows once it is set. The first one is made even then, so that a drain can
        still publish what it has.
    clock : Clock
        Measures deadlines.
    chance : random.Random
        Source of the jitter; tests seed theirs.
    backoff : Backoff
        How long is waited.
    wait : callable
        Waits for the stop or so many seconds and says whether it is the stop.
    """

    def __init__(
        self,
        stop: asyncio.Event,
        clock: Clock,
        chance: Random,
        *,
        backoff: Backoff | None = None,
        wait: Callable[[asyncio.Event, float], Awaitable[bool]] = stop_or_timeout,
    ) -> None:
        self._stop = stop
        self._clock = clock
        self._chance = chance
        self._backoff = backoff if backoff is not None else Backoff()
        self._wait = wait

    async def run(
        self,
        call: Callable[[], Awaitable[_T]],
        *,
        within_seconds: float | None = None,
        on_attempt: Callable[[Attempt], None] = lambda attempt: None,
    ) -> _T:
        """Call, and again after each ``Retryable``.

        Parameters
        ----------
        call : callable
            Makes one attempt; bounds its own time.
        within_seconds : float, optional
            No attempt starts later than this after the first. One that is under way is not cut off.
        on_attempt : callable
            Told of each attempt that worked or may be repeated, before the wait.

        Returns
        -------
        object
            What the call returned.

        Raises
        ------
        Retryable
            The last one, when no time is left or the stop is set.
        StreamerError
            At once, whatever else the call raises.
        """
        ends = None if within_seconds is None else self._clock.monotonic() + within_seconds
        number, reason = 0, ""
        while True:
            number += 1
            try:
                result = await call()
            except Retryable as error:
                wait_seconds = self._wait_after(error, number, ends)
                before, reason = reason, f"{type(error).__name__}: {error}"
                on_attempt(Attempt(number, error, reason != before, wait_seconds))
                if wait_seconds is None or await self._wait(self._stop, wait_seconds):
                    raise
            else:
                on_attempt(Attempt(number, None, number > 1, None))
                return result

    def _wait_after(self, error: Retryable, failures: int, ends: float | None) -> float | None:
        if self._stop.is_set():
            return None
        least = error.retry_after_seconds or 0.0
        spread = self._backoff.ceiling(failures)
        if ends is not None:
            left = ends - self._clock.monotonic() - least
            if left <= 0:
                return None
            # A late attempt is better than none: the wait shrinks to what is left.
            spread = min(spread, left)
        return least + self._chance.uniform(0.0, spread)
