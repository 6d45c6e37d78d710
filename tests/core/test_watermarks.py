import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.watermarks import BEGINNING, Watermarks, WatermarkState

NOW = 10_000_000


def times(*at: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(at, np.int64)


def test_a_shards_watermark_is_its_greatest_event_time_less_the_out_of_orderness() -> None:
    lateness = Watermarks(5, 30).observe("a", times(10_000, 20_000, 12_000))
    assert lateness.watermark_at.tolist() == [5_000, 15_000, 15_000]
    assert lateness.greatest_at.tolist() == [10_000, 20_000, 20_000]


def test_a_record_without_a_time_moves_nothing() -> None:
    marks = Watermarks(5, 30)
    assert marks.observe("a", times(0, 10_000, 0)).greatest_at.tolist() == [BEGINNING, 10_000, 10_000]


def test_the_slowest_shard_holds_the_others() -> None:
    marks = Watermarks(0, 30)
    marks.observe("a", times(50_000))
    marks.observe("b", times(20_000))
    assert marks.advance(NOW) == 20_000


def test_a_shard_that_was_begun_holds_every_pane_until_its_first_record() -> None:
    marks = Watermarks(0, 30)
    marks.begin("b")
    marks.observe("a", times(50_000))
    assert marks.advance(NOW) == BEGINNING


def test_a_shard_empty_at_the_tip_stops_holding_after_the_idle_time_and_not_before() -> None:
    marks = Watermarks(0, 30)
    marks.observe("a", times(20_000))
    marks.observe("b", times(50_000))
    marks.empty("a", NOW)
    assert marks.advance(NOW + 29_999) == 20_000
    assert marks.advance(NOW + 30_000) == 50_000


def test_an_idle_shards_records_behind_the_others_are_late() -> None:
    marks = Watermarks(0, 30)
    marks.observe("a", times(20_000))
    marks.observe("b", times(50_000))
    marks.empty("a", NOW)
    marks.advance(NOW + 30_000)
    assert marks.observe("a", times(30_000)).watermark_at.tolist() == [50_000]


def test_when_all_are_idle_time_goes_on_at_the_pace_of_the_wall_clock() -> None:
    marks = Watermarks(0, 30)
    marks.observe("a", times(20_000))
    marks.empty("a", NOW)
    assert marks.advance(NOW + 30_000) == 20_000
    assert marks.advance(NOW + 31_500) == 21_500


def test_when_all_are_idle_time_never_passes_the_wall_clock() -> None:
    marks = Watermarks(5, 1)
    marks.observe("a", times(NOW))
    marks.empty("a", NOW)
    marks.advance(NOW + 1_000)
    assert marks.advance(NOW + 90_000) == NOW + 84_000


def test_when_a_shards_clock_runs_ahead_idle_time_waits_for_the_wall_clock() -> None:
    marks = Watermarks(5, 1)
    marks.observe("a", times(NOW + 60_000))
    marks.empty("a", NOW)
    ahead = marks.advance(NOW)
    assert marks.advance(NOW + 50_000) == ahead
    assert marks.advance(NOW + 70_000) == NOW + 65_000


def test_shards_that_ended_hold_nothing() -> None:
    marks = Watermarks(0, 30)
    marks.observe("a", times(20_000))
    marks.observe("b", times(50_000))
    marks.end("a")
    assert marks.advance(NOW) == 50_000
    marks.end("b")
    assert marks.advance(NOW) == 50_000


def test_a_shard_goes_on_from_the_least_of_the_shards_it_continues() -> None:
    marks = Watermarks(5, 30)
    marks.observe("a", times(20_000))
    marks.observe("b", times(50_000))
    marks.end("a")
    marks.end("b")
    marks.begin("child", ["a", "b", "unknown"])
    assert marks.observe("child", times(10_000)).watermark_at.tolist() == [15_000]


def test_without_a_record_nothing_may_close() -> None:
    assert Watermarks(0, 30).advance(NOW) == BEGINNING


steps = st.lists(
    st.one_of(
        st.tuples(st.just("see"), st.sampled_from("abc"), st.integers(1, 10**6)),
        st.tuples(st.just("empty"), st.sampled_from("abc"), st.just(0)),
        st.tuples(st.just("end"), st.sampled_from("abc"), st.just(0)),
        st.tuples(st.just("wait"), st.just(""), st.integers(0, 60_000)),
    )
)


def play(marks: Watermarks, played: list[tuple[str, str, int]], now: int) -> tuple[list[int], int]:
    found = []
    for verb, shard, value in played:
        if verb == "see":
            marks.observe(shard, times(value))
        elif verb == "empty":
            marks.empty(shard, now)
        elif verb == "end":
            marks.end(shard)
        else:
            now += value
        found.append(marks.advance(now))
    return found, now


@given(steps)
def test_the_watermark_never_goes_back(played: list[tuple[str, str, int]]) -> None:
    found, _ = play(Watermarks(5, 30), played, NOW)
    assert found == sorted(found)


@given(steps, steps)
def test_restored_it_goes_on_as_if_never_stopped(
    before: list[tuple[str, str, int]], after: list[tuple[str, str, int]]
) -> None:
    never, stopped, restored = Watermarks(5, 30), Watermarks(5, 30), Watermarks(5, 30)
    _, now = play(never, before, NOW)
    play(stopped, before, NOW)
    state = msgspec.json.decode(msgspec.json.encode(stopped.to_state()), type=WatermarkState)
    restored.restore(state)
    assert play(restored, after, now) == play(never, after, now)
