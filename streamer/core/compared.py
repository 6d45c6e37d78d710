"""What is compared: the cells of all features of a baseline side by side, and where they stand."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.model import QUANTILES, FeatureBaseline


class Piece(NamedTuple):
    """One feature's stretch of a profile's counts.

    Attributes
    ----------
    baseline : FeatureBaseline
        The feature as it was in training.
    number : int
        Index among all number features; -1 for categories.
    start, stop : int
        Its slice of the counts, ordered as ``layout.FeatureCells`` says.
    """

    baseline: FeatureBaseline
    number: int
    start: int
    stop: int


class Compared:
    """Cells with a value of all features, in one vector, beside the baseline's.

    Twice: ``cells`` keep apart what the baseline never had (a cell below its range and one above, one
    for unseen categories). Folded, these fall to the end cells and to the rare categories: a
    logarithm or a square over a cell that is empty in the baseline would make much of a single row.

    Parameters
    ----------
    pieces : sequence of Piece
        The features in the baseline's order; together they are all of the counts, in any order.
    limit : float
        Values are cut so many grid units from the centre, as their sums are.

    Attributes
    ----------
    at, folded_at : ndarray, shape (features,), int64
        First cell of each feature.
    feature, folded_feature : ndarray, shape (cells,), int64
        Feature of each cell.
    past, folded_past : ndarray, shape (cells,), int64
        Rows of the baseline.
    rows : ndarray, shape (features,), int64
        Rows of the baseline with a value.
    known : ndarray, shape (features,), float64
        The same, at least 1, to divide by.
    shares, reached : ndarray, shape (cells,), float64
        Of the baseline's rows with a value: those in the cell, and those up to its end.
    is_number : ndarray, shape (cells,), bool
        Whether the cells have an order.
    has_inner_end : ndarray, shape (cells,), bool
        Number cells that end at a cut between two cells of the baseline.
    numbers : ndarray, shape (numbers,), int64
        Which features are numbers, in the order of the profile's sums.
    width : ndarray, shape (cells,), float64, grid units
        0 outside the baseline's range and for categories.
    place : ndarray, shape (cells,), float64
        Where in the cell its rows stand in the baseline, in the mean: 0 at the lower end, 1 at the upper.
    bottom, top, mean, center, unit, deviation : ndarray, shape (numbers,), float64
        Range and mean in grid units from the centre; the grid; the deviation, NaN where it is 0.
    """

    def __init__(self, pieces: Sequence[Piece], limit: float) -> None:
        self.limit = limit
        self.features = [piece.baseline for piece in pieces]
        starts: list[int] = []
        kept: list[bool] = []
        folds: list[bool] = []
        inner: list[bool] = []
        past: list[int] = []
        lengths: list[int] = []
        for piece in pieces:
            counts = piece.baseline.counts
            if piece.number >= 0:
                first, k = piece.start, len(counts)
                starts += [first, *range(first + 2, first + 2 + k), piece.stop - 4, piece.stop - 2]
                past += [0, *counts, 0]
                # The cell below goes with the first, the cell above with the last.
                folds += [True, False, *[True] * (k - 1), False]
                inner += [False, *[True] * (k - 1), False, False]
            else:
                starts += range(piece.start, piece.stop)
                past += [*counts, piece.baseline.other, 0]
                folds += [*[True] * len(counts), True, False]
                inner += [False] * (len(counts) + 2)
            lengths.append(len(past) - sum(lengths))
            kept += [*[True] * lengths[-1], False]
        # Sums run from one start to the next, so they are taken in the order of the counts.
        order = np.argsort(starts)
        self._starts = np.array(starts, np.int64)[order]
        self._kept = np.argsort(order)[kept]
        self._folds = np.flatnonzero(folds)
        self.at = np.append(0, np.cumsum(lengths))[:-1].astype(np.int64)
        self.feature = np.repeat(np.arange(len(pieces)), lengths)
        self.folded_feature = self.feature[self._folds]
        self.folded_at = np.searchsorted(self._folds, self.at)
        self.past = np.array(past, np.int64)
        self.folded_past = self.folded(self.past)
        self.rows = np.add.reduceat(self.past, self.at)
        self.known = np.maximum(self.rows, 1).astype(np.float64)
        self.shares = self.past / self.known[self.feature]
        self.reached = self.reached_by(self.past) / self.known[self.feature]
        self.is_number = np.repeat([piece.number >= 0 for piece in pieces], lengths)
        self.has_inner_end = np.array(inner, np.bool_)
        self._place(pieces)

    def _place(self, pieces: Sequence[Piece]) -> None:
        """Where the cells of the numbers stand, in grid units."""
        self.numbers = np.array([i for i, piece in enumerate(pieces) if piece.number >= 0], np.int64)
        self.numbers = self.numbers[np.argsort([pieces[i].number for i in self.numbers])]
        chosen = [pieces[i].baseline for i in self.numbers]
        self.center = np.array([f.center for f in chosen])
        self.unit = np.array([f.unit for f in chosen])
        self.bottom = self.on_grid(np.array([f.minimum or 0.0 for f in chosen]))
        self.top = self.on_grid(np.array([f.maximum or 0.0 for f in chosen]))
        self.mean = self.on_grid(np.array([f.mean or 0.0 for f in chosen]))
        self.deviation = np.array([f.deviation or np.nan for f in chosen])
        self.width = np.zeros(len(self.past))
        self.place = np.full(len(self.past), 0.5)
        for i, f, center, unit in zip(self.numbers, chosen, self.center, self.unit, strict=True):
            cuts = _on_grid(np.array([f.minimum or 0.0, *f.edges, f.maximum or 0.0]), center, unit, self.limit)
            known = _on_grid(np.array(f.quantiles), center, unit, self.limit)
            cells = slice(self.at[i] + 1, self.at[i] + 1 + len(f.counts))
            self.width[cells] = np.diff(cuts)
            self.place[cells] = _places(f, cuts, known)

    def on_grid(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """One value of each number, shape (numbers,), in grid units from its centre and cut at the limit."""
        return _on_grid(values, self.center, self.unit, self.limit)

    def cells(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of a profile in each cell."""
        cells: NDArray[np.int64] = np.add.reduceat(counts, self._starts)[self._kept]
        return cells

    def folded(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows in each folded cell."""
        folded: NDArray[np.int64] = np.add.reduceat(cells, self._folds)
        return folded

    def reached_by(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of each feature up to the end of each cell."""
        reached = np.cumsum(cells)
        before = reached[self.at] - cells[self.at]
        upto: NDArray[np.int64] = reached - before[self.feature]
        return upto


def _places(f: FeatureBaseline, cuts: NDArray[np.float64], quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean place of the baseline's rows in each cell of a number, 0 to 1.

    The upper end where there are no more different values than cells, so that each has its own; else
    the distribution function is straight between the cuts and the quantiles that are known. Without
    them most rows of a wide last cell would seem far out in the tail.
    """
    if 0 < f.distinct <= len(f.counts):
        return np.ones(len(f.counts))
    reached = np.append(0, np.cumsum(f.counts)) / max(sum(f.counts), 1)
    inside = (quantiles > cuts[0]) & (quantiles < cuts[-1])
    knots = np.concatenate([cuts, quantiles[inside]])
    # A quantile comes from a sample: the cells around it know better how far it may be.
    at = np.searchsorted(cuts, quantiles[inside])
    heights = np.clip(np.array(QUANTILES)[: len(quantiles)][inside], reached[at - 1], reached[at])
    order = np.argsort(knots, kind="stable")
    knots, heights = knots[order], np.maximum.accumulate(np.append(reached, heights)[order])
    area = np.append(0.0, np.cumsum(np.diff(knots) * (heights[1:] + heights[:-1]) / 2))
    under = np.diff(area[np.searchsorted(knots, cuts)]) - np.diff(cuts) * reached[:-1]
    whole = np.diff(cuts) * np.diff(reached)
    filled = np.divide(under, whole, out=np.full(len(whole), 0.5), where=whole > 0)
    places: NDArray[np.float64] = np.clip(1.0 - filled, 0.0, 1.0)
    return places


def _on_grid(
    values: NDArray[np.float64], center: NDArray[np.float64], unit: NDArray[np.float64], limit: float
) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):  # a value too large for the grid becomes infinite, then is cut
        return np.clip((values - center) * (1.0 / unit), -limit, limit)
