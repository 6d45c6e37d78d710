import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.columns import MISSING, UNSEEN
from streamer.core.schema import Feature, Kind, Side
from streamer.core.values import codes_of, label_of, lengths_of, lookup_of, number_of, numbers_of, plain_numbers
from tests.strategies import cells


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1", 1.0), (" 4 ", 4.0), (".5", 0.5), ("5.", 5.0), ("+2", 2.0), ("1.2e-05", 1.2e-05), (7, 7.0), (2.5, 2.5)],
)
def test_a_number_is_read_in_any_usual_spelling(cell: object, number: float) -> None:
    assert number_of(cell) == number


@pytest.mark.parametrize("cell", ["", "  ", "nan", "NaN", "NULL", "na", "N/A", "None", None, math.nan])
def test_a_missing_number_is_nan(cell: object) -> None:
    found = number_of(cell)
    assert found is not None
    assert math.isnan(found)


@pytest.mark.parametrize("cell", ["x", "1_000", "１", "inf", "1e999", "0x10", True, False, 10**400, math.inf, [1]])
def test_what_is_no_finite_number_is_mistyped(cell: object) -> None:
    assert number_of(cell) is None


@given(st.lists(st.one_of(cells, st.floats(), st.integers(), st.booleans(), st.none())))
def test_a_column_means_what_its_cells_mean_one_by_one(values: list[object]) -> None:
    numbers, mistyped = numbers_of(values)
    expected = [number_of(value) for value in values]
    wrong = [number is None for number in expected]
    assert np.array_equal(numbers, np.array(expected, np.float64), equal_nan=True)
    assert (mistyped.tolist() if mistyped is not None else [False] * len(values)) == wrong


@given(st.lists(cells))
def test_a_column_of_texts_means_what_its_cells_mean_one_by_one(values: list[str]) -> None:
    numbers, _ = numbers_of(values)
    expected = np.array([number_of(value) for value in values], np.float64)
    assert np.array_equal(numbers, expected, equal_nan=True)


def test_a_column_of_no_cells_is_empty() -> None:
    numbers, mistyped = numbers_of([])
    assert len(numbers) == 0
    assert mistyped is None


def test_plain_numbers_are_refused_when_a_value_hides_a_comma() -> None:
    assert plain_numbers("1,2", 1) is None


def test_no_text_is_no_number_but_one_empty_cell_is_one_missing() -> None:
    empty, missing = plain_numbers("", 0), plain_numbers("", 1)
    assert empty is not None
    assert missing is not None
    assert len(empty) == 0
    assert np.isnan(missing).all()


@pytest.mark.parametrize(
    ("cell", "label"),
    [
        ("a", "a"),
        (" a ", "a"),
        (3, "3"),
        (3.0, "3"),
        (2.5, "2.5"),
        (True, "true"),
        ("NA", "NA"),
        (1e300, "1e+300"),
        ("3.0", "3"),
    ],
)
def test_a_label_is_one_text_whatever_the_format_said(cell: object, label: str) -> None:
    assert label_of(cell) == label


@pytest.mark.parametrize("cell", [None, "", " ", "nan", "NULL", math.nan])
def test_a_missing_label_is_none(cell: object) -> None:
    assert label_of(cell) is None


def test_codes_are_indices_missing_or_unseen() -> None:
    lookup = {"a": 0, "3": 1}
    assert codes_of(["a", " a", 3.0, "", None, "z"], lookup).tolist() == [0, 0, 1, MISSING, MISSING, UNSEEN]


def test_a_boolean_feature_knows_its_values_in_any_case() -> None:
    lookup = lookup_of(Feature(name="b", side=Side.INPUT, kind=Kind.BOOLEAN, values=("false", "true")))
    assert codes_of(["True", "TRUE", "true", True, "False", False], lookup).tolist() == [1, 1, 1, 1, 0, 0]


def test_texts_are_measured_in_characters() -> None:
    lengths, mistyped = lengths_of(["é", "abc", None, 12])
    assert np.array_equal(lengths, [1.0, 3.0, math.nan, 2.0], equal_nan=True)
    assert mistyped is None
