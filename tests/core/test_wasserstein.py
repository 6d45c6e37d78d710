import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.core.baseline.model import FeatureBaseline
from streamer.core.columns import Columns
from streamer.core.layout import Layout
from streamer.core.profile import profile_of
from streamer.core.schema import Side
from streamer.core.statistics import statistics_of
from tests.strategies import baseline, number, trained_on

Floats = NDArray[np.float64]


def of(feature: FeatureBaseline, values: list[float] | Floats) -> float:
    layout = Layout(baseline(feature))
    columns = Columns(
        np.array([values], np.float64), None, np.empty((0, len(values)), np.int32), np.arange(len(values))
    )
    distances = statistics_of(layout, profile_of(layout, {Side.INPUT: columns}))[0].distances
    assert distances is not None
    assert distances.wasserstein is not None
    return distances.wasserstein


def reached(values: Floats, at: Floats) -> Floats:
    """Distribution function of some values."""
    return np.searchsorted(np.sort(values), at, "right") / len(values)


def area_between(live: Floats, past: Floats) -> float:
    """First Wasserstein distance of two samples, from all their values."""
    every = np.unique(np.concatenate([live, past]))
    return float((np.abs(reached(live, every) - reached(past, every))[:-1] * np.diff(every)).sum())


values = st.floats(-1000, 1000).map(lambda v: round(v, 3))
several = st.lists(values, min_size=2, max_size=60).filter(lambda rows: max(rows) > min(rows))


def wrong_at_most(feature: FeatureBaseline, live: Floats) -> tuple[float, float, float]:
    """The width of each cell times its shares; the bounds of what is outside, below and above."""
    low, high = feature.minimum or 0.0, feature.maximum or 0.0
    inside = live[(live >= low) & (live <= high)]
    p = np.bincount(np.searchsorted(feature.edges, inside), minlength=len(feature.counts)) / len(live)
    width = np.diff([low, *feature.edges, high])
    hidden = float((width * (p + np.array(feature.counts) / feature.rows)).sum())
    return (
        hidden,
        float(np.mean(live < low) * max(low - live.min(), 0)),
        float(np.mean(live > high) * max(live.max() - high, 0)),
    )


@settings(max_examples=400)
@given(several, st.lists(values, min_size=1, max_size=60), st.integers(1, 12))
def test_wasserstein_is_that_of_the_rows_but_for_what_cells_hide(past: list[float], rows: list[float], k: int) -> None:
    feature, live = trained_on(past, k), np.array(rows)
    true = area_between(live, np.array(past))
    found = of(feature, live)
    hidden, below, above = wrong_at_most(feature, live)
    allowed = 2 * hidden if not below and not above else 4 * hidden + 2 * min(below, above)
    # Values far beyond 512 deviations are cut, as for the mean.
    deviation = feature.deviation or math.nan
    cut = max(float(np.abs(live - feature.center).max()) - 2**17 * feature.unit, 0.0)
    if not cut:
        assert found * deviation == pytest.approx(true, abs=allowed + feature.unit + 1e-6)


@given(
    st.lists(st.integers(0, 4), min_size=20, max_size=60).filter(lambda rows: len(set(rows)) == 5),
    st.lists(st.integers(0, 4), min_size=1, max_size=40),
)
def test_wasserstein_of_few_different_values_is_exact(past: list[int], live: list[int]) -> None:
    feature = trained_on([float(v) for v in past], 24)
    found = of(feature, [float(v) for v in live])
    true = area_between(np.array(live, np.float64), np.array(past, np.float64))
    assert found == pytest.approx(true / (feature.deviation or math.nan), abs=1e-9)


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.5), (1.0, 100.0), (1.0, -3.0), (30.0, 0.0)])
def test_wasserstein_of_a_wrong_unit_or_a_moved_mean_is_how_far_it_moved(factor: float, shift: float) -> None:
    rng = np.random.default_rng(3)
    past, live = rng.lognormal(0, 0.5, 4000), rng.lognormal(0, 0.5, 2000) * factor + shift
    feature = trained_on(past.tolist(), 24)
    true = area_between(live, past) / (feature.deviation or math.nan)
    assert of(feature, live) == pytest.approx(true, rel=0.01)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.5, 2.0, 5.0])
def test_wasserstein_of_a_changed_deviation_is_near_that_of_the_rows(factor: float) -> None:
    rng = np.random.default_rng(4)
    past, live = rng.normal(size=5000), rng.normal(size=2000) * factor
    true = area_between(live, past) / float(past.std())
    assert of(trained_on(past.tolist(), 24), live) == pytest.approx(true, rel=0.2)


def test_functions_that_cross_within_a_cell_leave_two_triangles_between_them() -> None:
    # Ten cells of width 1, 20 rows each in the baseline.
    rows = [25, 5, 35, 5, 35, 5, 35, 5, 35, 15]
    live = np.concatenate([i + (np.arange(n) + 0.5) / n for i, n in enumerate(rows) if n])
    past = (np.arange(10_000) + 0.5) / 1000
    assert of(number("x"), live) == pytest.approx(area_between(live, past) / 2.886, rel=0.02)


def test_wasserstein_of_a_sample_of_the_same_law_is_small() -> None:
    rng = np.random.default_rng(4)
    feature = trained_on(rng.normal(size=5000).tolist(), 24)
    found = [of(feature, rng.normal(size=500)) for _ in range(100)]
    assert np.mean(found) == pytest.approx(1.3 * math.sqrt(1 / 500 + 1 / 5000), rel=0.2)


def test_one_value_at_the_end_of_the_floats_is_cut_before_it_counts() -> None:
    rows = np.random.default_rng(5).uniform(0, 10, 999).tolist()
    found = of(number("x", rows=5000), [*rows, 1e308])
    # The grid of this baseline ends 1,024 above its centre of 5, and it reaches to 10.
    assert found == pytest.approx((1024 - 5) / 1000 / 2.886, abs=0.05)
