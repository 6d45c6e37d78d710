"""What every clock promises: the fake and the system's."""

import pytest

from streamer.adapters.clock import SystemClock
from streamer.ports import Clock
from streamer.testing.memory import ManualClock
from tests.strategies import START


@pytest.fixture(params=["system", "manual"])
def clock(request: pytest.FixtureRequest) -> Clock:
    return SystemClock() if request.param == "system" else ManualClock(START)


def test_time_is_told_in_milliseconds_since_the_epoch(clock: Clock) -> None:
    assert START // 10 < clock.now() < START * 10


def test_durations_never_run_backwards(clock: Clock) -> None:
    assert clock.monotonic() <= clock.monotonic()


def test_a_clock_moved_by_hand_moves_both_its_times() -> None:
    clock = ManualClock(START)
    clock.move(2.5)
    assert (clock.now(), clock.monotonic()) == (START + 2_500, 2.5)


def test_a_clock_moved_by_hand_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="back"):
        ManualClock(START).move(-1)
