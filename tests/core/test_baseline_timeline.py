from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.baseline.survey import Survey
from streamer.core.baseline.timeline import calendar_of, steps_of, timeline_of, zone_of
from streamer.core.errors import BaselineError
from streamer.core.eventtime import EARLIEST_AT, LATEST_AT
from tests.strategies import START

DAY = 86_400


def timed(seconds: float, first_at: int = START, *, rows: int = 100, untimed: int = 0) -> Survey:
    survey = Survey()
    survey.rows, survey.timed = rows, rows - untimed
    survey.first_at, survey.last_at = first_at, first_at + round(seconds * 1000)
    return survey


@pytest.mark.parametrize(
    ("span", "seconds"),
    [(30 * DAY, 3_600), (2 * DAY, 3_600), (2 * DAY - 1, 600), (28_800, 600), (28_799, 60), (480, 10), (479, 1), (0, 1)],
)
def test_steps_are_hours_or_the_longest_that_gives_48(span: int, seconds: int) -> None:
    assert steps_of(timed(span), 30, None).seconds == seconds


def test_a_step_the_user_wishes_is_taken() -> None:
    assert steps_of(timed(30 * DAY), 30, 900).seconds == 900


def test_steps_are_doubled_until_their_counts_fit() -> None:
    steps = steps_of(timed(30 * DAY), 100_000, None)
    assert steps.seconds == 3_600 * 4
    assert steps.length * 100_000 <= 25_000_000


@given(st.integers(EARLIEST_AT, LATEST_AT - 1), st.integers(0, 10 * DAY * 1000), st.data())
def test_every_time_between_the_first_and_the_last_is_in_a_step(first_at: int, span: int, data: st.DataObject) -> None:
    last_at = min(first_at + span, LATEST_AT - 1)
    steps = steps_of(timed((last_at - first_at) / 1000, first_at), 10, None)
    at = data.draw(st.integers(first_at, last_at))
    step = int(steps.of(np.array([at]))[0])
    assert 0 <= step < steps.length
    assert (steps.first + step) * steps.seconds * 1000 <= at < (steps.first + step + 1) * steps.seconds * 1000
    assert steps.of(np.array([first_at, last_at])).tolist() == [0, steps.length - 1]


def test_times_outside_are_in_no_step() -> None:
    steps = steps_of(timed(DAY), 10, None)
    outside = [-1, START - 10 * DAY * 1000, START + 10 * DAY * 1000, 0, LATEST_AT]
    assert steps.of(np.array(outside)).tolist() == [-1] * 5


def test_one_untimed_row_in_a_hundred_is_let_pass() -> None:
    assert steps_of(timed(DAY, untimed=1), 10, None).length


def test_more_untimed_rows_are_a_mistake() -> None:
    with pytest.raises(BaselineError, match="2 of 100 rows have no readable time"):
        steps_of(timed(DAY, untimed=2), 10, None)


def test_volume_is_that_of_the_last_four_weeks() -> None:
    steps = steps_of(timed(60 * DAY), 10, None)
    rows = np.arange(steps.length)
    timeline = timeline_of(steps, "t", "UTC", rows)
    assert (timeline.column, timeline.steps, timeline.step_seconds) == ("t", steps.length, 3_600)
    assert timeline.volume == tuple(rows[-672:].tolist())
    assert timeline.volume_start_at == START + (steps.length - 672) * 3_600_000


def test_a_short_time_has_its_whole_volume() -> None:
    steps = steps_of(timed(DAY), 10, None)
    assert len(timeline_of(steps, "t", "UTC", np.zeros(steps.length, np.int64)).volume) == steps.length == 145


def test_local_hours_follow_the_clock() -> None:
    # From Saturday 7 March 2026, 00:00 in New York, to Monday night: clocks go on on Sunday at 02:00.
    steps = steps_of(timed(71 * 3_600 - 1, 1_772_859_600_000), 10, 3_600)
    calendar = calendar_of(steps, zone_of("America/New_York"))
    assert calendar is not None
    assert calendar.days == 3
    assert calendar.hour.tolist() == [*range(24), 0, 1, *range(3, 24), *range(24)]
    assert np.bincount(calendar.day).tolist() == [24, 23, 24]


def test_days_that_are_cut_off_are_left_out() -> None:
    # START is 09:00, so two days are cut off.
    calendar = calendar_of(steps_of(timed(4 * DAY), 10, None), zone_of("UTC"))
    assert calendar is not None
    assert calendar.days == 3
    assert [int(day) for day, after in pairwise(calendar.day) if day != after] == [-1, 0, 1, 2]
    assert calendar.day[0] == calendar.day[-1] == -1


@pytest.mark.parametrize(("days", "step"), [(3, 3_600), (30, 7_200)])
def test_too_few_days_or_too_long_steps_have_no_hours(days: int, step: int) -> None:
    assert calendar_of(steps_of(timed(days * DAY), 10, step), zone_of("UTC")) is None


@pytest.mark.parametrize("name", ["Europe/Pari", "", "../etc/passwd", "\0"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(BaselineError, match="no time zone"):
        zone_of(name)
