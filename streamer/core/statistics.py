"""Window statistics: what one feature looked like in one window, beside its baseline."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.model import QUANTILES
from streamer.core.layout import FeatureCells, Layout
from streamer.core.profile import Profile, distinct_of
from streamer.core.schema import Kind, Side

# Added to every cell before logarithms are taken, so that an empty one is no infinity.
_SMOOTHING = 0.5


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
    ks : float
        Largest difference between live and baseline distribution functions at the cells' edges.
    """

    mean: float
    deviation: float
    minimum: float
    maximum: float
    quantiles: tuple[float, ...]
    distinct: int
    ks: float


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
    psi : float or None
        Population stability index with its mean under no change taken off; ``None`` without values.
    chi : float or None
        Pearson's two-sample statistic of ``live`` and ``past`` over its degrees of freedom, for
        independent rows, with both samples' sizes taken out: multiply by ``1 / (1/n + 1/N)``.
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
    psi: float | None
    chi: float | None
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
    """Statistics of every feature of a window, in the baseline's order: ~50 us per feature."""
    distinct = distinct_of(profile.registers).tolist()
    return [_feature(layout, cells, profile, distinct) for cells in layout.features]


def _feature(layout: Layout, cells: FeatureCells, profile: Profile, distinct: list[int]) -> FeatureStatistics:
    counts = profile.counts[cells.start : cells.stop].copy()
    base = layout.baseline_counts(cells)
    rows = int(counts.sum())
    below = above = wild = mistyped = unseen = other = 0
    if cells.is_number:
        far_below, near_below, near_above, far_above, missing, mistyped = counts[[0, 1, -4, -3, -2, -1]].tolist()
        below, above, wild = far_below + near_below, near_above + far_above, far_below + far_above
        live, past = counts[2:-4].copy(), base[2:-4]
        live[0] += below
        live[-1] += above
    else:
        other, unseen, missing = counts[-3:].tolist()
        live = np.append(counts[:-3], other + unseen)
        past = np.append(base[:-3], base[-3])
    valued = rows - missing - mistyped
    known = cells.baseline.rows - cells.baseline.missing - cells.baseline.mistyped
    comparable = valued > 0 and known > 0
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
        psi=psi_of(live, past) if comparable else None,
        chi=chi_of(live, past) if comparable else None,
        numbers=_numbers(cells, profile, counts, live, past, distinct) if comparable and cells.is_number else None,
    )


def psi_of(live: NDArray[np.int64], past: NDArray[np.int64]) -> float:
    """Population stability index of two samples less its mean under no change.

    For independent rows the mean is ``(cells - 1) (1/n + 1/N)``, less what smoothing takes away;
    without taking it off, small windows of features with many cells always seem to have drifted.
    It may come out negative.

    Parameters
    ----------
    live, past : ndarray, shape (cells,), int64
        Rows in each cell; neither is empty.

    References
    ----------
    B. Yurdakul (2018), "Statistical properties of population stability index", Western Michigan
    University: the chi-square limit whose mean is taken off.
    """
    cells = len(live)
    n, m = int(live.sum()), int(past.sum())
    p = (live + _SMOOTHING) / (n + _SMOOTHING * cells)
    q = (past + _SMOOTHING) / (m + _SMOOTHING * cells)
    # Smoothing draws both towards even shares, by n / (n + cells / 2).
    noise = n / (n + _SMOOTHING * cells) ** 2 + m / (m + _SMOOTHING * cells) ** 2
    return float(((p - q) * np.log(p / q)).sum()) - (cells - 1) * noise


def chi_of(live: NDArray[np.int64], past: NDArray[np.int64]) -> float | None:
    """Pearson's two-sample statistic per degree of freedom, sample sizes taken out.

    Returns
    -------
    float or None
        Times ``1 / (1/n + 1/N)`` it has mean 1 under no change and independent rows; ``None`` with
        fewer than two cells in use.
    """
    n, m = int(live.sum()), int(past.sum())
    used = (live + past) > 0
    if used.sum() < 2:
        return None
    p, q = live[used] / n, past[used] / m
    together = (live[used] + past[used]) / (n + m)
    return float(((p - q) ** 2 / together).sum()) / (int(used.sum()) - 1)


def _numbers(
    cells: FeatureCells,
    profile: Profile,
    counts: NDArray[np.int64],
    live: NDArray[np.int64],
    past: NDArray[np.int64],
    distinct: list[int],
) -> Numbers:
    baseline, number = cells.baseline, cells.number
    n, m = int(live.sum()), int(past.sum())
    total, squares = profile.sums[:, number].tolist()
    low, high = profile.extremes[:, number].tolist()
    variance = (squares * n - total * total) / (n * n)
    ks = float(np.abs(np.cumsum(live) / n - np.cumsum(past) / m).max())
    return Numbers(
        mean=baseline.center + baseline.unit * (total / n),
        deviation=baseline.unit * math.sqrt(variance),
        minimum=low,
        maximum=high,
        quantiles=_quantiles(cells, counts, low, high),
        distinct=distinct[number],
        ks=ks,
    )


def _quantiles(cells: FeatureCells, counts: NDArray[np.int64], low: float, high: float) -> tuple[float, ...]:
    """Quantiles by linear interpolation within cells; whole numbers for integer features."""
    baseline = cells.baseline
    floor, ceiling = baseline.minimum or 0.0, baseline.maximum or 0.0
    inner = np.array([floor, *baseline.edges, ceiling])
    # Outside the baseline's range the live extremes bound the two outer cells.
    bounds = np.concatenate([[min(low, floor)], inner, [max(high, ceiling)]])
    mass = np.concatenate([[counts[0] + counts[1]], counts[2:-4], [counts[-4] + counts[-3]]])
    reached = np.cumsum(mass)
    total = int(reached[-1])
    found = []
    for quantile in QUANTILES:
        rank = quantile * total
        i = min(int(np.searchsorted(reached, rank)), len(mass) - 1)
        inside = (rank - (reached[i] - mass[i])) / mass[i] if mass[i] else 0.0
        left, right = float(bounds[i]), float(bounds[i + 1])
        # Weighted rather than left + (right - left) * x: the width of a cell may overflow.
        value = left * (1 - inside) + right * inside
        found.append(float(math.ceil(value)) if baseline.feature.kind is Kind.INTEGER else value)
    return tuple(found)
