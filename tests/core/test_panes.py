import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamer.core.panes as panes
from streamer.core.columns import Columns
from streamer.core.layout import Layout
from streamer.core.panes import Pane, Part, parts_of
from streamer.core.profile import Profile, profile_of
from streamer.core.rawrows import RawRow, packed
from streamer.core.schema import Side
from tests.strategies import baseline, category, columns, number

LAYOUT = Layout(baseline(number("x"), number("y"), category("k"), number("score", Side.OUTPUT)))


@st.composite
def folded(
    draw: st.DrawFn,
) -> tuple[dict[Side, Columns], np.ndarray[tuple[int], np.dtype[np.int64]], list[bool], list[bool]]:
    """Rows of both sides of some records in any panes, late or not, accepted or not."""
    records = draw(st.integers(1, 12))
    sides = {}
    for side, c in ((Side.INPUT, draw(columns())), (Side.OUTPUT, draw(columns(numbers=1, categories=0)))):
        if draw(st.booleans()):
            of = sorted(draw(st.lists(st.integers(0, records - 1), min_size=c.rows, max_size=c.rows)))
            sides[side] = c._replace(record=np.array(of, np.int64))
    pane_at = draw(st.lists(st.integers(-3, 3).map(lambda i: i * 10_000), min_size=records, max_size=records))
    flags = st.lists(st.booleans(), min_size=records, max_size=records)
    return sides, np.array(pane_at, np.int64), draw(flags), draw(flags)


@given(folded())
def test_each_part_summarises_the_rows_of_its_pane_and_lateness(
    given_rows: tuple[dict[Side, Columns], np.ndarray[tuple[int], np.dtype[np.int64]], list[bool], list[bool]],
) -> None:
    sides, pane_at, late, accepted = given_rows
    parts = parts_of(LAYOUT, sides, pane_at, np.array(late), np.array(accepted))
    places = [(int(at), flag) for at, flag in zip(pane_at, late, strict=True)]
    assert [(part.pane_at, part.late) for part in parts] == sorted({(part.pane_at, part.late) for part in parts})
    found = {(part.pane_at, part.late): part for part in parts}
    for place in set(places):
        records = [i for i, other in enumerate(places) if other == place]
        mine = {side: c.take(np.flatnonzero(np.isin(c.record, records))) for side, c in sides.items()}
        rows = {side: c.rows for side, c in mine.items()}
        part = found.pop(place, None)
        if part is None:
            assert not any(accepted[i] for i in records)
            assert not any(rows.values())
            continue
        assert part.records == sum(accepted[i] for i in records)
        assert (part.rows_in, part.rows_out) == (rows.get(Side.INPUT, 0), rows.get(Side.OUTPUT, 0))
        assert part.profile == profile_of(LAYOUT, mine)
        assert part.raw == []
    assert not found


def part(*raw: RawRow, profile: Profile | None = None) -> Part:
    return Part(0, False, 1, len(raw), 0, profile, list(raw))


@given(st.lists(columns(rows=6), max_size=4), st.randoms(use_true_random=False))
def test_a_pane_is_the_same_whatever_the_order_of_its_parts(several: list[Columns], random: object) -> None:
    assert hasattr(random, "shuffle")
    order = list(range(len(several)))
    random.shuffle(order)
    panes_of = []
    for indices in (range(len(several)), order):
        pane = Pane(0)
        for i in indices:
            pane.add(part(profile=profile_of(LAYOUT, {Side.INPUT: several[i]})))
        panes_of.append(pane)
    a, b = panes_of
    assert a.records == b.records == len(several)
    assert a.profile == b.profile


cells = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.sampled_from([0.5, 1.5]), st.sampled_from("ab"))
raw_rows = st.builds(
    RawRow,
    identity=st.integers(0, 6),
    row=st.integers(0, 1),
    event_at=st.integers(0, 1),
    inputs=st.lists(st.tuples(st.sampled_from("xy"), cells), max_size=2).map(packed),
)


@given(st.lists(raw_rows, max_size=12), st.data())
def test_rows_kept_while_learning_do_not_depend_on_how_they_came(rows: list[RawRow], data: st.DataObject) -> None:
    def kept(order: list[RawRow], sizes: list[int]) -> list[str]:
        pane = Pane(0)
        at = 0
        for size in [*sizes, len(order)]:
            pane.add(part(*order[at : at + size]))
            at += size
        return [repr(row) for row in pane.raw]

    turned = data.draw(st.permutations(rows))
    sizes = data.draw(st.lists(st.integers(0, 4), max_size=6))
    assert kept(rows, []) == kept(turned, sizes)


def test_so_many_rows_are_kept_at_most_those_with_the_smallest_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panes, "RAW_ROWS", 3)
    pane = Pane(0)
    for identity in (9, 4, 7, 1, 8, 2):
        pane.add(part(RawRow(identity, 0, 0)))
    assert [row.identity for row in pane.raw] == [1, 2, 4]
    assert pane.rows_in == 6
