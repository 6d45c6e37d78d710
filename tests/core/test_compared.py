import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.baseline.model import FeatureBaseline
from streamer.core.compared import Compared
from streamer.core.layout import Layout
from streamer.core.schema import Side
from tests.strategies import baseline, category, number, trained_on


def compared(*features: FeatureBaseline) -> Compared:
    return Layout(baseline(*features)).compared


def test_what_the_baseline_never_had_is_kept_apart_and_folded_into_the_ends() -> None:
    # Far below, below, ten cells, above, far above, missing, mistyped; two labels, other, unseen, missing.
    counts = np.array([1, 2, *range(10, 20), 3, 4, 100, 200, 5, 6, 7, 8, 300])
    both = compared(number("x"), category("k", "abc"))
    cells = both.cells(counts)
    assert cells.tolist() == [3, *range(10, 20), 7, 5, 6, 7, 8]
    assert both.folded(cells).tolist() == [13, *range(11, 19), 26, 5, 6, 15]


def test_a_number_with_one_cell_folds_into_it() -> None:
    single = msgspec.structs.replace(number("x"), edges=(), counts=(1000,))
    one = compared(single)
    assert one.folded(one.cells(np.array([1, 2, 3, 4, 5, 6, 7]))).tolist() == [15]


def test_features_stand_in_the_order_of_the_baseline_wherever_their_counts_are() -> None:
    several = compared(category("k", "ab"), number("score", Side.OUTPUT), number("x"))
    assert several.at.tolist() == [0, 3, 15]
    assert several.past.tolist() == [500, 500, 0, 0, *[100] * 10, 0, 0, *[100] * 10, 0]
    # Numbers of the input come first in the counts: 16 of x, 4 of k, 16 of the score.
    assert several.cells(np.arange(36)).tolist() == [
        16, 17, 18, 20 + 21, *range(22, 32), 32 + 33, 0 + 1, *range(2, 12), 12 + 13,
    ]  # fmt: skip


@given(st.lists(st.integers(0, 100), min_size=13, max_size=13))
def test_rows_are_summed_up_to_each_cells_end_within_their_feature(rows: list[int]) -> None:
    two = compared(category("k", "ab"), category("l", "abcdefghi"))
    reached = two.reached_by(np.array(rows))
    assert reached.tolist() == [*np.cumsum(rows[:3]), *np.cumsum(rows[3:])]


def test_rows_stand_at_the_upper_end_where_each_value_has_its_cell() -> None:
    few = compared(trained_on([0.0, 1.0, 2.0] * 20, 24))
    assert few.place[1:4].tolist() == [1.0, 1.0, 1.0]


def test_rows_of_a_wide_last_cell_stand_where_the_quantiles_say() -> None:
    values = np.random.default_rng(1).exponential(1.0, 10_000)
    feature = trained_on(values.tolist(), 24)
    last = values[values > feature.edges[-1]] - feature.edges[-1]
    found = compared(feature).place[24]
    assert found == pytest.approx(last.mean() / last.max(), abs=0.1)
    assert compared(msgspec.structs.replace(feature, quantiles=())).place[24] == pytest.approx(0.5)


def test_values_at_the_end_of_the_floats_have_a_place_on_the_grid() -> None:
    wide = msgspec.structs.replace(number("x"), minimum=-1e308, maximum=1e308)
    found = compared(wide)
    assert np.isfinite(found.width).all()
    assert found.width.max() <= 2 * found.limit
    assert found.on_grid(np.array([math.inf])).tolist() == [found.limit]
