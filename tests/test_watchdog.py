"""The watchdog: what counts as a stall, what is said of it, and that a real one is noticed."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import LogCapture

from streamer.adapters.clock import SystemClock
from streamer.testing.memory import ManualClock
from streamer.watchdog import Watchdog, stacks


@pytest.fixture
def log() -> Iterator[LogCapture]:
    before = structlog.get_config()
    capture = LogCapture()
    structlog.configure(processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    yield capture
    structlog.configure(**before)


class Watched:
    """A watchdog on a clock moved by hand, that is looked after every second."""

    def __init__(self) -> None:
        self.clock = ManualClock(0)
        self.changes: list[bool] = []
        self.dog = Watchdog(self.clock, limit_seconds=10, on_change=self.changes.append)

    def pass_seconds(self, seconds: int, *, beating: bool = False) -> None:
        for _ in range(seconds):
            self.clock.move(1)
            if beating:
                self.dog.beat()
            self.dog.look()


@pytest.fixture
def watched(log: LogCapture) -> Watched:
    return Watched()


def said(log: LogCapture) -> list[object]:
    return [entry["event"] for entry in log.entries]


def test_a_loop_that_beats_is_not_stalled(watched: Watched) -> None:
    watched.pass_seconds(100, beating=True)
    assert not watched.dog.stalled
    assert watched.changes == []


def test_a_loop_is_not_stalled_before_the_limit(watched: Watched) -> None:
    watched.pass_seconds(9)
    assert not watched.dog.stalled


def test_a_loop_is_stalled_at_the_limit(watched: Watched) -> None:
    watched.pass_seconds(10)
    assert watched.dog.stalled


def test_a_beat_ends_a_stall(watched: Watched) -> None:
    watched.pass_seconds(10)
    watched.dog.beat()
    assert not watched.dog.stalled
    assert watched.changes == [True, False]


def test_stacks_are_logged_once_for_each_stall(watched: Watched, log: LogCapture) -> None:
    watched.pass_seconds(60)
    watched.dog.beat()
    watched.pass_seconds(60)
    assert said(log) == ["event loop stands still", "event loop turns again", "event loop stands still"]


def test_the_log_says_how_long_it_stood_still(watched: Watched, log: LogCapture) -> None:
    watched.pass_seconds(60)
    watched.dog.beat()
    assert log.entries[-1] == {"event": "event loop turns again", "seconds": 60.0, "log_level": "warning"}


def test_trouble_is_told_in_words(watched: Watched) -> None:
    watched.pass_seconds(12)
    assert watched.dog.troubles() == ["the event loop has not turned for 12 s"]


def test_without_trouble_there_is_nothing_to_tell(watched: Watched) -> None:
    assert watched.dog.troubles() == []


def test_a_process_that_was_paused_is_not_stalled(watched: Watched, log: LogCapture) -> None:
    watched.pass_seconds(5, beating=True)
    watched.clock.move(3600)
    watched.dog.look()
    assert not watched.dog.stalled
    assert said(log) == ["whole process stood still"]


def test_a_loop_that_does_not_turn_after_a_pause_is_stalled(watched: Watched) -> None:
    watched.clock.move(3600)
    watched.dog.look()
    watched.pass_seconds(10)
    assert watched.dog.stalled


def test_a_pause_does_not_end_a_stall(watched: Watched) -> None:
    watched.pass_seconds(10)
    watched.clock.move(3600)
    watched.dog.look()
    assert watched.dog.stalled


async def test_each_beat_says_how_late_it_came() -> None:
    clock, lags = ManualClock(0), list[float]()
    delays = iter([0.0, 0.25])

    async def wait(seconds: float) -> None:
        delay = next(delays, None)
        if delay is None:
            raise asyncio.CancelledError
        clock.move(seconds + delay)

    dog = Watchdog(clock, beat_seconds=1, on_lag=lags.append, wait=wait)
    with pytest.raises(asyncio.CancelledError):
        await dog.run()
    assert lags == [0.0, 0.25]


async def test_a_loop_that_really_stands_still_is_noticed_and_so_is_its_end(log: LogCapture) -> None:
    stalled = threading.Event()
    turned = asyncio.Event()

    def change(is_stalled: bool) -> None:
        if is_stalled:
            stalled.set()
        elif stalled.is_set():
            turned.set()

    dog = Watchdog(SystemClock(), limit_seconds=0.2, beat_seconds=0.02, on_change=change)
    with dog.watching():
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            beats = group.create_task(dog.run())
            # As a core step that takes too long would, this lets nothing else run in the loop.
            assert await_without_loop(stalled)
            assert dog.stalled
            await turned.wait()
            beats.cancel()
    assert not dog.stalled


def await_without_loop(event: threading.Event) -> bool:
    return event.wait(30)


async def test_the_thread_ends_with_the_block() -> None:
    with Watchdog(SystemClock(), beat_seconds=30).watching():
        assert "watchdog" in {thread.name for thread in threading.enumerate()}
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}


def test_stacks_say_where_each_thread_is_and_no_values() -> None:
    secret = "a value " + "of a feature"  # put together here, so that no line of code holds it
    found = stacks()
    name = f"{threading.current_thread().name} {threading.get_ident()}"
    assert "test_stacks_say_where_each_thread_is_and_no_values" in found[name][-2]
    assert secret not in str(found)
