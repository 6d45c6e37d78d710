"""Stopping: the first signal begins a drain with a deadline, the second one ends the process."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def on_stop_signal(begin: Callable[[], None]) -> Iterator[None]:
    """Call something on the first SIGTERM or SIGINT, in the running loop; the next one kills.

    A signal that comes while nothing awaits is kept until the loop turns. From the first one on the
    process dies of any further one by the system's own hand, even when the loop stands still in
    Python code; two that come while the main thread is in a long native call count when it returns.
    What handled the signals before is put back at the end.

    Parameters
    ----------
    begin : callable
        Begins the drain; called once at most, in the loop.

    Raises
    ------
    RuntimeError, ValueError
        Not in the main thread, the only one that gets signals.
    """
    loop = asyncio.get_running_loop()
    begun = False

    def heard(number: signal.Signals) -> None:
        nonlocal begun
        if begun:
            signal.raise_signal(number)
        else:
            begun = True
            begin()

    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        for number in STOP_SIGNALS:
            # The loop's wake-up file is what loses no signal between two awaits. Its Python handler does
            # nothing, and ours in its place frees the way for the second signal without waiting for the loop.
            loop.add_signal_handler(number, heard, number)
            signal.signal(number, _let_the_next_kill)
        yield
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
            # None: set by other than Python code, and unknown to it.
            signal.signal(number, before[number] or signal.SIG_DFL)


def _let_the_next_kill(number: int, frame: FrameType | None) -> None:
    # The first process of a container is spared by signals that it does not handle.
    last = _end_at_once if os.getpid() == 1 else signal.SIG_DFL
    for stop_signal in STOP_SIGNALS:
        signal.signal(stop_signal, last)


def _end_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


async def run_until_drained(
    consumers: Sequence[Callable[[asyncio.Event], Coroutine[None, None, None]]],
    background: Sequence[Callable[[], Coroutine[None, None, None]]] = (),
    *,
    drain_seconds: float,
    on_drain: Callable[[], None] = lambda: None,
) -> None:
    """Run until the consumers have ended, by themselves or because of a signal.

    Parameters
    ----------
    consumers : sequence of callable
        Given the event that tells them to stop: they finish what they have in hand and return.
    background : sequence of callable
        Run beside them, outlive them, and are cancelled when the last has ended.
    drain_seconds : float
        Time the consumers have from the signal on; less than the platform waits before it kills.
    on_drain : callable
        Told when the drain begins, for the log.

    Raises
    ------
    TimeoutError
        The deadline passed; everything was cancelled.
    ExceptionGroup
        One of them failed; everything else was cancelled. Groups may be nested.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as deadline:

        def begin() -> None:
            stop.set()
            deadline.reschedule(loop.time() + drain_seconds)
            on_drain()

        with on_stop_signal(begin):
            async with asyncio.TaskGroup() as outer:
                helpers = [outer.create_task(start()) for start in background]
                async with asyncio.TaskGroup() as inner:
                    for consume in consumers:
                        inner.create_task(consume(stop))
                for task in helpers:
                    task.cancel()
