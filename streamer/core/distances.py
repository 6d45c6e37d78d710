"""Distances: how far each feature of a window is from the baseline, by the usual measures.

All are over cells, and cells are coarser than values: what moves within a cell is not seen, so PSI,
Jensen-Shannon, Hellinger and KS are at most those of the values themselves.

Finite samples of one law differ, too. What is a sum of squares (PSI, Jensen-Shannon, Hellinger,
chi-square) is too large by about the same whatever the true distance, and that mean is taken off
(chi-square: divided by). What is a sum or maximum of absolute differences (KS, L-infinity,
Wasserstein) is too large only where nothing changed, so nothing is taken off: about
``0.87 sqrt(1/n + 1/N)`` of KS. Rows are taken as independent but for chi-square.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.compared import Compared
from streamer.core.noise import noise_of
from streamer.core.wasserstein import wasserstein_of

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

# Added to every cell before logarithms are taken, so that an empty one is no infinity.
_SMOOTHING: Final = 0.5
# Of two samples of one law, one in 330 pairs is further apart than this times sqrt(1/n + 1/N).
_ROBUST: Final = 1.8
# The next float below 1, nearly: a cell that only one of the two has.
_ALONE: Final = 1 - 1e-15


class Distances(NamedTuple):
    """One feature of a window beside its baseline.

    Attributes
    ----------
    psi : float
        Population stability index less its mean under no change: it may be negative.
    ks : float or None
        Kolmogorov-Smirnov distance at the cuts between cells; ``None`` for categories.
    js : float
        Jensen-Shannon distance, 0 to 1.
    wasserstein : float or None
        First Wasserstein (earth mover's) distance, in baseline deviations; ``None`` for categories
        and where the baseline is constant.
    hellinger : float
        Hellinger distance, 0 to 1.
    chi_square : float or None
        Pearson's two-sample statistic per degree of freedom, corrected for the baseline's own
        dispersion: 1 in the mean under no change, and it grows with the rows. ``None`` with fewer
        than two cells in use.
    deviance : float or None
        The likelihood ratio statistic instead of Pearson's, else as ``chi_square``; not shown. Two
        rows of a category that the baseline had once in a million are no matter to it.
    chi_square_degrees : int
        Degrees of freedom of both.
    l_infinity_simple, l_infinity_robust : float
        As SageMaker Model Monitor's ``comparison_method`` ``Simple`` and ``Robust`` define them.
    """

    psi: float
    ks: float | None
    js: float
    wasserstein: float | None
    hellinger: float
    chi_square: float | None
    deviance: float | None
    chi_square_degrees: int
    l_infinity_simple: float
    l_infinity_robust: float


def distances_of(
    compared: Compared, cells: NDArray[np.int64], sums: NDArray[np.int64], extremes: NDArray[np.float64]
) -> list[Distances | None]:
    """Distances of all features of a window, in the baseline's order: ~250 us and ~6 us per feature.

    Parameters
    ----------
    compared : Compared
        The baseline's side.
    cells : ndarray, shape (cells,), int64
        The window's rows in each cell.
    sums, extremes : ndarray, shape (2, numbers)
        Of the window's profile.

    Returns
    -------
    list of Distances or None
        ``None`` where the window or the baseline has no value.
    """
    at, rows, past_rows = compared.at, np.add.reduceat(cells, compared.at), compared.rows
    n = np.maximum(rows, 1).astype(np.float64)
    noise = 1 / n + 1 / compared.known
    p, q = cells / n[compared.feature], compared.shares
    used = np.add.reduceat(((cells + compared.past) > 0).astype(np.int64), at)
    reached = compared.reached_by(cells) / n[compared.feature] - compared.reached
    simple = l_infinity(np.where(compared.is_number, reached, p - q), at)
    folded = compared.folded(cells)
    psi = psi_of(folded, compared.folded_past, compared.folded_at, compared.folded_feature)
    chi, deviance, degrees = chi_of(folded, compared.folded_past, compared.folded_at, compared.folded_feature)
    ks = np.maximum.reduceat(np.abs(reached) * compared.has_inner_end, at)
    moved = np.full(len(n), np.nan)
    moved[compared.numbers] = wasserstein_of(compared, reached, cells, n[compared.numbers], sums, extremes)
    columns = zip(
        rows.tolist(),
        past_rows.tolist(),
        psi.tolist(),
        ks.tolist(),
        _without_noise(jensen_shannon(p, q, at), (used - 1) * noise / (8 * math.log(2))).tolist(),
        moved.tolist(),
        _without_noise(hellinger(p, q, at), (used - 1) * noise / 8).tolist(),
        chi.tolist(),
        deviance.tolist(),
        degrees.tolist(),
        simple.tolist(),
        np.maximum(simple - _ROBUST * np.sqrt(noise), 0.0).tolist(),
        compared.features,
        strict=True,
    )
    found: list[Distances | None] = []
    for live, past, psi_, ks_, js, moved_, hellinger_, chi_, deviance_, degrees_, simple_, robust, f in columns:
        if not live or not past:
            found.append(None)
            continue
        variance = noise_of(f.dispersion_of("cells"), live, past).variance
        found.append(
            Distances(
                psi_,
                ks_ if f.feature.kind.is_number else None,
                js,
                moved_ if math.isfinite(moved_) else None,
                hellinger_,
                chi_ / variance if degrees_ > 0 else None,
                deviance_ / variance if degrees_ > 0 else None,
                max(degrees_, 0),
                simple_,
                robust,
            )
        )
    return found


def psi_of(live: _Ints, past: _Ints, at: _Ints, feature: _Ints) -> _Floats:
    """Population stability index of each feature less its mean under no change.

    For independent rows the mean is ``(cells - 1) (1/n + 1/N)``, less what smoothing takes away;
    without taking it off, small windows of features with many cells always seem to have drifted.
    It may come out negative.

    Parameters
    ----------
    live, past : ndarray, shape (cells,), int64
        Rows in each cell of all features.
    at : ndarray, shape (features,), int64
        First cell of each feature.
    feature : ndarray, shape (cells,), int64
        Feature of each cell.

    References
    ----------
    B. Yurdakul (2018), "Statistical properties of population stability index", Western Michigan
    University: the chi-square limit whose mean is taken off.
    """
    cells = np.bincount(feature)
    n, m = np.add.reduceat(live, at), np.add.reduceat(past, at)
    whole, whole_past = n + _SMOOTHING * cells, m + _SMOOTHING * cells
    p = (live + _SMOOTHING) / whole[feature]
    q = (past + _SMOOTHING) / whole_past[feature]
    # Smoothing draws both towards even shares, by n / (n + cells / 2).
    noise = n / whole**2 + m / whole_past**2
    psi: _Floats = np.add.reduceat((p - q) * np.log(p / q), at) - (cells - 1) * noise
    return psi


def chi_of(live: _Ints, past: _Ints, at: _Ints, feature: _Ints) -> tuple[_Floats, _Floats, _Ints]:
    """Pearson's two-sample statistic and the deviance per degree of freedom, sizes taken out; the degrees.

    Times ``1 / (1/n + 1/N)`` they have mean 1 under no change and independent rows, the deviance up to
    1.2 with about one row a cell. Degrees below 1 mean that there is none. Parameters are those of ``psi_of``.

    References
    ----------
    K. Pearson (1911), "On the probability that two independent distributions of frequency are really
    samples from the same population", Biometrika 8. J. N. K. Rao, A. J. Scott (1981), "The analysis
    of categorical data from complex sample surveys", Journal of the American Statistical Association
    76: dividing by the mean dispersion of the cells, as ``distances_of`` does.
    """
    n, m = np.maximum(np.add.reduceat(live, at), 1), np.maximum(np.add.reduceat(past, at), 1)
    both = live + past
    degrees: _Ints = np.add.reduceat((both > 0).astype(np.int64), at) - 1
    square = np.square(live / n[feature] - past / m[feature])
    # Cells without a row in either add nothing.
    terms = square * (n + m)[feature] / np.maximum(both, 1)
    expected = both * (n / (n + m))[feature], both * (m / (n + m))[feature]
    surprise = _surprise(live, expected[0]) + _surprise(past, expected[1])
    deviance: _Floats = 2 * np.add.reduceat(surprise, at) * (1 / n + 1 / m)
    least = np.maximum(degrees, 1)
    return np.add.reduceat(terms, at) / least, np.maximum(deviance, 0.0) / least, degrees


def _surprise(seen: _Ints, expected: _Floats) -> _Floats:
    ratio: _Floats = np.divide(seen, expected, out=np.ones(len(seen)), where=seen > 0)
    return np.log(ratio) * seen


def jensen_shannon(p: _Floats, q: _Floats, at: _Ints) -> _Floats:
    """Jensen-Shannon divergence of each feature in bits, 0 to 1; its root is a metric.

    Parameters
    ----------
    p, q : ndarray, shape (cells,), float64
        Shares, which sum to 1 in each feature.
    at : ndarray, shape (features,), int64
        First cell of each feature.

    References
    ----------
    J. Lin (1991), "Divergence measures based on the Shannon entropy", IEEE Transactions on
    Information Theory 37, eq. 4.1. D. M. Endres, J. E. Schindelin (2003), "A new metric for
    probability distributions", the same 49: the root.

    Notes
    -----
    Of two samples of one law it is ``(cells - 1) (1/n + 1/N) / (8 ln 2)`` in the mean, which is what is
    taken off before the root; at 2 to 4 rows a cell the mean is up to a quarter larger.
    """
    both = p + q
    # Each term is (1 + t) log(1 + t) + (1 - t) log(1 - t) and at least 0: nothing cancels.
    t = np.clip(np.divide(p - q, both, out=np.zeros_like(both), where=both > 0), -_ALONE, _ALONE)
    terms = both * ((1 + t) * np.log1p(t) + (1 - t) * np.log1p(-t))
    divergence: _Floats = np.add.reduceat(terms, at) / (4 * math.log(2))
    return divergence


def hellinger(p: _Floats, q: _Floats, at: _Ints) -> _Floats:
    """Squared Hellinger distance of each feature, 0 to 1; its root is a metric.

    Parameters are those of ``jensen_shannon``.

    References
    ----------
    E. Hellinger (1909), "Neue Begründung der Theorie quadratischer Formen von unendlichvielen
    Veränderlichen", Journal für die reine und angewandte Mathematik 136; scaled to 1 for laws
    without a common value.

    Notes
    -----
    Of two samples of one law it is ``(cells - 1) (1/n + 1/N) / 8`` in the mean, which is what is taken
    off before the root; at 2 to 4 rows a cell the mean is up to a half larger.
    """
    squared: _Floats = np.add.reduceat(np.square(np.sqrt(p) - np.sqrt(q)), at) / 2
    return squared


def l_infinity(difference: _Floats, at: _Ints) -> _Floats:
    """Largest absolute difference of each feature: ``Simple``.

    ``Robust`` is this less ``1.8 sqrt((n + N) / (n N))``, at least 0, with the true numbers of rows.

    Parameters
    ----------
    difference : ndarray, shape (cells,), float64
        Numbers: of the distribution functions, at each cell's end. Categories: of the shares.
    at : ndarray, shape (features,), int64
        First cell of each feature.

    References
    ----------
    Deequ (2023), ``analyzers/Distance.scala``, ``selectMetrics``, ``numericalDistance`` and
    ``categoricalDistance``; 1.8 is the two-sample Kolmogorov-Smirnov limit at 0.003 (D. E. Knuth,
    "The art of computer programming" 2, 3.3.1, eq. 15).

    Notes
    -----
    Numbers: below the largest difference of the values' own distribution functions by at most the
    largest ``min(p, q)`` of a cell. Deequ's sketch forgets how often a value is repeated; this does
    not, so that features of few different values are seen here. Categories: known ones without a cell
    of their own count as one, and so do all unseen ones.
    """
    largest: _Floats = np.maximum.reduceat(np.abs(difference), at)
    return largest


def _without_noise(squared: _Floats, noise: _Floats) -> _Floats:
    root: _Floats = np.sqrt(np.maximum(squared - noise, 0.0))
    return root
