"""Tally: the second pass over a table, which counts every row into the cells and steps it belongs to."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.cells import LabelCells, NumberCells
from streamer.core.baseline.distinct import Distinct, hashes_of
from streamer.core.rawrows import Cell
from streamer.core.schema import Feature, Kind
from streamer.core.settings import Limits
from streamer.core.values import codes_of, lengths_of, lookup_of, numbers_of

# The live side cuts longer texts before it measures them.
TEXT_CHARACTERS: Final = float(Limits().text_characters)


# Counting into all cells of all steps a block touches is faster up to so many of them for each row.
_DENSE: Final = 32


class Moments(NamedTuple):
    """Exact extremes and stable moments of all values of a number feature; population deviation."""

    mean: float
    deviation: float
    minimum: float
    maximum: float


class NumberTally:
    """Counts one number feature's rows.

    Parameters
    ----------
    feature : Feature
        Its kind says how cells are read.
    cells : NumberCells
        Where it is cut.

    Attributes
    ----------
    width : int
        Length of its counts: value cells, missing, mistyped.
    distinct : Distinct
        Of its values.
    """

    def __init__(self, feature: Feature, cells: NumberCells) -> None:
        self.feature = feature
        self.cells = cells
        self.width = len(cells.edges) + 3
        self.distinct = Distinct()
        # Infinity stands for the end of the values, so that NaN sorts behind it into the cell for missing ones.
        self._cuts = np.append(cells.edges, np.inf)
        self._rows = 0
        self._mean = self._squares = 0.0
        self._minimum, self._maximum = math.inf, -math.inf

    def add(self, column: Sequence[Cell]) -> NDArray[np.int64]:
        """Count a block's cells: index of each row in the counts, shape (rows,)."""
        if self.feature.kind is Kind.TEXT:
            numbers, mistyped = lengths_of(column)
            numbers = np.minimum(numbers, TEXT_CHARACTERS)
        else:
            numbers, mistyped = numbers_of(column)
        index = self._cuts.searchsorted(numbers)
        if mistyped is not None:
            index[mistyped] = self.width - 1
        values = numbers[~np.isnan(numbers)]
        if len(values):
            self._add_moments(values)
            self.distinct.add(hashes_of(values))
        return index

    def _add_moments(self, values: NDArray[np.float64]) -> None:
        """Merge a block's moments.

        References
        ----------
        T. F. Chan, G. H. Golub, R. J. LeVeque (1983), "Algorithms for computing the sample
        variance", The American Statistician 37, equation 2.1.
        """
        self._minimum = min(self._minimum, float(values.min()) + 0.0)
        self._maximum = max(self._maximum, float(values.max()) + 0.0)
        scaled = np.ldexp(values, -self.cells.scale)
        rows, mean = len(scaled), float(scaled.mean())
        apart = mean - self._mean
        both = self._rows + rows
        self._squares += float(np.square(scaled - mean).sum()) + apart * apart * self._rows * rows / both
        self._mean += apart * rows / both
        self._rows = both

    def moments(self) -> Moments | None:
        """Moments of all values so far; ``None`` where there is none."""
        if not self._rows:
            return None
        low, high = self._minimum, self._maximum
        if low == high:
            return Moments(low, 0.0, low, high)
        mean = math.ldexp(self._mean, self.cells.scale)
        deviation = math.ldexp(math.sqrt(self._squares / self._rows), self.cells.scale)
        return Moments(min(max(mean, low), high), deviation, low, high)


class LabelTally:
    """Counts one category feature's rows.

    Parameters
    ----------
    feature : Feature
        Known values.
    cells : LabelCells
        How many of them have cells.
    distinct : int
        Its different labels.

    Attributes
    ----------
    width : int
        Length of its counts: value cells, other, missing.
    """

    def __init__(self, feature: Feature, cells: LabelCells, distinct: int) -> None:
        self.feature = feature
        self.cells = cells
        self.distinct = distinct
        self.width = cells.cells + 2
        self._lookup = lookup_of(feature)
        # Behind the codes stand UNSEEN (-2) and MISSING (-1), which index from the end. Labels the
        # baseline holds and does not know, because they are too many, are others.
        others = [cells.cells] * (len(cells.values) - cells.cells + 1)
        self._index = np.array([*range(cells.cells), *others, cells.cells + 1], np.int64)

    def add(self, column: Sequence[Cell]) -> NDArray[np.int64]:
        """Count a block's cells: index of each row in the counts, shape (rows,)."""
        return self._index[codes_of(column, self._lookup)]


class Tally:
    """Counts of all features over the whole table and, where it has times, over its steps.

    Parameters
    ----------
    features : sequence of NumberTally or LabelTally
        In the baseline's order.
    steps : int
        Steps of the table's time; 0 without times.

    Attributes
    ----------
    by_step : ndarray, shape (steps, size), int32
        Rows of each step in each cell of every feature.
    rows_by_step : ndarray, shape (steps,), int64
        Rows of each step.
    """

    def __init__(self, features: Sequence[NumberTally | LabelTally], steps: int) -> None:
        self.features = features
        self._starts = np.cumsum([0, *(f.width for f in features)]).tolist()
        self._counts = np.zeros(self._starts[-1], np.int64)
        self.by_step = np.zeros((steps, self._starts[-1]), np.int32)
        self.rows_by_step = np.zeros(steps, np.int64)

    def add(self, columns: Sequence[Sequence[Cell]], step: NDArray[np.int64] | None) -> None:
        """Count a block.

        Parameters
        ----------
        columns : sequence of sequence of cell
            One for each feature.
        step : ndarray, shape (rows,), int64, or None
            Step of each row, -1 where its time can't be read; ``None`` without times.
        """
        timed = None if step is None else step >= 0
        rows = None if step is None else step[timed]
        if rows is not None:
            self.rows_by_step += np.bincount(rows, minlength=len(self.rows_by_step))
        for i, (feature, column) in enumerate(zip(self.features, columns, strict=True)):
            first, last = self._starts[i], self._starts[i + 1]
            index = feature.add(column)
            self._counts[first:last] += np.bincount(index, minlength=last - first)
            if rows is not None:
                self._add_steps(first, last, rows, index[timed])

    def _add_steps(self, first: int, last: int, rows: NDArray[np.int64], index: NDArray[np.int64]) -> None:
        if not len(rows):
            return
        low, width = int(rows.min()), last - first
        steps = int(rows.max()) - low + 1
        if steps * width <= _DENSE * len(rows):
            counts = np.bincount((rows - low) * width + index, minlength=steps * width)
            self.by_step[low : low + steps, first:last] += counts.reshape(steps, width).astype(np.int32)
        else:
            np.add.at(self.by_step.reshape(-1), rows * self.by_step.shape[1] + (index + first), 1)

    def counts(self, feature: int) -> NDArray[np.int64]:
        """One feature's counts over the whole table, shape (width,)."""
        return self._counts[self._starts[feature] : self._starts[feature + 1]]

    def steps_of(self, feature: int) -> NDArray[np.int32]:
        """One feature's counts by step, shape (steps, width), a view."""
        return self.by_step[:, self._starts[feature] : self._starts[feature + 1]]
