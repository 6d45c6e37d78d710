"""Hourly: what is kept of an hour's counts, and a day of it in few bytes however many rows there were.

How a score varies is known from its sums: of a number those of four scores are kept, not its cells.
They are told in a unit that is a part of the deviation of as many independent rows, and rounded so
that what one hour has too much the next one lacks: sums of longer blocks are hardly touched. A day's
cells are kept exactly.
"""

import bz2
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.dispersion import spread_of, standardised
from streamer.core.baseline.model import FeatureBaseline
from streamer.core.baseline.patterns import BEYOND, middles_of, scores_of
from streamer.core.layout import FeatureCells, Layout

HOURS: Final = 24
# The unit at most, as part of a deviation of independent rows, or of all rows, so that a busy hour takes no
# more bytes. Rounding adds 4 % at most to the variance of an hour of independent rows, half of it to two.
_FINE: Final = 0.5
_COARSE: Final = 1 / 128
_LEAST: Final = 2.0**-8
_SPREAD_OF: Final = {"spread": "value", "rank spread": "rank"}


class _Place(NamedTuple):
    """Columns of one feature.

    Attributes
    ----------
    cells : slice
        Its stretch of the counts.
    weights : ndarray, shape (cells, columns), float64
        What a row in each cell adds to each: scores, or cells, and rows without a usable value.
    scores : tuple of str
        Of a number.
    first : int
        Of its columns.
    rows : int
        Column of its side's rows.
    """

    cells: slice
    weights: NDArray[np.float64]
    scores: tuple[str, ...]
    first: int
    rows: int


class Series(NamedTuple):
    """What is known of one feature hour by hour.

    Attributes
    ----------
    rows, absent : ndarray, shape (hours,), int64
        All rows, and those without a usable value.
    cells : ndarray, shape (hours, cells), int32
        Of a category: rows of each value that has a cell, and of all others that are known.
    """

    rows: NDArray[np.int64]
    absent: NDArray[np.int64]
    cells: NDArray[np.int32]


