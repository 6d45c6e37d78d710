from collections.abc import Iterable

import numpy as np

from streamer.core.columns import Columns
from streamer.core.layout import Layout
from streamer.core.panes import Part
from streamer.core.profile import Profile, profile_of
from streamer.core.rawrows import RawRow, packed
from streamer.core.schema import Side
from streamer.core.settings import EndpointSettings, Limits, Spans
from streamer.core.track import Track
from streamer.core.types import Key
from tests.strategies import START, baseline, number

BASELINE = baseline(number("x"))
LAYOUT = Layout(BASELINE)
KEY = Key("e", "V", "")
SPANS = Spans(pane=10, window=60, lateness=60)


def seconds(*at: int) -> list[int]:
    return [START + 1000 * t for t in at]


def profile(n: int) -> Profile:
    rows = Columns(np.ones((1, n)), None, np.empty((0, n), np.int32), np.arange(n))
    return profile_of(LAYOUT, {Side.INPUT: rows})


def part(at: int, *, late: bool = False, rows: int = 1) -> Part:
    return Part(START + 1000 * at, late, 1, rows, 0, profile(rows), [])


def raw_part(at: int, identities: Iterable[int]) -> Part:
    raw = [RawRow(i, 0, START + 1000 * at, packed([("x", float(i))])) for i in identities]
    return Part(START + 1000 * at, False, len(raw), len(raw), 0, None, raw)


def track(*, learned: bool = False, burn_in_rows: int = 2_000) -> Track:
    settings = EndpointSettings(name="e", spans=SPANS, burn_in_rows=burn_in_rows)
    return Track(KEY, settings, Limits(), None if learned else BASELINE)


def closed(of: Track, until: int) -> list[tuple[int, int]]:
    """Start (seconds) and records of every window closed in order."""
    found = []
    of.close_panes(START + 1000 * until)
    while (end_at := of.next_close_at()) is not None and end_at <= START + 1000 * until:
        window = of.due(end_at)
        if window is not None:
            found.append(((window.counts.start_at - START) // 1000, window.counts.records))
    return found


def test_a_pane_closes_when_the_watermark_reaches_its_end() -> None:
    t = track()
    t.add([part(0), part(0), part(10)])
    t.close_panes(START + 9_999)
    assert sorted(t.panes) == seconds(0, 10)
    t.close_panes(START + 10_000)
    assert sorted(t.panes) == seconds(10)
    assert t.window_of(START).counts.records == 2


def test_windows_close_in_order_and_empty_ones_too() -> None:
    t = track()
    t.add([part(5), part(130), part(200)])
    assert closed(t, 60) == [(0, 1)]
    assert closed(t, 199) == [(60, 0), (120, 1)]
    assert t.empty_windows() == 0
    assert closed(t, 400) == [(180, 1), (240, 0), (300, 0)]
    assert t.empty_windows() == 2


def test_before_its_first_record_it_has_no_window_to_close() -> None:
    t = track()
    assert t.next_close_at() is None
    assert t.due(START) is None
    assert t.empty_windows() == 0
    t.add([part(70)])
    assert t.next_close_at() == START + 120_000


def test_a_window_is_closed_at_its_own_end_only() -> None:
    t = track()
    t.add([part(5)])
    t.close_panes(START + 60_000)
    assert t.due(START + 120_000) is None
    assert t.due(START + 60_000) is not None


def test_asleep_it_closes_nothing_and_says_how_many_windows_it_skipped() -> None:
    t = track()
    t.add([part(5)])
    assert closed(t, 120) == [(0, 1), (60, 0)]
    t.asleep = True
    assert t.next_close_at() is None
    assert closed(t, 600) == []
    t.add([part(605)])
    assert closed(t, 660) == [(600, 1)]
    assert t.windows[START + 600_000].counts.skipped == 8
    assert not t.asleep


def test_a_late_part_revises_its_window_and_opens_no_pane() -> None:
    t = track()
    t.add([part(5, late=True)])
    assert t.panes == {}
    assert t.window_of(START).counts.late_records == 1
    assert t.window_of(START).late == profile(1)


def test_a_window_is_let_go_when_no_late_record_can_revise_it() -> None:
    t = track()
    t.add([part(5), part(65)])
    closed(t, 120)
    assert t.forget(START + 119_999) == []
    assert [w.counts.start_at for w in t.forget(START + 120_000)] == seconds(0)
    assert [w.counts.start_at for w in t.forget(START + 180_000)] == seconds(60)


def test_a_window_that_has_not_closed_is_not_let_go() -> None:
    t = track()
    t.add([part(5)])
    t.close_panes(START + 60_000)
    assert t.forget(START + 10**9) == []


def test_identities_are_let_go_with_the_lateness_of_their_pane() -> None:
    t = track()
    t.duplicates.fresh("s", np.array(seconds(0, 10)), np.array([1, 2], np.uint64))
    t.forget(START + 69_999)
    assert len(t.duplicates) == 2
    t.forget(START + 70_000)
    assert len(t.duplicates) == 1


def test_so_many_rows_are_learned_from_and_no_more() -> None:
    t = track(learned=True, burn_in_rows=5)
    t.add([raw_part(0, range(3)), raw_part(10, range(10, 14)), raw_part(20, range(20, 22))])
    t.close_panes(START + 30_000)
    assert [row.identity for row in t.learned] == [0, 1, 2, 10, 11]


def test_from_the_learned_baseline_on_rows_of_open_panes_are_read_by_it() -> None:
    t = track(learned=True)
    t.add([raw_part(0, range(3)), raw_part(60, range(1, 4))])
    t.close_panes(START + 60_000)
    t.begin(BASELINE, START + 60_000)
    pane = t.panes[START + 60_000]
    assert t.learned == []
    assert pane.raw == []
    rows = Columns(np.array([[1.0, 2.0, 3.0]]), None, np.empty((0, 3), np.int32), np.arange(3))
    assert pane.profile == profile_of(LAYOUT, {Side.INPUT: rows})
    assert set(t.readers) == {Side.INPUT}


def test_late_rows_of_the_time_before_the_learned_baseline_are_counted_only() -> None:
    t = track(learned=True)
    t.begin(BASELINE, START + 60_000)
    t.add([part(5, late=True), part(65, late=True)])
    assert t.window_of(START).late is None
    assert t.window_of(START + 60_000).late == profile(1)


def test_late_rows_kept_while_learning_are_read_where_the_learned_baseline_holds() -> None:
    t = track(learned=True)
    t.add([raw_part(at, [n])._replace(late=True) for at, n in ((5, 1), (65, 1), (75, 1), (130, 9))])
    t.begin(BASELINE, START + 60_000)
    expected = profile(1)
    expected.add(profile(1))
    assert t.window_of(START).late is None
    assert t.window_of(START + 60_000).late == expected
    assert [window.raw for window in t.windows.values()] == [[], [], []]
    t.add([part(66, late=True)])
    expected.add(profile(1))
    assert t.window_of(START + 60_000).late == expected


def test_rows_already_summarised_stay_when_a_baseline_is_learned() -> None:
    t = track(learned=True)
    t.add([raw_part(60, [1]), part(60, rows=2)])
    t.begin(BASELINE, START + 60_000)
    expected = profile(2)
    expected.add(profile(1))
    assert t.panes[START + 60_000].profile == expected
