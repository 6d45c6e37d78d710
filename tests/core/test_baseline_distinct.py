import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.baseline.distinct import EXACT, Distinct, hashes_of, mixed


def counted(*parts: list[float]) -> int:
    distinct = Distinct()
    for part in parts:
        distinct.add(hashes_of(np.array(part, np.float64)))
    return distinct.count()


@given(st.lists(st.lists(st.floats(allow_nan=False)), max_size=5))
def test_few_values_are_counted_exactly(parts: list[list[float]]) -> None:
    assert counted(*parts) == len({value for part in parts for value in part})


def test_ten_thousand_values_are_counted_exactly_in_any_order() -> None:
    values = [float(i) for i in range(EXACT)]
    assert counted(values, values[::-1]) == EXACT


@pytest.mark.parametrize("many", [EXACT + 1, 50_000, 1_000_000])
def test_many_values_are_estimated_to_a_few_percent(many: int) -> None:
    values = np.arange(many, dtype=np.float64)
    distinct = Distinct()
    for part in np.array_split(values, 7):
        distinct.add(hashes_of(part))
        distinct.add(hashes_of(part[:100]))
    assert distinct.count() == pytest.approx(many, rel=0.04)


def test_different_numbers_have_different_hashes() -> None:
    assert len(np.unique(mixed(np.arange(100_000, dtype=np.uint64)))) == 100_000
