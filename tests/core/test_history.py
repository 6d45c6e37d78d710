import math

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.baseline.model import Timeline
from streamer.core.eventtime import parse_time
from streamer.core.rules.history import VolumeHistory, VolumeState
from streamer.core.rules.silence import silence
from streamer.core.rules.volume import volume
from streamer.core.settings import Rules, Spans
from streamer.core.types import Key, State
from tests.strategies import START

DAY = 86_400_000
FIVE = 300_000
MINUTES = Spans(pane=10, window=300)
DAYS = Spans(pane=3600, window=86_400, offset=9 * 3600)
KEY = Key("e", "v", "")


def filled(history: VolumeHistory, start_at: int, rows: list[int], step: int) -> VolumeHistory:
    for i, n in enumerate(rows):
        history.add(start_at + i * step, n, arrived=n > 0)
    return history


def test_nothing_is_expected_before_two_weeks_are_known() -> None:
    history = filled(VolumeHistory(DAYS, "UTC"), START, [100] * 14, DAY)
    assert VolumeHistory(DAYS, "UTC").expected(START) is None
    assert history.expected(START + 13 * DAY) is None
    expected = history.expected(START + 14 * DAY)
    assert expected is not None
    assert (expected.rows, expected.weeks) == (100.0, 2)


def test_the_median_of_four_weeks_is_expected_so_one_broken_week_is_forgotten() -> None:
    history = VolumeHistory(DAYS, "UTC")
    for week, rows in enumerate([90, 100, 0, 104, 102]):
        filled(history, START + week * 7 * DAY, [rows, 50, 50, 50, 50, 50, 50], DAY)
    expected = history.expected(START + 5 * 7 * DAY)
    assert expected is not None
    assert (expected.rows, expected.weeks) == (101.0, 4)


def poisson(
    rng: np.random.Generator, weeks: int, by_hour: list[float], spans: Spans, scatter: float = 0.0
) -> VolumeHistory:
    """Weeks of hours whose records come by chance, each hour's rate off by its own factor."""
    history = VolumeHistory(spans, "UTC")
    per = 3_600 // min(spans.window, 3_600)
    for hour in range(weeks * 168):
        rate = by_hour[hour % 24] * math.exp(scatter * rng.standard_normal()) / per
        filled(history, START + hour * 3_600_000, rng.poisson(rate, per).tolist(), 3_600_000 // per)
    return history


def test_records_that_come_by_chance_have_dispersion_one_whatever_the_hour() -> None:
    hours = Spans(pane=60, window=3_600)
    history = poisson(np.random.default_rng(1), 4, [120.0] * 15 + [4.0] * 9, hours)
    expected = history.expected(START + 28 * DAY)
    assert expected is not None
    assert 0.7 < expected.dispersion < 1.4


def test_hours_that_are_always_empty_do_not_make_the_others_seem_calmer() -> None:
    hours = Spans(pane=60, window=3_600)
    history = poisson(np.random.default_rng(2), 4, [1000.0] * 15 + [0.0] * 9, hours, scatter=0.05)
    expected = history.expected(START + 28 * DAY)
    assert expected is not None
    assert expected.dispersion > 2.0


def test_stationary_traffic_raises_nothing_in_months() -> None:
    rules = Rules()
    for spans, by_hour in (
        (Spans(pane=60, window=3_600), [120.0] * 15 + [4.0] * 9),
        (MINUTES, [1500.0] * 15 + [60.0] * 9),
    ):
        rng = np.random.default_rng(3)
        history = poisson(rng, 2, by_hour, spans)
        per = 3_600 // min(spans.window, 3_600)
        for hour in range(4 * 168):
            for n in range(per):
                at = START + 14 * DAY + hour * 3_600_000 + n * spans.window * 1000
                rows = int(rng.poisson(by_hour[hour % 24] / per))
                past = history.expected(at)
                assert past is not None
                history.add(at, rows, arrived=rows > 0)
                found = volume(KEY, rules, at, at + 1, rows, past)
                assert found is None or found.state is not State.BROKEN
                lately = history.expected_lately()
                if lately is not None:
                    found = volume(KEY, rules, at, at + 1, *lately)
                    assert found is None or found.state is not State.BROKEN


def test_traffic_that_is_halved_is_proven_by_an_hour_where_a_window_can_not() -> None:
    rng = np.random.default_rng(4)
    history = poisson(rng, 3, [480.0] * 24, MINUTES)
    told_alone, told_together = 0, 0
    for n in range(24):
        at = START + 21 * DAY + n * FIVE
        rows = int(rng.poisson(20))
        past = history.expected(at)
        assert past is not None
        history.add(at, rows, arrived=True)
        alone = volume(KEY, Rules(), at, at + FIVE, rows, past)
        told_alone += alone is not None and alone.state is State.BROKEN
        lately = history.expected_lately()
        assert lately is not None
        together = volume(KEY, Rules(), at, at + FIVE, *lately)
        told_together += together is not None and together.state is State.BROKEN
    assert told_alone == 0
    assert told_together >= 12


def test_five_minute_windows_are_held_against_the_same_hour_of_the_week() -> None:
    history = VolumeHistory(MINUTES, "UTC")
    for week in range(2):
        for hour in range(24):
            filled(history, START + week * 7 * DAY + hour * 12 * FIVE, [10 * hour] * 12, FIVE)
    expected = history.expected(START + 14 * DAY + 5 * 12 * FIVE + FIVE)
    assert expected is not None
    assert expected.rows == 50.0


def test_single_windows_that_scatter_within_their_hour_widen_their_dispersion() -> None:
    history = VolumeHistory(MINUTES, "UTC")
    for week in range(4):
        filled(history, START + week * 7 * DAY, [50, 150] * 144, FIVE)
    expected = history.expected(START + 28 * DAY)
    assert expected is not None
    assert expected.dispersion > 20.0


def test_the_hour_of_the_week_is_local_time_across_the_change_of_clocks() -> None:
    history = VolumeHistory(Spans(pane=60, window=3600), "America/New_York")
    noon = parse_time("2013-02-27T12:00:00-05:00")
    for week in range(2):
        history.add(noon + week * 7 * DAY, 500, arrived=True)
    after = parse_time("2013-03-13T12:00:00-04:00")
    expected = history.expected(after)
    assert expected is not None
    assert expected.rows == 500.0


def test_a_service_day_keeps_its_weekday_when_the_clocks_change() -> None:
    history = VolumeHistory(DAYS, "America/New_York")
    first = parse_time("2013-02-25T09:00:00Z")
    filled(history, first, [100, 1, 1, 1, 1, 1, 1] * 2, DAY)
    expected = history.expected(first + 14 * DAY)
    assert expected is not None
    assert expected.rows == 100.0


def timeline(step: int, volume: tuple[int, ...], start_at: int = START) -> Timeline:
    return Timeline(
        column="t",
        start_at=start_at,
        end_at=start_at + len(volume) * step * 1000,
        step_seconds=step,
        steps=len(volume),
        time_zone="UTC",
        volume_start_at=start_at,
        volume=volume,
    )


def test_a_baselines_hours_become_whole_windows_of_days() -> None:
    history = VolumeHistory(DAYS, "UTC")
    history.seed(timeline(3600, (10,) * 24 * 15))
    expected = history.expected(START + 14 * DAY)
    assert expected is not None
    assert (expected.rows, expected.weeks) == (240.0, 2)


def test_a_baselines_hours_are_shared_by_the_windows_in_them() -> None:
    history = VolumeHistory(MINUTES, "UTC")
    history.seed(timeline(3600, (12_000,) * 24 * 14))
    expected = history.expected(START + 14 * DAY + FIVE)
    assert expected is not None
    assert expected.rows == 1000.0


def test_a_baseline_of_long_steps_says_nothing_of_hours() -> None:
    history = VolumeHistory(MINUTES, "UTC")
    history.seed(timeline(7200, (12_000,) * 12 * 14))
    assert history.expected(START + 14 * DAY) is None


def told(rows: list[int]) -> State | None:
    history = filled(VolumeHistory(MINUTES, "UTC"), START, rows, FIVE)
    found = silence(KEY, Rules(), FIVE, START + len(rows) * FIVE, history)
    return None if found is None else found.state


def test_silence_after_steady_traffic_is_broken_after_three_windows_and_not_before() -> None:
    assert told([100] * 288 + [0] * 2) is None
    assert told([100] * 288 + [0] * 3) is State.BROKEN


def test_silence_after_little_traffic_is_no_evidence_yet() -> None:
    assert told([100] * 5 + [0] * 3) is State.NOT_ENOUGH


def test_an_endpoint_that_is_called_once_an_hour_may_be_silent_for_most_of_it() -> None:
    hourly = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 600] * 24
    assert told(hourly + [0] * 11) is None
    assert told(hourly + [0] * 20) is State.NOT_ENOUGH


