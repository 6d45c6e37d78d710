import math
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.baseline.model import FeatureBaseline
from streamer.core.columns import MISSING, UNSEEN, Columns
from streamer.core.layout import GRID_LIMIT, Layout, far_limits
from streamer.core.profile import REGISTERS, Profile, distinct_of, profile_of, registers_of
from streamer.core.schema import Side
from tests.strategies import baseline, category, columns, finite, number, number_baselines, number_columns

LAYOUT = Layout(baseline(number("x"), number("y"), category("k")))
NO_CODES = np.empty((0, 0), np.int32)


def profile(c: Columns, layout: Layout = LAYOUT) -> Profile:
    return profile_of(layout, {Side.INPUT: c})


def merged(profiles: Sequence[Profile], layout: Layout = LAYOUT) -> Profile:
    whole = Profile.empty(layout)
    for one in profiles:
        whole.add(one)
    return whole


def same_bytes(a: Profile, b: Profile) -> bool:
    return all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in Profile.__slots__)


def numbers_only(values: Sequence[float], mistyped: Sequence[bool] | None = None) -> Columns:
    n = len(values)
    wrong = None if mistyped is None else np.array([mistyped], np.bool_)
    return Columns(np.array([values], np.float64), wrong, np.empty((0, n), np.int32), np.arange(n))


def reference_cell(f: FeatureBaseline, value: float) -> int:
    """Cell of one value, said in words: far below, below, value cells, above, far above, missing."""
    assert f.minimum is not None
    assert f.maximum is not None
    far_low, far_high = far_limits(f)
    if math.isnan(value):
        return len(f.counts) + 4
    if value < f.minimum:
        return 0 if value < far_low else 1
    if value > f.maximum:
        return len(f.counts) + (3 if value > far_high else 2)
    return 2 + sum(edge < value for edge in f.edges)


def reference_grid(f: FeatureBaseline, value: float) -> int:
    units = (value - f.center) * (1.0 / f.unit)
    return round(min(max(units, -GRID_LIMIT), GRID_LIMIT))


def check_against_reference(f: FeatureBaseline, values: list[float], wrong: list[bool]) -> None:
    layout = Layout(baseline(f))
    found = profile(numbers_only(values, wrong), layout)
    counts = [0] * layout.size
    for value, bad in zip(values, wrong, strict=True):
        counts[len(f.counts) + 5 if bad else reference_cell(f, value)] += 1
    valued = [v for v in values if not math.isnan(v)]
    grid = [reference_grid(f, v) for v in valued]
    assert found.counts.tolist() == counts
    assert found.sums.tolist() == [[sum(grid)], [sum(q * q for q in grid)]]
    assert found.extremes.tolist() == [[min(valued, default=math.inf)], [max(valued, default=-math.inf)]]


@given(number_baselines(), st.data())
def test_numbers_are_counted_as_a_slow_reference_counts_them(f: FeatureBaseline, data: st.DataObject) -> None:
    assert f.minimum is not None
    assert f.maximum is not None
    cuts = [f.minimum, f.maximum, *f.edges, *far_limits(f), f.center]
    near = [math.nextafter(cut, to) for cut in cuts for to in (-math.inf, math.inf)]
    near = [value for value in near if math.isfinite(value)]
    value = st.one_of(st.sampled_from(cuts + near), finite, st.just(math.nan))
    values = data.draw(st.lists(value, max_size=50))
    wrong = [math.isnan(v) and data.draw(st.booleans()) for v in values]
    check_against_reference(f, values, wrong)


@given(st.lists(st.integers(-2, 2), max_size=50))
def test_categories_are_counted_as_a_slow_reference_counts_them(codes: list[int]) -> None:
    layout = Layout(baseline(category("k")))
    n = len(codes)
    c = Columns(np.empty((0, n)), None, np.array([codes], np.int32), np.arange(n))
    cells = {0: 0, 1: 1, 2: 2, UNSEEN: 3, MISSING: 4}
    expected = [sum(cells[code] == cell for code in codes) for cell in range(5)]
    assert profile(c, layout).counts.tolist() == expected


@given(columns())
def test_the_cells_of_each_feature_hold_every_row_once(c: Columns) -> None:
    counts = profile(c).counts
    for cells in LAYOUT.features:
        assert counts[cells.start : cells.stop].sum() == c.rows


@given(columns(), st.data())
def test_rows_in_any_pieces_and_any_order_make_the_same_profile_to_the_bit(c: Columns, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(c.rows)))
    turned = c.take(np.array(order, np.int64))
    cuts = sorted(data.draw(st.lists(st.integers(0, c.rows), max_size=5)))
    bounds = [0, *cuts, c.rows]
    pieces = [profile(turned.between(a, b)) for a, b in pairwise(bounds)]
    assert same_bytes(merged(data.draw(st.permutations(pieces))), profile(c))


