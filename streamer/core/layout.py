"""Layout: where each feature's cells stand in a profile's one vector of counts."""

import math
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.model import Baseline, FeatureBaseline
from streamer.core.compared import Compared, Piece
from streamer.core.rounding import rounded
from streamer.core.schema import Side

# A value this many baseline ranges outside the baseline's range is wild (demo.md 1).
FAR_RANGES: Final = 5.0
# Values are summed as whole grid units, at most this many from the centre: 512 deviations.
GRID_LIMIT: Final = 2.0**17
_LARGEST: Final = math.nextafter(math.inf, 0.0)


class FeatureCells(NamedTuple):
    """One feature's stretch of the counts.

    Attributes
    ----------
    baseline : FeatureBaseline
        The feature as it was in training.
    row : int
        Row in ``Columns.numbers`` or ``Columns.codes`` of its side.
    number : int
        Index among all number features of both sides; -1 for categories.
    start, stop : int
        Its slice of the counts. Numbers: far below, below, value cells, above, far above,
        missing, mistyped. Categories: value cells, other, unseen, missing.
    shares : tuple of float
        Of the baseline's rows in each cell, as documents show them: to three digits, which is a point
        of a picture.
    cuts : tuple of float
        Numbers: between the value cells, as documents show them.
    """

    baseline: FeatureBaseline
    row: int
    number: int
    start: int
    stop: int
    shares: tuple[float, ...]
    cuts: tuple[float, ...]

    @property
    def is_number(self) -> bool:
        """Whether it is binned as a number."""
        return self.number >= 0

    @property
    def values(self) -> slice:
        """Slice of the value cells alone."""
        return slice(self.start + 2, self.stop - 4) if self.is_number else slice(self.start, self.stop - 3)


class SideLayout(NamedTuple):
    """What is needed to count one side's columns.

    Attributes
    ----------
    edges : list of ndarray, float64
        For each number feature the cuts ``searchsorted`` uses, ending in infinity, so that NaN
        sorts behind it into the cell for missing values.
    padded : ndarray, shape (numbers, longest), float64
        The same cuts padded with NaN, for batches too small to be worth a loop over features.
    number_start : ndarray, shape (numbers, 1), int64
        Where each number feature's cells start.
    number_stop : ndarray, shape (numbers,), int64
        Where they end.
    category_start : ndarray, shape (categories, 1), int64
        Where each category feature's cells start.
    category_cells : list of ndarray, int64
        For each category feature: cell of each code, then of UNSEEN (-2), then of MISSING (-1).
    center, scale : ndarray, shape (numbers, 1), float64
        Grid of the sums: ``rint((x - center) * scale)``.
    first : int
        Index of its first number feature among all of both sides.
    """

    edges: list[NDArray[np.float64]]
    padded: NDArray[np.float64]
    number_start: NDArray[np.int64]
    number_stop: NDArray[np.int64]
    category_start: NDArray[np.int64]
    category_cells: list[NDArray[np.int64]]
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    first: int


