import math
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.core.baseline.cells import CELLS, grid_of, label_cells, number_cells, scale_of
from streamer.core.layout import GRID_LIMIT

finite = st.floats(allow_nan=False, allow_infinity=False)


def shares(sample: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.bincount(np.searchsorted(edges, sample), minlength=len(edges) + 1)


def cut(values: list[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A sample in order, and its edges, when there are more values than are known one by one."""
    sample = np.sort(np.array(values) + 0.0)
    return sample, number_cells(sample, None, len(sample), 1.0).edges


@given(st.lists(finite, max_size=300))
def test_edges_ascend_inside_the_sample(values: list[float]) -> None:
    sample, edges = cut(values)
    assert (np.diff(edges) > 0).all() if len(edges) > 1 else True
    assert not len(edges) or sample[0] <= edges[0] <= edges[-1] < sample[-1]


def test_cells_of_a_smooth_feature_hold_equal_rows() -> None:
    sample, edges = cut(np.random.default_rng(1).normal(size=24_000).tolist())
    assert len(edges) == CELLS - 1
    assert set(shares(sample, edges).tolist()) == {1_000}


def test_a_frequent_value_has_a_cell_of_its_own() -> None:
    light = np.random.default_rng(1).uniform(-1, 1, 5_000)
    sample, edges = cut([*light, *[0.0] * 5_000])
    counts = shares(sample, edges)
    assert counts[np.searchsorted(edges, 0.0)] == 5_000
    assert 400 < np.delete(counts, 6).min() <= np.delete(counts, 6).max() < 430


def test_rare_values_beyond_a_frequent_one_are_told_from_it() -> None:
    sample, edges = cut([0.0] * 10_000 + [float(i) for i in range(1, 100)])
    assert shares(sample, edges).tolist() == [10_000, 99]


def test_few_rows_have_fewer_cells() -> None:
    _, edges = cut([float(i) for i in range(40)])
    assert len(edges) == 3


def test_each_of_few_values_has_a_cell() -> None:
    few = np.array([1.0, 2.0, 5.0])
    cells = number_cells(np.repeat(few, 4), few, 12, 5.0)
    assert cells.edges.tolist() == [1.0, 2.0]


def test_few_values_that_do_not_repeat_are_cut_like_many() -> None:
    few = np.arange(40.0)
    assert len(number_cells(few, few, 40, 39.0).edges) == 3


def test_quantiles_are_values_of_the_sample() -> None:
    sample = np.arange(1.0, 101.0)
    assert number_cells(sample, None, 100, 100.0).quantiles == (1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0)


def test_a_sample_without_values_has_one_cell() -> None:
    cells = number_cells(np.empty(0), None, 3, 1.0)
    assert (len(cells.edges), cells.quantiles, cells.means.tolist()) == (0, (), [0.0])


def test_means_of_cells_are_of_values_cut_at_one_percent() -> None:
    sample = np.sort([*np.linspace(0, 1, 999), 1e300])
    cells = number_cells(sample, None, 1_000, 1e300)
    means = np.ldexp(cells.means, cells.scale)
    assert (np.diff(means) > 0).all()
    assert means[-1] < 1.0


def test_labels_are_known_most_frequent_first_and_ties_by_label() -> None:
    cells = label_cells({"b": 7, "a": 7, "rare": 4, "often": 9})
    assert cells.values == ("often", "a", "b", "rare")
    assert cells.cells == 3


def test_fifty_labels_have_cells_and_a_thousand_are_known() -> None:
    cells = label_cells({f"{i:05}": 10 for i in range(2_000)})
    assert (cells.cells, len(cells.values), cells.values[-1]) == (50, 1_000, "00999")


def test_labels_may_be_known_without_a_row() -> None:
    assert label_cells({"true": 9}, ("false", "true")).values == ("true", "false")


@given(finite, st.floats(0, allow_infinity=False))
@example(1e9, 1e-3)
@example(0.0, 5e-324)
@example(sys.float_info.max, 0.0)
def test_the_grid_is_a_power_of_two_with_a_finite_inverse_and_holds_the_mean(mean: float, deviation: float) -> None:
    biggest = max(abs(mean), min(deviation, sys.float_info.max))
    unit, center = grid_of(mean, deviation, biggest)
    assert math.frexp(unit)[0] == 0.5
    assert math.isfinite(1 / unit)
    assert (center / unit).is_integer()
    assert abs(center - mean) <= unit


def test_the_grid_reaches_about_512_deviations() -> None:
    for deviation in (0.1, 1.0, 1.4, 1.5, 777.0):
        assert 350 < grid_of(5.0, deviation, 9.0).unit * GRID_LIMIT / deviation < 750


def test_the_grid_of_a_constant_is_its_own_size() -> None:
    assert grid_of(1_000.0, 0.0, 1_000.0).unit == 4.0
    assert grid_of(0.0, 0.0, 0.0).unit == 2.0**-8


@pytest.mark.parametrize("biggest", [0.0, 5e-324, 1.0, 3.0, sys.float_info.max])
def test_scaled_values_are_about_one(biggest: float) -> None:
    assert 0 <= np.ldexp(biggest, -scale_of(biggest)) < 2
