"""Traffic of more or fewer rows than the baseline had in the same time."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.core.baseline.build import BuildOptions, Chunk, build
from streamer.core.detectors.density import Density
from streamer.core.detectors.watch import Watch
from streamer.core.layout import Layout
from streamer.core.schema import Side
from tests.strategies import baseline, number

HOUR = 3_600_000
DAY = 24 * HOUR
# A midnight, of UTC.
START = 1_767_571_200_000
MONTH_SECONDS = 30 * 86_400
ROWS = 20


def shocks(days: int, seed: int) -> NDArray[np.float64]:
    """Of the mean, that all rows of a day share; shape (hours,)."""
    return 0.4 * np.random.default_rng(seed).normal(size=days).repeat(24)


def known() -> Layout:
    """Of 28 days of a number, 20 rows an hour."""
    at = START - 28 * DAY + np.arange(28 * 24 * ROWS) // ROWS * HOUR
    values = np.random.default_rng(0).normal(size=len(at)) + shocks(28, 1).repeat(ROWS)
    chunk = Chunk(columns={"x": values.tolist()}, rows=len(at), event_at=at.tolist())
    return Layout(build(lambda: [chunk], BuildOptions()))


LAYOUT = known()


def pane(rows: int, mean: float, seed: int) -> NDArray[np.int64]:
    (cells,) = LAYOUT.features
    counts = np.zeros(LAYOUT.size, np.int64)
    values = np.random.default_rng(seed).normal(mean, size=rows)
    np.add.at(counts, cells.start + np.searchsorted(LAYOUT.sides[Side.INPUT].edges[0], values), 1)
    return counts


def alarms(watched: Watch, hours: Iterable[int], rows: int, mean: NDArray[np.float64]) -> list[int]:
    raised = []
    for hour in hours:
        watched.take(START + hour * HOUR, pane(rows, float(mean[hour]), hour))
        if watched.level >= 1.0:
            raised.append(hour)
    return raised


@pytest.mark.parametrize("times", [1, 50])
def test_the_usual_weather_of_many_times_the_rows_is_no_alarm(times: int) -> None:
    assert alarms(Watch(LAYOUT, MONTH_SECONDS, 3_600), range(28 * 24), times * ROWS, shocks(28, 2)) == []


def test_what_is_unusual_is_told_in_more_rows_and_in_fewer() -> None:
    for rows in (1_000, 2):
        watched = Watch(LAYOUT, MONTH_SECONDS, 3_600)
        assert alarms(watched, range(48), rows, np.zeros(48)) == []
        assert alarms(watched, range(48, 6 * 24), rows, np.full(6 * 24, 3.0)) != []


def test_more_rows_are_believed_at_once_and_fewer_after_a_day() -> None:
    more, fewer = Density(LAYOUT.baseline, 600), Density(LAYOUT.baseline, 3_600)
    assert more.take(START, 40 * ROWS // 6)
    assert more.assumed == pytest.approx(40.0, rel=0.1)
    changed = [hour for hour in range(26) if fewer.take(START + hour * HOUR, ROWS // 10)]
    assert changed == [24]
    assert fewer.assumed == pytest.approx(0.1, rel=0.1)


def test_growth_is_followed_in_hours_and_a_weekend_is_sat_out() -> None:
    grown, resting = (Density(LAYOUT.baseline, 3_600) for _ in range(2))
    week = range(7 * 24)
    assert not any(d.take(START + hour * HOUR, ROWS) for hour in week for d in (grown, resting))
    assert not any(resting.take(START + hour * HOUR, ROWS // 3) for hour in range(7 * 24, 9 * 24))
    first = next(hour for hour in range(7 * 24, 9 * 24) if grown.take(START + hour * HOUR, 10 * ROWS))
    assert first <= 7 * 24 + 3


def test_the_first_pane_is_weighed_by_its_own_rows() -> None:
    # A day of one sd more, which is usual: seen in 100,000 rows of a first minute.
    for seed in range(5):
        watched = Watch(LAYOUT, MONTH_SECONDS, 60)
        watched.take(START, pane(100_000, 0.8, seed))
        assert watched.level < 1.0


def test_hours_without_a_row_say_nothing_and_panes_of_a_step_are_counted_together() -> None:
    density = Density(LAYOUT.baseline, 600)
    for day in range(3):
        for piece in range(6 * 8):
            density.take(START + day * DAY + piece * 600_000, 60 * ROWS // 6)
    assert density.assumed == pytest.approx(60.0, rel=0.1)


def test_a_pane_of_many_steps_is_as_many() -> None:
    density = Density(LAYOUT.baseline, 6 * 3_600)
    for piece in range(8):
        density.take(START + piece * 6 * HOUR, 6 * 3 * ROWS)
    assert density.assumed == pytest.approx(3.0, rel=0.1)


def test_of_a_baseline_whose_blocks_are_not_known_nothing_is_assumed() -> None:
    density = Density(baseline(number("x")), 3_600)
    assert not any(density.take(START + day * DAY, 10**6) for day in range(9))


def test_evidence_stays_when_rows_weigh_less() -> None:
    watched = Watch(LAYOUT, MONTH_SECONDS, 3_600)
    alarms(watched, range(30), ROWS, np.full(30, 0.5))
    before = watched.bank.values.copy()
    digest = watched.bank.alternatives.digest
    watched.take(START + 30 * HOUR, np.zeros(LAYOUT.size, np.int64))
    assert np.array_equal(watched.bank.values, before)
    watched.take(START + 31 * HOUR, pane(40 * ROWS, 0.0, 1))
    watched.take(START + 32 * HOUR, pane(0, 0.0, 1))
    watched.take(START + 33 * HOUR, pane(40 * ROWS, 0.0, 1))
    assert watched.bank.alternatives.digest != digest
    assert (
        watched.bank.alternatives.direction == Watch(LAYOUT, MONTH_SECONDS, 3_600).bank.alternatives.direction
    ).all()


@given(st.lists(st.sampled_from([0, 1, 20, 300, 4_000]), min_size=1, max_size=60), st.integers(0, 60))
@settings(max_examples=20, deadline=None)
def test_restored_anywhere_it_goes_on_as_if_never_stopped(rows: list[int], stop: int) -> None:
    straight, broken = (Watch(LAYOUT, MONTH_SECONDS, 3_600) for _ in range(2))
    for i, n in enumerate(rows):
        straight.take(START + i * HOUR, pane(n, 0.2, i))
        if i == stop:
            state, arrays = broken.to_state()
            broken = Watch(LAYOUT, MONTH_SECONDS, 3_600)
            broken.restore(state, arrays)
            assert not broken.restarted
        broken.take(START + i * HOUR, pane(n, 0.2, i))
    assert straight.to_state()[0] == broken.to_state()[0]
    assert np.array_equal(straight.bank.values, broken.bank.values)
    assert straight.bank.alternatives.digest == broken.bank.alternatives.digest
