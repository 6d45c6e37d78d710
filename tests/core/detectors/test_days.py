"""Whole days: what panes can't show of a feature that follows the clock."""

from collections.abc import Iterable
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.core.baseline.build import BuildOptions, Chunk, build
from streamer.core.detectors.days import day_of
from streamer.core.detectors.watch import Watch
from streamer.core.eventtime import as_datetime
from streamer.core.layout import Layout
from streamer.core.schema import Side
from streamer.core.types import Key
from tests.strategies import baseline, number

HOUR = 3_600_000
DAY = 24 * HOUR
# A midnight, of UTC.
START = 1_767_571_200_000
MONTH_SECONDS = 30 * 86_400
ROWS = 30
KEY = Key("e", "v", "")
NEW_YORK = "America/New_York"


@cache
def layout(time_zone: str = "UTC") -> Layout:
    """Of 28 days of the hour itself, and of a number that knows no hours."""
    at = START - 28 * DAY + np.arange(28 * 24 * ROWS) // ROWS * HOUR
    hours = [float(as_datetime(t).astimezone(ZoneInfo(time_zone)).hour) for t in at.tolist()]
    columns = {"hour": hours, "x": np.random.default_rng(0).normal(size=len(at)).tolist()}
    chunk = Chunk(columns=columns, rows=len(at), event_at=at.tolist())
    return Layout(build(lambda: [chunk], BuildOptions(time_zone=time_zone)))


def watch(time_zone: str = "UTC") -> Watch:
    return Watch(layout(time_zone), MONTH_SECONDS, 3_600)


