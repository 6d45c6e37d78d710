"""Window statistics: what one feature looked like in one window, beside its baseline."""

import math
from bisect import bisect_left
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.model import QUANTILES
from streamer.core.distances import Distances, distances_of
from streamer.core.layout import FeatureCells, Layout
from streamer.core.profile import Profile, distinct_of
from streamer.core.schema import Kind, Side


class Numbers(NamedTuple):
    """What only numbers have (texts: their lengths).

    Attributes
    ----------
    mean, deviation : float
        Of values cut at 512 baseline deviations; population deviation.
    minimum, maximum : float
        Extremes as they came: for comparison inside the core, never shown as they are.
    quantiles : tuple of float
        At ``QUANTILES``, from the cells.
    distinct : int
        Estimate; a floor beyond about 5,000.
    """

    mean: float
    deviation: float
    minimum: float
    maximum: float
    quantiles: tuple[float, ...]
    distinct: int


class FeatureStatistics(NamedTuple):
    """One feature of one window.

    Attributes
    ----------
    cells : FeatureCells
        The feature, its baseline, and where its cells stand.
    rows : int
        Rows of its side in the window.
    valued : int
        Rows with a usable value.
    missing, mistyped, unseen, other, below, above, wild : int
        Rows without a value; whose value is not of its kind; with a value the baseline does not
        know, or knows but has no cell for; outside the baseline's range (wild ones included); far
        outside.
    counts : ndarray, shape (all cells,), int64
        As they stand in the profile.
    live, past : ndarray, shape (compared,), int64
        Live and baseline rows over the cells compared: values outside the range fall to the end
        cells, unseen and other categories share one.
    distances : Distances or None
        From the baseline; ``None`` without values.
    numbers : Numbers or None
        ``None`` for categories, and where there is no value.
    """

    cells: FeatureCells
    rows: int
    valued: int
    missing: int
    mistyped: int
    unseen: int
    other: int
    below: int
    above: int
    wild: int
    counts: NDArray[np.int64]
    live: NDArray[np.int64]
    past: NDArray[np.int64]
    distances: Distances | None
    numbers: Numbers | None

    @property
    def name(self) -> str:
        """The feature's name."""
        return self.cells.baseline.feature.name

    @property
    def side(self) -> Side:
        """Half of the capture it is from."""
        return self.cells.baseline.feature.side

    def share(self, count: int) -> float:
        """A count as a share of the window's rows; 0 without rows."""
        return count / self.rows if self.rows else 0.0


def statistics_of(layout: Layout, profile: Profile) -> list[FeatureStatistics]:
    """Statistics of every feature of a window, in the baseline's order: ~250 us and ~25 us per feature."""
    compared = layout.compared
    distinct = distinct_of(profile.registers).tolist()
    counts = profile.counts.copy()
    cells = compared.cells(counts)
    live = compared.folded(cells)
    bounds = [*compared.folded_at.tolist(), len(live)]
    found = distances_of(compared, cells, profile.sums, profile.extremes)
    return [
        _feature(f, profile, counts[f.start : f.stop], live[a:b], compared.folded_past[a:b], distances, distinct)
        for f, (a, b), distances in zip(layout.features, pairwise(bounds), found, strict=True)
    ]


def _feature(
    cells: FeatureCells,
    profile: Profile,
    counts: NDArray[np.int64],
    live: NDArray[np.int64],
    past: NDArray[np.int64],
    distances: Distances | None,
    distinct: list[int],
) -> FeatureStatistics:
    rows = int(counts.sum())
    below = above = wild = mistyped = unseen = other = 0
    if cells.is_number:
        far_below, near_below, near_above, far_above, missing, mistyped = counts[[0, 1, -4, -3, -2, -1]].tolist()
        below, above, wild = far_below + near_below, near_above + far_above, far_below + far_above
    else:
        other, unseen, missing = counts[-3:].tolist()
    valued = rows - missing - mistyped
    has_numbers = distances is not None and cells.is_number
    return FeatureStatistics(
        cells=cells,
        rows=rows,
        valued=valued,
        missing=missing,
        mistyped=mistyped,
        unseen=unseen,
        other=other,
        below=below,
        above=above,
        wild=wild,
        counts=counts,
        live=live,
        past=past,
        distances=distances,
        numbers=_numbers(cells, profile, counts, valued, distinct) if has_numbers else None,
    )


def _numbers(
    cells: FeatureCells,
    profile: Profile,
    counts: NDArray[np.int64],
    n: int,
    distinct: list[int],
) -> Numbers:
    baseline, number = cells.baseline, cells.number
    total, squares = profile.sums[:, number].tolist()
    low, high = profile.extremes[:, number].tolist()
    variance = (squares * n - total * total) / (n * n)
    return Numbers(
        mean=baseline.center + baseline.unit * (total / n),
        deviation=baseline.unit * math.sqrt(variance),
        minimum=low,
        maximum=high,
        quantiles=_quantiles(cells, counts, low, high),
        distinct=distinct[number],
    )


def _quantiles(cells: FeatureCells, counts: NDArray[np.int64], low: float, high: float) -> tuple[float, ...]:
    """Quantiles by linear interpolation within cells; whole numbers for integer features."""
    baseline = cells.baseline
    floor, ceiling = baseline.minimum or 0.0, baseline.maximum or 0.0
    # Outside the baseline's range the live extremes bound the two outer cells.
    bounds = [min(low, floor), floor, *baseline.edges, ceiling, max(high, ceiling)]
    below, near_below, *inside, near_above, above, _, _ = counts.tolist()
    mass = [below + near_below, *inside, near_above + above]
    reached = list(accumulate(mass))
    found = []
    for quantile in QUANTILES:
        rank = quantile * reached[-1]
        i = bisect_left(reached, rank)
        part = (rank - (reached[i] - mass[i])) / mass[i] if mass[i] else 0.0
        # Weighted rather than left + (right - left) * x: the width of a cell may overflow.
        value = bounds[i] * (1 - part) + bounds[i + 1] * part
        found.append(float(math.ceil(value)) if baseline.feature.kind is Kind.INTEGER else value)
    return tuple(found)