class Layout:
    """The cells of one baseline.

    Parameters
    ----------
    baseline : Baseline
        Fixes cells, grid and order.

    Attributes
    ----------
    features : list of FeatureCells
        In the baseline's order.
    size : int
        Length of the counts.
    numbers : int
        Number features of both sides.
    sides : dict of Side to SideLayout
        What is needed to count.
    """

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline
        self.features: list[FeatureCells] = []
        self.sides: dict[Side, SideLayout] = {}
        self.size = 0
        self.numbers = 0
        placed: dict[int, FeatureCells] = {}
        for side in Side:
            mine = [(i, f) for i, f in enumerate(baseline.features) if f.feature.side is side]
            first = self.numbers
            numbers = [self._place(placed, i, f, n) for n, (i, f) in enumerate(_only(mine, number=True))]
            categories = [self._place(placed, i, f, n) for n, (i, f) in enumerate(_only(mine, number=False))]
            self.sides[side] = _side_layout(numbers, categories, first)
        self.features = [placed[i] for i in range(len(baseline.features))]
        self.units = np.array([f.baseline.unit for f in self._by_number()])
        self.centers = np.array([f.baseline.center for f in self._by_number()])

    @cached_property
    def compared(self) -> Compared:
        """The cells that windows are compared over, of all features at once."""
        return Compared([Piece(f.baseline, f.number, f.start, f.stop) for f in self.features], GRID_LIMIT)

    def _place(self, placed: dict[int, FeatureCells], at: int, f: FeatureBaseline, index: int) -> FeatureCells:
        length = len(f.counts) + (6 if f.feature.kind.is_number else 3)
        number = -1
        if f.feature.kind.is_number:
            number, self.numbers = self.numbers, self.numbers + 1
        shares = tuple(rounded(count / f.rows, 3) if f.rows else 0.0 for count in _baseline_counts(f))
        cuts = tuple(map(rounded, f.edges)) if f.feature.kind.is_number else ()
        placed[at] = FeatureCells(f, index, number, self.size, self.size + length, shares, cuts)
        self.size += length
        return placed[at]

    def _by_number(self) -> list[FeatureCells]:
        return sorted((f for f in self.features if f.is_number), key=lambda f: f.number)

    def baseline_counts(self, cells: FeatureCells) -> NDArray[np.int64]:
        """The baseline's own rows over one feature's cells, shape (stop - start,), int64."""
        return np.array(_baseline_counts(cells.baseline), np.int64)


def _baseline_counts(f: FeatureBaseline) -> list[int]:
    if f.feature.kind.is_number:
        below, above = (f.beyond[:2], f.beyond[2:]) if f.beyond else ((0, 0), (0, 0))
        return [*below, *f.counts, *above, f.missing, f.mistyped]
    return [*f.counts, f.other, *(f.beyond or (0,)), f.missing]


def _only(features: list[tuple[int, FeatureBaseline]], *, number: bool) -> list[tuple[int, FeatureBaseline]]:
    return [(i, f) for i, f in features if f.feature.kind.is_number is number]


def far_limits(f: FeatureBaseline) -> tuple[float, float]:
    """Values below the first or above the second are wild.

    A constant feature has no range: its own size (at least 1) stands in.
    """
    low, high = f.minimum or 0.0, f.maximum or 0.0
    span = high - low if high > low else max(abs(high), 1.0)
    biggest = _LARGEST
    return max(low - FAR_RANGES * span, -biggest), min(high + FAR_RANGES * span, biggest)


def _cuts(f: FeatureBaseline) -> NDArray[np.float64]:
    """Cuts for ``searchsorted(side="left")``: cell ``i`` holds ``cuts[i-1] < x <= cuts[i]``."""
    low, high = f.minimum or 0.0, f.maximum or 0.0
    far_low, far_high = far_limits(f)
    # A value equal to the minimum is inside: the cut is the next float below it.
    below = [math.nextafter(cut, -math.inf) for cut in (far_low, low)]
    return np.array([*below, *f.edges, high, far_high, np.inf])


def _side_layout(numbers: list[FeatureCells], categories: list[FeatureCells], first: int) -> SideLayout:
    edges = [_cuts(f.baseline) for f in numbers]
    padded = np.full((len(edges), max(map(len, edges), default=0)), np.nan)
    for row, cuts in zip(padded, edges, strict=True):
        row[: len(cuts)] = cuts
    cells = []
    for f in categories:
        n, known = len(f.baseline.counts), len(f.baseline.feature.values)
        cells.append(np.array([*range(n), *[n] * (known - n), n + 1, n + 2], np.int64))
    return SideLayout(
        edges,
        padded,
        np.array([f.start for f in numbers], np.int64).reshape(-1, 1),
        np.array([f.stop for f in numbers], np.int64),
        np.array([f.start for f in categories], np.int64).reshape(-1, 1),
        cells,
        np.array([f.baseline.center for f in numbers]).reshape(-1, 1),
        np.array([1.0 / f.baseline.unit for f in numbers]).reshape(-1, 1),
        first,
    )
