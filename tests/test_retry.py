import asyncio
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.errors import Refused, Retryable, StreamerError, Throttled, Unavailable
from streamer.retry import Attempt, Backoff, Retry, stop_or_timeout
from streamer.testing.memory import ManualClock


class Far:
    """Fails as scripted, then answers with how often it was called."""

    def __init__(self, faults: Iterable[StreamerError]) -> None:
        self._faults = list(faults)
        self.calls = 0

    async def __call__(self) -> int:
        self.calls += 1
        if self._faults:
            raise self._faults.pop(0)
        return self.calls


class Setting:
    """A retry in a time of its own: waits move the clock, and the stop may come during the n-th."""

    def __init__(self, *, seed: int = 1, stop_in_wait: int | None = None, backoff: Backoff | None = None) -> None:
        self.stop = asyncio.Event()
        self.clock = ManualClock(0)
        self.waits: list[float] = []
        self.attempts: list[Attempt] = []
        self._stop_in_wait = stop_in_wait
        self.retry = Retry(self.stop, self.clock, Random(seed), backoff=backoff, wait=self._wait)

    async def _wait(self, stop: asyncio.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        self.clock.move(seconds)
        if len(self.waits) == self._stop_in_wait:
            stop.set()
        return stop.is_set()

    async def run(self, far: Far, within_seconds: float | None = None) -> int:
        return await self.retry.run(far, within_seconds=within_seconds, on_attempt=self.attempts.append)


async def test_what_works_at_once_is_called_once() -> None:
    setting, far = Setting(), Far([])
    assert (await setting.run(far), setting.waits) == (1, [])


async def test_what_may_work_later_is_called_until_it_does() -> None:
    setting, far = Setting(), Far([Unavailable("down")] * 5)
    assert (await setting.run(far), len(setting.waits)) == (6, 5)


async def test_what_is_refused_is_not_called_again() -> None:
    setting, far = Setting(), Far([Refused("never")])
    with pytest.raises(Refused):
        await setting.run(far)
    assert (far.calls, setting.waits) == (1, [])


async def test_a_bug_rises_at_once() -> None:
    setting = Setting()

    async def broken() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await setting.retry.run(broken)
    assert setting.waits == []


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), failures=st.integers(1, 40))
def test_each_wait_lies_between_nothing_and_the_doubled_ceiling(seed: int, failures: int) -> None:
    setting = Setting(seed=seed, backoff=Backoff(first_seconds=0.5, most_seconds=8.0))
    asyncio.run(setting.run(Far([Retryable("x")] * failures)))
    ceilings = [min(8.0, 0.5 * 2**n) for n in range(failures)]
    assert all(0.0 <= wait <= ceiling for wait, ceiling in zip(setting.waits, ceilings, strict=True))


async def test_two_that_failed_together_do_not_come_back_together() -> None:
    one, other = Setting(seed=1), Setting(seed=2)
    for setting in (one, other):
        await setting.run(Far([Throttled("slow down")] * 3))
    assert not set(one.waits) & set(other.waits)


async def test_the_same_seed_waits_the_same() -> None:
    one, other = Setting(seed=1), Setting(seed=1)
    for setting in (one, other):
        await setting.run(Far([Throttled("slow down")] * 3))
    assert one.waits == other.waits


async def test_no_attempt_comes_before_the_far_side_wants_it() -> None:
    setting = Setting()
    await setting.run(Far([Throttled("slow down", retry_after_seconds=7.0)] * 3))
    assert min(setting.waits) >= 7.0


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), within=st.floats(0.0, 100.0))
def test_no_attempt_starts_after_the_deadline(seed: int, within: float) -> None:
    setting = Setting(seed=seed)
    with pytest.raises(Unavailable):
        asyncio.run(setting.run(Far([Unavailable("down")] * 10_000), within))
    assert setting.clock.monotonic() <= within + 1e-9


async def test_a_wait_that_would_pass_the_deadline_is_not_begun() -> None:
    setting, far = Setting(), Far([Throttled("slow down", retry_after_seconds=10.0)])
    with pytest.raises(Throttled):
        await setting.run(far, within_seconds=9.0)
    assert (far.calls, setting.waits) == (1, [])


async def test_the_stop_ends_a_wait_and_the_last_error_rises() -> None:
    setting, far = Setting(stop_in_wait=2), Far([Unavailable("first"), Unavailable("second"), Unavailable("third")])
    with pytest.raises(Unavailable, match="second"):
        await setting.run(far)
    assert far.calls == 2


async def test_with_the_stop_set_one_attempt_is_made_and_nothing_is_waited_for() -> None:
    setting, far = Setting(), Far([Unavailable("down")])
    setting.stop.set()
    with pytest.raises(Unavailable):
        await setting.run(far)
    assert (far.calls, setting.waits) == (1, [])


async def test_each_attempt_is_told_and_whether_its_outcome_is_new() -> None:
    setting = Setting()
    await setting.run(Far([Unavailable("down"), Unavailable("down"), Throttled("down"), Throttled("more")]))
    told = [(a.number, None if a.error is None else str(a.error), a.is_new) for a in setting.attempts]
    assert told == [(1, "down", True), (2, "down", False), (3, "down", True), (4, "more", True), (5, None, True)]


async def test_a_first_attempt_that_works_is_nothing_new() -> None:
    setting = Setting()
    await setting.run(Far([]))
    assert setting.attempts == [Attempt(1, None, False, None)]


async def test_the_last_attempt_is_told_without_a_wait() -> None:
    setting = Setting()
    setting.stop.set()
    error = Unavailable("down")
    with pytest.raises(Unavailable):
        await setting.run(Far([error]))
    assert setting.attempts == [Attempt(1, error, True, None)]


async def test_an_hour_of_failures_is_waited_out() -> None:
    setting = Setting()

    async def down_for_an_hour() -> float:
        if setting.clock.monotonic() < 3600:
            raise Unavailable("down")
        return setting.clock.monotonic()

    assert 3600 <= await setting.retry.run(down_for_an_hour) <= 3630


async def test_a_wait_ends_with_its_time() -> None:
    assert not await stop_or_timeout(asyncio.Event(), 0.0)


async def test_a_wait_ends_with_the_stop() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    assert await stop_or_timeout(stop, 3600.0)


async def test_a_cancelled_wait_is_cancelled() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.0):
            await Retry(asyncio.Event(), ManualClock(0), Random(1)).run(Far([Retryable("x", 3600.0)]))
