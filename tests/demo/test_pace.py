"""The demo's pace: event time let through as the clock allows."""

import pytest

from streamer.demo.pace import Pace
from streamer.testing.memory import ManualClock

HOUR_MS = 3_600_000
START = 1_359_712_800_000


def test_the_first_captures_are_due_at_once() -> None:
    assert Pace(3_600.0, ManualClock(0)).ahead_seconds(START) == 0


def test_later_captures_wait_for_the_clock() -> None:
    clock = ManualClock(0)
    pace = Pace(3_600.0, clock)
    pace.ahead_seconds(START)
    clock.move(0.5)
    assert pace.ahead_seconds(START + 2 * HOUR_MS) == pytest.approx(1.5)


def test_captures_the_clock_has_passed_are_due() -> None:
    clock = ManualClock(0)
    pace = Pace(3_600.0, clock)
    pace.ahead_seconds(START)
    clock.move(5)
    assert pace.ahead_seconds(START + 2 * HOUR_MS) == 0


def test_without_a_pace_nothing_waits() -> None:
    pace = Pace(0.0, ManualClock(0))
    pace.ahead_seconds(START)
    pace.note_put(10_000)
    assert pace.ahead_seconds(START + 2 * HOUR_MS) == 0


def test_who_has_fallen_behind_puts_no_more_records_than_the_stream_takes() -> None:
    clock = ManualClock(0)
    pace = Pace(3_600.0, clock, records_per_second=1_000.0)
    pace.ahead_seconds(START)
    clock.move(60)
    pace.note_put(500)
    assert pace.ahead_seconds(START + HOUR_MS) == pytest.approx(0.5)
