"""Hourly: what is kept of an hour's counts, and a day of it in few bytes however many rows there were.

How a score varies is known from its sums: of a number those of four scores are kept, not its cells;
of a category its most frequent values. They are told in a unit that is a part of the deviation of as
many independent rows, and rounded so that what one hour has too much the next one lacks: sums of
longer blocks are hardly touched. A day's cells are kept exactly, and so are an hour's rows.
"""

import bz2
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.dispersion import spread_of, standardised
from streamer.core.baseline.model import FeatureBaseline
from streamer.core.baseline.patterns import BEYOND, middles_of, scores_of
from streamer.core.errors import StateError
from streamer.core.layout import FeatureCells, Layout

HOURS: Final = 24
# The unit at most, as part of a deviation of independent rows, or of all their variance, so that a busy hour
# takes no more bytes. Rounding adds 4 % at most to the variance of an hour of independent rows, half of it to
# two; a sixth from 20,000 rows an hour on, and as much as they have themselves at 300,000: a shift of a
# hundredth of a deviation is sure in minutes then.
_FINE: Final = 0.5
_COARSE: Final = 1 / 128
_LEAST: Final = 2.0**-8
# Values of a category by hour; all others are counted together, and vary as all do in the mean.
_MOST_VALUES: Final = 6
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
    values : tuple of int
        Cells of a category that have a column each.
    first : int
        Of its columns.
    rows : int
        Column of its side's rows.
    """

    cells: slice
    weights: NDArray[np.float64]
    scores: tuple[str, ...]
    values: tuple[int, ...]
    first: int
    rows: int


class Series(NamedTuple):
    """What is known of one feature hour by hour.

    Attributes
    ----------
    rows, absent : ndarray, shape (hours,), int64
        All rows, and those without a usable value.
    cells : ndarray, shape (hours, values + 1), int32
        Of a category: rows of its most frequent values, and of all others that are known.
    values : tuple of int
        Cells of these.
    """

    rows: NDArray[np.int64]
    absent: NDArray[np.int64]
    cells: NDArray[np.int32]
    values: tuple[int, ...]


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
        self.width = self._sides = len(sides)
        self._places: list[_Place] = []
        for cells in layout.features:
            length = cells.stop - cells.start
            scores = _scores(layout, cells) if cells.is_number else {}
            values = () if cells.is_number else _frequent(layout, cells)
            columns = list(scores.values()) if cells.is_number else _told(length, values)
            absent = np.zeros(length)
            absent[-2 if cells.is_number else -1 :] = 1.0
            weights = np.array([*columns, absent]).T
            stretch, side = slice(cells.start, cells.stop), sides.index(cells.baseline.feature.side)
            self._places.append(_Place(stretch, weights, tuple(scores), values, self.width, side))
            self.width += weights.shape[1]
        self.scored = [place.first + i for place in self._places for i in range(len(place.scores))]
        # Of each column that of its side's rows and that of its feature's rows without a value.
        self._rows, self._absent = np.zeros(self.width, np.int64), np.zeros(self.width, np.int64)
        self._rows[: self._sides] = np.arange(self._sides)
        for place in self._places:
            own = slice(place.first, place.first + place.weights.shape[1])
            self._rows[own], self._absent[own] = place.rows, own.stop - 1
        self._least = np.ones(self.width)
        self._least[self.scored] = _LEAST

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
            values=place.values,
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
        rows = np.rint(hours[:, : self._sides])
        usual, power = self._known(rows, counts)
        told, left = np.empty((HOURS, self.width), np.int64), np.zeros(self.width)
        for hour, unit in enumerate(2.0**power):
            # What a busy hour leaves would be much to a quiet one.
            asked = hours[hour] - usual[hour] + np.clip(left, -unit / 2, unit / 2)
            told[hour] = np.rint(asked / unit)
            left = asked - told[hour] * unit
        # Without a sign, the small ones small.
        plain = np.where(told >= 0, 2 * told, -2 * told - 1)[:, self._sides :]
        return bz2.compress(_planes(rows.T.astype(np.int64)) + _planes(plain.T) + _planes(counts))

    def unpacked(self, packed: bytes) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """A day's hours and counts, as ``packed`` was given them, or nearly.

        Raises
        ------
        StateError
            Not a day of this layout.
        """
        try:
            data = np.frombuffer(bz2.decompress(packed), np.uint8)
        except (OSError, ValueError) as error:
            raise StateError("a day of weather can't be read") from error
        first, middle = 8 * HOURS * self._sides, 8 * HOURS * self.width
        if len(data) != middle + 8 * self.size:
            raise StateError("a day of weather is of other features")
        counts = _unplaned(data[middle:])
        rows = _unplaned(data[:first]).reshape(self._sides, HOURS).T.astype(np.float64)
        plain = _unplaned(data[first:middle]).reshape(-1, HOURS).T
        usual, power = self._known(rows, counts)
        usual[:, self._sides :] += (
            np.where(plain % 2 == 0, plain // 2, -(plain + 1) // 2) * 2.0 ** power[:, self._sides :]
        )
        return usual, counts

    def _known(
        self, rows: NDArray[np.float64], counts: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What each hour would have if it were like the day, and the unit of the difference, as a power of two.

        Parameters
        ----------
        rows : ndarray, shape (24, sides), float64
            Of each hour.
        counts : ndarray, shape (size,), int64
            Of the day.
        """
        whole = self.of(counts)
        share = whole / np.maximum(whole[self._rows], 1.0)
        # Of independent rows the variance of a score is one for each row with a value.
        varies = share * (1 - share)
        varies[self.scored] = (1 - share[self._absent])[self.scored]
        of_hour = rows[:, self._rows]
        like = of_hour * np.maximum(varies, 0.0)
        unit = np.maximum(np.maximum(_FINE * np.sqrt(like), _COARSE * like), self._least)
        power: NDArray[np.float64] = np.floor(np.log2(unit))
        return of_hour * share, power


def _planes(numbers: NDArray[np.int64]) -> bytes:
    # Bytes of one place in a number stand together, and hours of one column: both are alike.
    return numbers.astype("<i8").reshape(-1).view(np.uint8).reshape(-1, 8).T.tobytes()


def _unplaned(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.ascontiguousarray(data.reshape(8, -1).T).reshape(-1).view("<i8").astype(np.int64)


def _frequent(layout: Layout, cells: FeatureCells) -> tuple[int, ...]:
    """Cells of a category's most frequent values, in their order."""
    counts = layout.baseline_counts(cells)[: len(cells.baseline.counts)]
    return tuple(sorted(np.argsort(-counts, kind="stable")[:_MOST_VALUES].tolist()))


def _told(length: int, values: tuple[int, ...]) -> list[NDArray[np.float64]]:
    """What a row in each of a category's cells adds to the columns of its values, and to that of all others known."""
    others = np.ones(length)
    # Never seen, and no value.
    others[[*values, -2, -1]] = 0.0
    return [*np.eye(length)[list(values)], others]


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