def pane(at: int, rows: int, time_zone: str = "UTC") -> NDArray[np.int64]:
    """Counts of an hour's rows."""
    of, hour = layout(time_zone), as_datetime(at).astimezone(ZoneInfo(time_zone)).hour
    values = (np.full(rows, float(hour)), np.random.default_rng(at // HOUR).normal(size=rows))
    counts = np.zeros(of.size, np.int64)
    for cells, own in zip(of.features, values, strict=True):
        np.add.at(counts, cells.start + np.searchsorted(of.sides[Side.INPUT].edges[cells.number], own), 1)
    return counts


def fed(watched: Watch, hours: Iterable[int], rows: int = ROWS, time_zone: str = "UTC") -> list[int]:
    """Hours, counted from ``START``, at which the alarm is raised."""
    raised = []
    for hour in hours:
        watched.take(START + hour * HOUR, pane(START + hour * HOUR, rows, time_zone))
        if watched.level >= 1.0:
            raised.append(hour)
    return raised


def test_a_day_without_its_afternoon_is_told_by_its_hours_when_it_is_over_and_falls_again() -> None:
    watched = watch()
    assert fed(watched, range(3 * 24)) == []
    # Every hour that comes is as that hour always is: no pane shows anything.
    assert fed(watched, range(3 * 24, 3 * 24 + 12)) == []
    assert fed(watched, range(4 * 24, 4 * 24 + 1)) == [4 * 24]
    (finding,) = watched.findings(KEY, START + 4 * DAY, START + 4 * DAY + HOUR, 1.0)
    assert finding.feature == "hour"
    assert finding.live == pytest.approx((5.5 - 11.5) / np.arange(24).std(), rel=0.1)
    assert finding.since_at == START + 3 * DAY
    assert "sd over whole days against" in finding.words
    assert "between 2026-01-08T00:00:00Z and 2026-01-09T00:00:00Z" in finding.words
    # It can fall again.
    assert fed(watched, range(4 * 24 + 1, 5 * 24)) != []
    assert fed(watched, range(5 * 24, 9 * 24))[-1:] < [7 * 24]


def test_traffic_that_moves_into_the_night_is_told_though_every_hour_is_as_it_was() -> None:
    watched = watch()
    assert fed(watched, range(48)) == []
    # As many rows as any day.
    assert fed(watched, range(48, 56), rows=3 * ROWS) == []
    assert fed(watched, [3 * 24]) == [3 * 24]
    assert watched.guilty(1.0)[0].feature == 0


def test_a_first_day_that_began_before_anybody_looked_is_not_judged() -> None:
    watched = watch()
    assert fed(watched, range(18, 24)) == []
    assert fed(watched, range(24, 72)) == []
    assert watched.days is not None
    assert watched.days.bank.steps == 2


def test_days_without_traffic_go_by() -> None:
    watched = watch()
    fed(watched, range(48))
    # Half of a day, and nothing for a week: a version was replaced, perhaps.
    assert fed(watched, range(48, 60)) == []
    assert fed(watched, range(9 * 24, 12 * 24)) == []
    assert watched.days is not None
    assert watched.days.bank.steps == 11


def test_a_day_begins_at_midnight_where_the_baseline_tells_hours_and_its_length_is_that_days() -> None:
    # The 8th of March 2026 has 23 hours in New York: 1,489 hours after the 5th of January.
    spring = (1_772_946_000_000 - START) // HOUR
    assert day_of(START + spring * HOUR, ZoneInfo(NEW_YORK)) == day_of(START, ZoneInfo(NEW_YORK)) + 63
    watched = watch(NEW_YORK)
    assert fed(watched, range(spring - 48, spring + 72), time_zone=NEW_YORK) == []
    assert watched.days is not None
    steps = watched.days.bank.steps
    starts = [watched.days.start_of(steps - back, ZoneInfo(NEW_YORK)) for back in (3, 2, 1)]
    assert np.diff(starts).tolist() == [23 * HOUR, DAY]


def test_a_baseline_of_no_time_and_features_without_hours_have_no_days() -> None:
    assert Watch(Layout(baseline(number("x"))), MONTH_SECONDS, 3_600).days is None
    watched = watch()
    assert watched.days is not None
    assert set(watched.days.bank.alternatives.feature.tolist()) == {0}


@pytest.mark.parametrize(("part", "follows"), [(0.3, False), (0.7, True)])
def test_a_feature_follows_the_clock_where_the_hour_explains_most_of_it_whatever_hours_have_no_traffic(
    part: float, follows: bool
) -> None:
    rng = np.random.default_rng(0)
    # From 8 to 18 o'clock.
    open_at = [START - day * DAY + hour * HOUR for day in range(28, 0, -1) for hour in range(8, 18)]
    at = np.repeat(open_at, ROWS)
    cycle = ((at // HOUR % 24) - 12.5) / np.arange(10).std()
    values = np.sqrt(part) * cycle + np.sqrt(1 - part) * rng.normal(size=len(at))
    chunk = Chunk(columns={"x": values.tolist()}, rows=len(at), event_at=at.tolist())
    found = Layout(build(lambda: [chunk], BuildOptions()))
    assert (Watch(found, MONTH_SECONDS, 3_600).days is not None) is follows


def test_panes_that_do_not_fill_a_day_evenly_are_not_judged_by_it() -> None:
    whole, uneven = Watch(layout(), MONTH_SECONDS, 12 * 3_600), Watch(layout(), MONTH_SECONDS, 16 * 3_600)
    assert whole.days is not None
    assert uneven.days is None


def test_a_pane_belongs_to_the_day_of_its_middle() -> None:
    # In India midnight is at half past an hour of UTC's.
    kolkata = ZoneInfo("Asia/Kolkata")
    watched = watch("Asia/Kolkata")
    assert watched.days is not None
    watched.take(START + 18 * HOUR, pane(START + 18 * HOUR, ROWS, "Asia/Kolkata"))
    assert watched.days.day == day_of(START + 18 * HOUR, kolkata) + 1


def test_keys_that_share_the_threshold_share_that_of_days() -> None:
    watched = watch()
    watched.share(3)
    fed(watched, range(3 * 24 + 12))
    fed(watched, [4 * 24])
    # Held at twice what raises the alarm of three.
    assert watched.days is not None
    assert watched.days.bank.values[0].max() == 6.0


def test_all_of_a_watchs_evidence_is_one_budget() -> None:
    watched = watch()
    assert watched.days is not None
    # What a change may begin with at each pane, of panes and of a day's panes together.
    begin = watched.bank._begin.sum() + watched.days.bank._begin.sum() / 24
    assert begin * 720 == pytest.approx(1.0)


@given(st.lists(st.integers(0, 90), min_size=1, max_size=60), st.integers(0, 60))
@settings(max_examples=30, deadline=None)
def test_restored_anywhere_it_goes_on_as_if_never_stopped(rows: list[int], stop: int) -> None:
    straight, broken = watch(), watch()
    for i, n in enumerate(rows):
        fed(straight, [i], n)
        if i == stop:
            state, arrays = broken.to_state()
            broken = watch()
            broken.restore(state, arrays)
            assert not broken.restarted
        fed(broken, [i], n)
    (one, of_one), (two, of_two) = straight.to_state(), broken.to_state()
    assert one == two
    assert all(np.array_equal(of_one[name], of_two[name]) for name in of_one)
    assert straight.guilty(0.1) == broken.guilty(0.1)