def test_silence_ends_with_the_next_record_even_if_it_can_not_be_read() -> None:
    history = filled(VolumeHistory(MINUTES, "UTC"), START, [100] * 288 + [0] * 3, FIVE)
    history.add(START + 291 * FIVE, 0, arrived=True)
    assert history.empty_run == 0
    assert history.longest_gap == 3


def test_silence_since_is_the_first_empty_window() -> None:
    history = filled(VolumeHistory(MINUTES, "UTC"), START, [100] * 288 + [0] * 4, FIVE)
    found = silence(KEY, Rules(), FIVE, START + 292 * FIVE, history)
    assert found is not None
    assert (found.since_at, found.size) == (START + 288 * FIVE, 4.0)


def test_hours_that_were_empty_in_the_past_weeks_are_no_silence() -> None:
    history = VolumeHistory(MINUTES, "UTC")
    for week in range(3):
        filled(history, START + week * 7 * DAY, [100] * 144 + [0] * 144 + [100], FIVE)
    filled(history, START + 21 * DAY, [100] * 144 + [0] * 144, FIVE)
    assert history.empty_run == 0


@given(st.lists(st.integers(0, 50), max_size=60), st.lists(st.integers(0, 50), max_size=60))
def test_restored_it_goes_on_as_if_never_stopped(before: list[int], after: list[int]) -> None:
    spans = Spans(pane=10, window=1800)
    never = filled(VolumeHistory(spans, "UTC"), START, before + after, 7 * DAY // 2)
    stopped = filled(VolumeHistory(spans, "UTC"), START, before, 7 * DAY // 2)
    state = msgspec.json.decode(msgspec.json.encode(stopped.to_state()), type=VolumeState)
    restored = VolumeHistory.from_state(state, spans, "UTC")
    filled(restored, START + len(before) * (7 * DAY // 2), after, 7 * DAY // 2)
    at = START + (len(before) + len(after)) * (7 * DAY // 2)
    assert restored.to_state() == never.to_state()
    assert restored.expected(at) == never.expected(at)
