"""The sample of a pane's rows."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.columns import Columns
from streamer.core.sample import SAMPLE_ROWS, Samples, merged, samples_of
from streamer.core.schema import Side

WANTED = {Side.INPUT: np.array([0, 2], np.int64)}


def rows_of(values: list[float], record: list[int]) -> Columns:
    numbers = np.array([values, [9.0] * len(values), [-v for v in values]])
    return Columns(numbers, None, np.empty((0, len(values)), np.int32), np.array(record, np.int64))


def sample(values: list[float], identities: list[int]) -> Samples:
    record = list(range(len(values)))
    return samples_of(WANTED, {Side.INPUT: rows_of(values, record)}, np.array(identities, np.uint64))


def same(a: Samples | None, b: Samples | None) -> bool:
    if not a or not b:
        return bool(a) == bool(b)
    return all(x.tobytes() == y.tobytes() for side in a for x, y in zip(a[side], b[side], strict=True))


# Few identities, so that two shards bring the same one with other rows; and many rows.
pieces = st.lists(
    st.lists(
        st.tuples(st.sampled_from([0.0, -0.0, 1.0, 2.0, float("nan")]), st.integers(0, 60)), min_size=1, max_size=60
    ),
    min_size=1,
    max_size=6,
)


@given(pieces, st.randoms(use_true_random=False))
def test_it_is_the_same_to_the_bit_however_the_rows_came_together(
    parts: list[list[tuple[float, int]]], chance: Random
) -> None:
    together = [row for part in parts for row in part]
    whole = sample([v for v, _ in together], [i for _, i in together])
    several: list[Samples | None] = [sample([v for v, _ in part], [i for _, i in part]) for part in parts]
    chance.shuffle(several)
    while len(several) > 1:
        a, b = several.pop(), several.pop()
        several.insert(0, merged(a, b))
    assert same(whole, several[0])


def test_it_has_a_bound_and_the_columns_asked_for() -> None:
    values = np.arange(5_000, dtype=np.float64)
    found = sample(values.tolist(), list(range(5_000)))[Side.INPUT]
    assert found.numbers.shape == (2, SAMPLE_ROWS)
    assert np.array_equal(found.numbers[0], -found.numbers[1])
    assert found.numbers[0].mean() == pytest.approx(2_500, abs=700)


def test_rows_of_one_record_are_told_apart_as_kept_rows_are() -> None:
    two = samples_of(WANTED, {Side.INPUT: rows_of([1.0, 2.0, 3.0], [0, 0, 1])}, np.array([7, 8], np.uint64))
    kept = samples_of(
        WANTED,
        {Side.INPUT: rows_of([1.0, 2.0, 3.0], [0, 1, 2])},
        np.array([7, 7, 8], np.uint64),
        np.array([0, 1, 0], np.int64),
    )
    assert same(two, kept)


def test_nothing_is_kept_where_nothing_is_asked_for() -> None:
    assert samples_of({}, {Side.INPUT: rows_of([1.0], [0])}, np.array([1], np.uint64)) == {}
    assert merged(None, {}) in (None, {})