@given(st.lists(columns(rows=8), min_size=3, max_size=3))
def test_merging_may_be_grouped_in_any_way(three: list[Columns]) -> None:
    a, b, c = map(profile, three)
    left, right = a.copy(), b.copy()
    left.add(b)
    left.add(c)
    right.add(c)
    whole = a.copy()
    whole.add(right)
    assert same_bytes(left, whole)


@given(number_columns(features=1, rows=60))
def test_few_rows_are_counted_as_many_are(values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    layout = Layout(baseline(number("x")))
    n = values.shape[1]
    c = Columns(values, None, np.empty((0, n), np.int32), np.arange(n))
    one_by_one = [profile(c.between(i, i + 1), layout) for i in range(n)]
    assert same_bytes(merged(one_by_one, layout), profile(c, layout))
    # Far more rows than the few-rows path takes, of the same values.
    many = c.take(np.tile(np.arange(n), 30))
    repeated = profile(many, layout)
    assert repeated.counts.tolist() == (profile(c, layout).counts * 30).tolist()
    assert repeated.sums.tolist() == (profile(c, layout).sums * 30).tolist()


def test_both_zeros_are_one_value() -> None:
    layout = Layout(baseline(number("x")))
    a, b = (profile(numbers_only(values), layout) for values in ([0.0, -0.0], [-0.0, 0.0]))
    assert same_bytes(a, b)
    assert distinct_of(a.registers).tolist() == [1]


def test_extreme_values_are_cut_on_the_grid_and_stay_exact() -> None:
    layout = Layout(baseline(number("x")))
    found = profile(numbers_only([1e300, 1e300, -1e300]), layout)
    assert found.sums.tolist() == [[2**17], [3 * 2**34]]
    assert found.extremes.tolist() == [[-1e300], [1e300]]


def test_more_rows_than_float64_could_sum_are_summed_exactly() -> None:
    layout = Layout(baseline(number("x")))
    n = 2**18 + 5
    found = profile(numbers_only([1e300] * n), layout)
    assert found.sums.tolist() == [[n * 2**17], [n * 2**34]]


def test_no_rows_are_the_neutral_element() -> None:
    empty = Profile.empty(LAYOUT)
    some = profile(Columns(np.ones((2, 3)), None, np.zeros((1, 3), np.int32), np.arange(3)))
    both = some.copy()
    both.add(empty)
    assert both == some
    empty.add(some)
    assert empty == some
    assert profile_of(LAYOUT, {}) == Profile.empty(LAYOUT)


def test_a_copy_shares_no_memory() -> None:
    some = profile(Columns(np.ones((2, 3)), None, np.zeros((1, 3), np.int32), np.arange(3)))
    copied = some.copy()
    copied.add(some)
    assert copied != some
    assert some != "a profile"


def test_both_sides_are_counted_in_their_own_cells() -> None:
    layout = Layout(baseline(number("x"), number("score", Side.OUTPUT)))
    found = profile_of(layout, {Side.INPUT: numbers_only([1.0]), Side.OUTPUT: numbers_only([2.0, 3.0])})
    of = {cells.baseline.feature.name: found.counts[cells.start : cells.stop].sum() for cells in layout.features}
    assert of == {"x": 1, "score": 2}
    assert found.extremes.tolist() == [[1.0, 2.0], [1.0, 3.0]]


@pytest.mark.parametrize("distinct", [0, 1, 2, 10, 100, 300, 1000])
def test_distinct_values_are_counted_closely_up_to_a_thousand(distinct: int) -> None:
    spread = np.random.default_rng(7).normal(size=(20, distinct)) * 100
    whole = np.arange(20 * distinct, dtype=np.float64).reshape(20, distinct)
    for values in (spread, whole, whole / 8, whole * 10, whole / 100, np.repeat(spread, 3, axis=1)):
        found = distinct_of(registers_of(values, np.isnan(values)))
        assert abs(found.mean() - distinct) <= 0.05 * distinct
        assert (np.abs(found - distinct) <= max(1, 0.2 * distinct)).all()


def test_distinct_values_beyond_the_registers_are_at_least_thousands() -> None:
    values = np.random.default_rng(7).random((3, 50_000))
    assert (distinct_of(registers_of(values, np.isnan(values))) >= 5_000).all()


@given(st.lists(finite, max_size=200), st.lists(finite, max_size=200))
def test_registers_of_all_rows_are_those_of_the_pieces_together(a: list[float], b: list[float]) -> None:
    def registers(values: list[float]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        array = np.array([values])
        return registers_of(array, np.zeros(array.shape, np.bool_))

    assert registers(a + b).tolist() == reduce(np.bitwise_or, map(registers, (a, b))).tolist()
    assert registers(a).shape == (1, REGISTERS // 8)
