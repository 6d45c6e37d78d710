import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamer.core.windows as windows
from streamer.core.columns import Columns
from streamer.core.layout import Layout
from streamer.core.panes import Pane, Part
from streamer.core.profile import Profile, profile_of
from streamer.core.rawrows import RawRow
from streamer.core.schema import Side
from streamer.core.windows import Window, WindowCounts
from tests.strategies import baseline, columns, number

LAYOUT = Layout(baseline(number("x"), number("y")))


def part(c: Columns, *, late: bool = False) -> Part:
    return Part(0, late, 1, c.rows, 0, profile_of(LAYOUT, {Side.INPUT: c}), [])


def pane(*parts: Part) -> Pane:
    made = Pane(0)
    for one in parts:
        made.add(one)
    return made


def rows(n: int) -> Columns:
    return Columns(np.ones((2, n)), None, np.empty((0, n), np.int32), np.arange(n))


some = columns(categories=0, rows=6)


@given(st.lists(some, max_size=4), st.lists(some, max_size=3))
def test_the_whole_is_the_merge_of_what_was_on_time_and_late(on_time: list[Columns], late: list[Columns]) -> None:
    window = Window(WindowCounts(0))
    for c in on_time:
        window.add_pane(pane(part(c)))
    for c in late:
        window.add_late(part(c, late=True), with_profile=True)
    expected = Profile.empty(LAYOUT)
    for c in on_time + late:
        expected.add(profile_of(LAYOUT, {Side.INPUT: c}))
    whole = window.whole
    assert (whole is None) == (not on_time and not late)
    assert whole is None or whole == expected
    assert window.counts.rows == sum(c.rows for c in on_time)
    assert window.counts.late_rows_in == sum(c.rows for c in late)


def test_what_was_decided_on_does_not_change_when_late_rows_come() -> None:
    window = Window(WindowCounts(0))
    window.add_pane(pane(part(rows(3))))
    assert window.on_time is not None
    before = window.on_time.copy()
    window.add_late(part(rows(2), late=True), with_profile=True)
    assert window.whole != before
    assert window.on_time == before


def test_late_rows_without_a_baseline_of_their_own_time_are_counted_only() -> None:
    window = Window(WindowCounts(0))
    window.add_late(part(rows(2), late=True), with_profile=False)
    assert window.late is None
    assert window.counts.late_records == 1


def test_late_rows_kept_while_learning_are_so_many_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "RAW_ROWS", 2)
    window = Window(WindowCounts(0))
    for identity in (9, 4, 7):
        window.add_late(Part(0, True, 1, 1, 0, None, [RawRow(identity, 0, 0)]), with_profile=True)
    assert [row.identity for row in window.raw] == [4, 7]
    assert window.counts.late_rows_in == 3


def test_a_panes_profile_is_copied_and_not_shared() -> None:
    shared = pane(part(rows(3)))
    window = Window(WindowCounts(0))
    window.add_pane(shared)
    window.add_pane(pane(part(rows(2))))
    assert shared.profile == profile_of(LAYOUT, {Side.INPUT: rows(3)})


def test_a_documents_revision_counts_every_record_that_belongs_to_it() -> None:
    window = Window(WindowCounts(0, records=5, late_records=3, duplicates=2))
    assert window.complete(invalid=7) == 17


def test_predictions_are_the_rows_of_the_longer_side() -> None:
    assert WindowCounts(0, rows_in=3, rows_out=5).rows == 5


def test_panes_and_parts_without_a_profile_change_no_profile() -> None:
    window = Window(WindowCounts(0))
    window.add_pane(pane(part(rows(3))))
    window.add_pane(Pane(0))
    assert window.on_time == profile_of(LAYOUT, {Side.INPUT: rows(3)})