class Hourly:
    """What is kept of counts.

    Parameters
    ----------
    layout : Layout
        Of the counts.

    Attributes
    ----------
    size : int
        Of the counts.
    width : int
        Numbers kept of an hour.
    scored : list of int
        Which of them are sums of scores; the others are counts.
    """

    def __init__(self, layout: Layout) -> None:
        self.size = layout.size
        sides = sorted({cells.baseline.feature.side for cells in layout.features})
        self.width = len(sides)
        self._places: list[_Place] = []
        for cells in layout.features:
            scores = _scores(layout, cells) if cells.is_number else {}
            weights = np.array(list(scores.values())).reshape(-1, cells.stop - cells.start).T
            if not cells.is_number:
                weights = np.eye(cells.stop - cells.start)[:, :-2]
            absent = np.zeros((cells.stop - cells.start, 1))
            absent[-2 if cells.is_number else -1 :] = 1.0
            weights = np.hstack([weights, absent])
            side = sides.index(cells.baseline.feature.side)
            self._places.append(_Place(slice(cells.start, cells.stop), weights, tuple(scores), self.width, side))
            self.width += weights.shape[1]
        self.scored = [place.first + i for place in self._places for i in range(len(place.scores))]
        # Of independent rows, the variance of a score's sum is as large as their number; of a count, as the count.
        self._like, self._least = np.arange(self.width), np.ones(self.width)
        for place in self._places:
            self._like[place.first : place.first + len(place.scores)] = place.rows
        self._least[self.scored] = _LEAST
        self._sides = len(sides)

    def of(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """What is kept of an hour, shape (width,), float64."""
        kept = np.empty(self.width)
        for place in self._places:
            mine = counts[place.cells]
            kept[place.rows] = mine.sum()
            kept[place.first : place.first + place.weights.shape[1]] = mine @ place.weights
        return kept

    def series(self, hours: NDArray[np.float64], feature: int) -> Series:
        """What hours, shape (hours, width), tell of a feature."""
        place = self._places[feature]
        own = hours[:, place.first : place.first + place.weights.shape[1]]
        return Series(
            rows=np.rint(hours[:, place.rows]).astype(np.int64),
            absent=np.rint(own[:, -1]).astype(np.int64),
            cells=np.rint(own[:, len(place.scores) : -1]).astype(np.int32),
        )

    def scores(
        self, hours: NDArray[np.float64], feature: int, counts: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        """Sums of a number's scores, shape (hours,) each, but for a constant for each row.

        Parameters
        ----------
        hours : ndarray, shape (hours, width), float64
        feature : int
        counts : ndarray, shape (cells,), int64
            Rows over which a score's variance is 1, as ``ended`` gives them.
        """
        place, found = self._places[feature], dict[str, NDArray[np.float64]]()
        shares = counts / max(int(counts.sum()), 1)
        for i, name in enumerate(place.scores):
            score, sums = place.weights[1:-3, i], hours[:, place.first + i]
            if name in _SPREAD_OF:
                # Around the mean as it is now.
                own = place.scores.index(_SPREAD_OF[name])
                moved = 2 * float(shares @ place.weights[1:-3, own])
                score, sums = score - moved * place.weights[1:-3, own], sums - moved * hours[:, place.first + own]
            scaled = standardised(score, counts)
            if scaled is not None:
                found[name] = sums / scaled[1]
        return found

    def packed(self, hours: NDArray[np.float64], counts: NDArray[np.int64]) -> bytes:
        """A day.

        Parameters
        ----------
        hours : ndarray, shape (24, width), float64
            What is kept of each.
        counts : ndarray, shape (size,), int64
            Rows in each cell, all day.
        """
        like = hours.mean(axis=0)[self._like]
        unit = np.maximum(np.maximum(_FINE * np.sqrt(like), _COARSE * like), self._least)
        unit[: self._sides] = 1.0
        power = np.floor(np.log2(unit)).astype(np.int8)
        told = np.diff(np.rint(np.cumsum(hours, axis=0) / 2.0**power), axis=0, prepend=0.0).astype(np.int64)
        # Without a sign, the small ones small.
        plain = np.where(told >= 0, 2 * told, -2 * told - 1)
        return bz2.compress(power.tobytes() + _planes(plain.T) + _planes(counts))

    def unpacked(self, packed: bytes) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """A day's hours and counts, as ``packed`` was given them, or nearly."""
        data = np.frombuffer(bz2.decompress(packed), np.uint8)
        power = data[: self.width].view(np.int8).astype(np.float64)
        middle = self.width * (1 + HOURS * 8)
        plain = _unplaned(data[self.width : middle]).reshape(self.width, HOURS).T
        told = np.where(plain % 2 == 0, plain // 2, -(plain + 1) // 2)
        return told * 2.0**power, _unplaned(data[middle:])


def _planes(numbers: NDArray[np.int64]) -> bytes:
    # Bytes of one place in a number stand together, and hours of one column: both are alike.
    return numbers.astype("<i8").reshape(-1).view(np.uint8).reshape(-1, 8).T.tobytes()


def _unplaned(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.ascontiguousarray(data.reshape(8, -1).T).reshape(-1).view("<i8").astype(np.int64)


def ended(by_cell: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows with a value from all of a number's cells, shape (..., cells): one cell on each side for those outside."""
    found: NDArray[np.int64] = np.add.reduceat(by_cell[..., :-2], [0, *range(2, by_cell.shape[-1] - 3)], axis=-1)
    return found


def _scores(layout: Layout, cells: FeatureCells) -> dict[str, NDArray[np.float64]]:
    """Scores of a number's cells, those of rows without a usable value 0."""
    # One row more in each: a baseline without any outside its range tells where they are, too.
    counts = ended(layout.baseline_counts(cells)) + 1
    several = scores_of(_middles(cells.baseline), counts)
    several |= {name: spread_of(several[score]) for name, score in _SPREAD_OF.items() if score in several}
    return {name: np.array([score[0], *score, score[-1], 0.0, 0.0]) for name, score in several.items()}


def _middles(f: FeatureBaseline) -> NDArray[np.float64]:
    """Where the value cells are, and those outside the range: as much further out as their scores are."""
    middles, counts = middles_of(f), np.array(f.counts)
    mean = float(counts @ middles) / max(int(counts.sum()), 1)
    apart = (middles - mean)[[0, -1]] * BEYOND
    return np.concatenate([[mean + apart[0]], middles, [mean + apart[1]]])
