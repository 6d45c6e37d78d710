"""Meter: CPU time of every callback of an event loop, and where the long ones were."""

import asyncio
import gc
import time
from array import array
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
import numpy as np

# Of longer ones it is told where they were.
_LONG_SECONDS: Final = 0.02
_PLACES: Final = 10
_OLDEST: Final = 2


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where long callbacks ended.

    Attributes
    ----------
    where : str
        Name of the coroutine, or of the callback, and its line.
    times : int
        Long ones there.
    longest_milliseconds : float
        The longest of them.
    """

    where: str
    times: int
    longest_milliseconds: float


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """How long callbacks held a loop, CPU milliseconds.

    Attributes
    ----------
    callbacks : int
        Timed.
    p99, p999, longest : float
        Of their CPU times: 99 %, 99.9 % and all are not above.
    over_50 : int
        Callbacks that took more than 50 ms.
    collections, longest_collection : int, float
        Garbage collections of the oldest generation, in whatever callback they fell; the longest,
        milliseconds.
    places : tuple of Place
        Of those above 20 ms; the longest first.
    """

    callbacks: int
    p99: float
    p999: float
    longest: float
    over_50: int
    collections: int
    longest_collection: float
    places: tuple[Place, ...]


class Meter:
    """Times the callbacks of every loop in the process, between ``begin`` and ``end``.

    All of them pass through one method of the standard library's handles, tasks' steps and signals
    included; it is replaced meanwhile. The thread's CPU clock leaves out what other threads and
    processes take. About 1 us a callback; 8 bytes are kept of each.
    """

    def __init__(self) -> None:
        self._seconds = array("d")
        self._places: dict[str, tuple[int, float]] = {}
        self._collections: list[float] = []
        self._collecting_since = 0.0
        self._before: Callable[[Any], None] | None = None

    def begin(self) -> None:
        """Time every callback that begins from now on."""
        run = self._before = asyncio.Handle._run
        note, clock = self._seconds.append, time.thread_time

        def timed(handle: Any) -> None:
            callback = handle._callback
            began = clock()
            run(handle)
            took = clock() - began
            note(took)
            if took > _LONG_SECONDS:
                self._note_long(callback, took)

        asyncio.Handle._run = timed  # type: ignore[method-assign, assignment]
        gc.callbacks.append(self._note_collection)

    def end(self) -> None:
        """Time no more; does nothing before ``begin``."""
        if self._before is not None:
            asyncio.Handle._run = self._before  # type: ignore[method-assign, assignment]
            gc.callbacks.remove(self._note_collection)
            self._before = None

    def _note_collection(self, phase: Literal["start", "stop"], info: dict[str, int]) -> None:
        if info["generation"] < _OLDEST:
            return
        if phase == "start":
            self._collecting_since = time.thread_time()
        else:
            self._collections.append(time.thread_time() - self._collecting_since)

    def _note_long(self, callback: object, took: float) -> None:
        where = _where(callback)
        times, longest = self._places.get(where, (0, 0.0))
        self._places[where] = times + 1, max(longest, took)

    def held(self) -> Held:
        """What was timed."""
        took = np.array(self._seconds) * 1000 if self._seconds else np.zeros(1)
        p99, p999 = np.quantile(took, (0.99, 0.999), method="higher").tolist()
        places = sorted(self._places.items(), key=lambda place: -place[1][1])[:_PLACES]
        return Held(
            callbacks=len(self._seconds),
            p99=p99,
            p999=p999,
            longest=float(took.max()),
            over_50=int((took > 50).sum()),
            collections=len(self._collections),
            longest_collection=max(self._collections, default=0.0) * 1000,
            places=tuple(
                Place(where=where, times=times, longest_milliseconds=longest * 1000)
                for where, (times, longest) in places
            ),
        )


def _where(callback: object) -> str:
    """Where a task stands now: it came there in the step that has just ended."""
    task = getattr(callback, "__self__", None)
    if not isinstance(task, asyncio.Task):
        return str(getattr(callback, "__qualname__", type(callback).__name__))
    names = []
    inner: Any = task.get_coro()
    while inner is not None and hasattr(inner, "cr_await"):
        frame = inner.cr_frame
        names.append(f"{inner.__qualname__}:{frame.f_lineno if frame is not None else 'end'}")
        inner = inner.cr_await
    return " > ".join(names[-3:])
