"""Columns: the rows of one side of many records, as arrays the profile can count."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MISSING = -1
UNSEEN = -2


class Columns(NamedTuple):
    """Rows of one side, feature-major.

    Attributes
    ----------
    numbers : ndarray, shape (numbers, rows), float64
        Numeric, integer and text features (texts: length in characters) in schema order;
        NaN is missing or mistyped, every other value is finite.
    mistyped : ndarray, shape (numbers, rows), bool, or None
        Where a number was expected and something else stood; ``None``: nowhere.
    codes : ndarray, shape (categories, rows), int32
        Category and boolean features in schema order: index into ``Feature.values``,
        ``MISSING`` or ``UNSEEN``.
    record : ndarray, shape (rows,), int64, ascending
        Index of the record each row belongs to.
    """

    numbers: NDArray[np.float64]
    mistyped: NDArray[np.bool_] | None
    codes: NDArray[np.int32]
    record: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.record)

    def between(self, first: int, last: int) -> "Columns":
        """Rows ``first`` to ``last`` (exclusive), as views."""
        return Columns(
            self.numbers[:, first:last],
            None if self.mistyped is None else self.mistyped[:, first:last],
            self.codes[:, first:last],
            self.record[first:last],
        )

    def take(self, index: NDArray[np.int64]) -> "Columns":
        """Rows by index, in that order."""
        return Columns(
            self.numbers[:, index],
            None if self.mistyped is None else self.mistyped[:, index],
            self.codes[:, index],
            self.record[index],
        )


def no_columns(numbers: int, categories: int) -> Columns:
    """Columns of no rows."""
    return Columns(
        np.empty((numbers, 0)),
        None,
        np.empty((categories, 0), np.int32),
        np.empty(0, np.int64),
    )
