import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.columns import Columns, no_columns
from tests.strategies import columns


def rows_of(c: Columns) -> list[tuple[object, ...]]:
    wrong = np.zeros(c.numbers.shape, np.bool_) if c.mistyped is None else c.mistyped
    cells = (c.numbers.T.tolist(), wrong.T.tolist(), c.codes.T.tolist(), c.record.tolist())
    return [tuple(map(repr, row)) for row in zip(*cells, strict=True)]


@given(columns(), st.integers(0, 50), st.integers(0, 50))
def test_between_is_a_slice_of_the_rows(c: Columns, first: int, last: int) -> None:
    assert rows_of(c.between(first, last)) == rows_of(c)[first:last]


@given(columns(), st.data())
def test_take_gives_rows_by_index_in_that_order(c: Columns, data: st.DataObject) -> None:
    index = data.draw(st.lists(st.integers(0, c.rows - 1))) if c.rows else []
    taken = c.take(np.array(index, np.int64))
    assert rows_of(taken) == [rows_of(c)[i] for i in index]


def test_no_columns_have_no_rows() -> None:
    empty = no_columns(2, 3)
    assert empty.rows == 0
    assert empty.numbers.shape == (2, 0)
    assert empty.codes.shape == (3, 0)
    assert empty.mistyped is None
