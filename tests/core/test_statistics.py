import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.baseline.model import QUANTILES, FeatureBaseline
from streamer.core.columns import MISSING, UNSEEN, Columns, no_columns
from streamer.core.layout import Layout
from streamer.core.profile import profile_of
from streamer.core.schema import Kind, Side
from streamer.core.statistics import FeatureStatistics, statistics_of
from tests.strategies import baseline, category, number


def of_numbers(values: list[float], feature: FeatureBaseline | None = None) -> FeatureStatistics:
    layout = Layout(baseline(feature or number("x", rows=1000)))
    numbers = np.array([values], np.float64)
    columns = Columns(numbers, None, np.empty((0, len(values)), np.int32), np.arange(len(values)))
    return statistics_of(layout, profile_of(layout, {Side.INPUT: columns}))[0]


def of_codes(codes: list[int]) -> FeatureStatistics:
    layout = Layout(baseline(category("k", "abcd", rows=1000)))
    columns = Columns(np.empty((0, len(codes))), None, np.array([codes], np.int32), np.arange(len(codes)))
    return statistics_of(layout, profile_of(layout, {Side.INPUT: columns}))[0]


def test_rows_are_told_apart_by_what_stood_in_them() -> None:
    s = of_numbers([1.0, 5.0, -1.0, 11.0, 500.0, -500.0, math.nan])
    assert (s.rows, s.valued, s.missing, s.below, s.above, s.wild) == (7, 6, 1, 2, 2, 2)


def test_categories_are_told_apart_by_what_the_baseline_knows() -> None:
    s = of_codes([0, 1, 2, 3, UNSEEN, UNSEEN, MISSING])
    assert (s.rows, s.valued, s.missing, s.other, s.unseen) == (7, 6, 1, 1, 2)
    assert s.live.tolist() == [1, 1, 1, 3]


@given(st.lists(st.floats(0, 10), min_size=1, max_size=200))
def test_mean_and_deviation_are_those_of_the_values_to_the_grid(values: list[float]) -> None:
    numbers = of_numbers(values).numbers
    assert numbers is not None
    assert numbers.mean == pytest.approx(np.mean(values), abs=2.0**-7)
    assert numbers.deviation == pytest.approx(np.std(values), abs=2.0**-5)


@given(st.lists(st.floats(-40, 60), min_size=1, max_size=200))
def test_quantiles_lie_within_the_cell_of_the_true_ones(values: list[float]) -> None:
    numbers = of_numbers(values).numbers
    assert numbers is not None
    assert list(numbers.quantiles) == sorted(numbers.quantiles)
    edges = np.array([-40.0, *range(11), 60.0])
    ordered = np.sort(values)
    for q, found in zip(QUANTILES, numbers.quantiles, strict=True):
        true = ordered[max(math.ceil(q * len(values)) - 1, 0)]
        low = edges[max(int(np.searchsorted(edges, true)) - 1, 0)]
        high = edges[min(int(np.searchsorted(edges, true, "right")), len(edges) - 1)]
        assert low - 1e-9 <= found <= high + 1e-9


def test_quantiles_of_whole_numbers_are_whole() -> None:
    numbers = of_numbers([1.0, 2.0, 2.0, 3.0, 9.0], number("x", kind=Kind.INTEGER)).numbers
    assert numbers is not None
    assert numbers.quantiles[3] == 2.0
    assert all(q == int(q) for q in numbers.quantiles)


def test_values_at_the_end_of_the_floats_break_nothing() -> None:
    numbers = of_numbers([1e308, -1e308, 1.0]).numbers
    assert numbers is not None
    assert all(map(math.isfinite, numbers.quantiles))


def test_without_a_value_there_is_nothing_to_compare() -> None:
    s = of_numbers([math.nan, math.nan])
    assert (s.distances, s.numbers, s.share(s.missing)) == (None, None, 1.0)


def test_without_a_row_every_share_is_nothing() -> None:
    layout = Layout(baseline(number("x")))
    s = statistics_of(layout, profile_of(layout, {Side.INPUT: no_columns(1, 0)}))[0]
    assert (s.rows, s.share(s.missing), s.distances) == (0, 0.0, None)


def test_what_is_outside_falls_to_the_end_cells() -> None:
    s = of_numbers([-1.0, 0.5, 5.5, 11.0, 500.0, math.nan])
    assert s.live.tolist() == [2, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    assert s.past.tolist() == [100] * 10


def test_every_feature_has_its_own_cells_whatever_stands_beside_it() -> None:
    layout = Layout(baseline(category("k", "abcd"), number("score", Side.OUTPUT), number("x"), number("y")))
    inputs = Columns(np.array([[1.0, 9.5], [5.5, 5.5]]), None, np.array([[0, UNSEEN]], np.int32), np.arange(2))
    outputs = Columns(np.array([[2.5, 2.5]]), None, np.empty((0, 2), np.int32), np.arange(2))
    found = statistics_of(layout, profile_of(layout, {Side.INPUT: inputs, Side.OUTPUT: outputs}))
    assert [np.flatnonzero(s.live).tolist() for s in found] == [[0, 3], [2], [0, 9], [5]]
