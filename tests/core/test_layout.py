import math

import numpy as np
import pytest
from hypothesis import given

from streamer.core.baseline.model import Baseline, FeatureBaseline
from streamer.core.layout import FAR_RANGES, Layout, far_limits
from streamer.core.schema import Kind, Side
from tests.strategies import baseline, baselines, category, number, number_baselines


def ranged(low: float | None, high: float | None) -> FeatureBaseline:
    return FeatureBaseline(feature=number("x").feature, rows=0, minimum=low, maximum=high)


@given(baselines())
def test_cells_of_all_features_tile_the_counts(b: Baseline) -> None:
    layout = Layout(b)
    stretches = sorted((f.start, f.stop) for f in layout.features)
    assert [start for start, _ in stretches] == [0, *[stop for _, stop in stretches[:-1]]]
    assert stretches[-1][1] == layout.size
    assert [f.baseline for f in layout.features] == list(b.features)


@given(baselines())
def test_the_baselines_own_rows_are_all_in_its_cells(b: Baseline) -> None:
    layout = Layout(b)
    for cells in layout.features:
        counts = layout.baseline_counts(cells)
        assert len(counts) == cells.stop - cells.start
        assert counts.sum() == cells.baseline.rows
        inside = counts[cells.values.start - cells.start : cells.values.stop - cells.start]
        assert inside.tolist() == list(cells.baseline.counts)


@given(baselines())
def test_number_features_are_numbered_through_both_sides(b: Baseline) -> None:
    layout = Layout(b)
    numbers = sorted((f for f in layout.features if f.is_number), key=lambda f: f.number)
    assert [f.number for f in numbers] == list(range(layout.numbers))
    assert layout.units.tolist() == [f.baseline.unit for f in numbers]
    assert layout.centers.tolist() == [f.baseline.center for f in numbers]
    for f in numbers:
        assert f.number == layout.sides[f.baseline.feature.side].first + f.row


@given(baselines())
def test_rows_of_a_side_are_in_the_baselines_order(b: Baseline) -> None:
    for side in Side:
        mine = [f for f in Layout(b).features if f.baseline.feature.side is side]
        assert [f.row for f in mine if f.is_number] == list(range(sum(f.is_number for f in mine)))
        assert [f.row for f in mine if not f.is_number] == list(range(sum(not f.is_number for f in mine)))


@given(number_baselines())
def test_cuts_never_descend_and_end_in_infinity(f: FeatureBaseline) -> None:
    cuts = Layout(baseline(f)).sides[Side.INPUT].edges[0]
    assert (cuts[1:] >= cuts[:-1]).all()
    assert cuts[-1] == math.inf


@pytest.mark.parametrize(
    ("low", "high", "limits"),
    [
        (0.0, 10.0, (-50.0, 60.0)),
        (5.0, 5.0, (-20.0, 30.0)),
        (0.0, 0.0, (-5.0, 5.0)),
        (-3.0, -3.0, (-18.0, 12.0)),
        (None, None, (-FAR_RANGES, FAR_RANGES)),
        (-1e308, 1e308, (-np.finfo(float).max, np.finfo(float).max)),
    ],
)
def test_values_far_outside_the_range_are_wild(
    low: float | None, high: float | None, limits: tuple[float, float]
) -> None:
    assert far_limits(ranged(low, high)) == limits


def test_known_values_without_cells_share_the_cell_of_others() -> None:
    layout = Layout(baseline(category("k", ("a", "b", "c"))))
    assert layout.sides[Side.INPUT].category_cells[0].tolist() == [0, 1, 2, 3, 4]
    assert layout.baseline_counts(layout.features[0]).tolist() == [333, 333, 334, 0, 0]


def test_texts_are_laid_out_as_numbers() -> None:
    assert Layout(baseline(number("t", kind=Kind.TEXT))).features[0].is_number
