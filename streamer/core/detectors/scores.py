"""Scores: the directions in which a feature's distribution may move, as a number for each cell."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.dispersion import ranks_of, spread_of, standardised
from streamer.core.baseline.model import Dispersion, FeatureBaseline
from streamer.core.baseline.patterns import BEYOND, middles_of
from streamer.core.layout import FeatureCells, Layout
from streamer.core.types import Cause

_MOST: Final = 6.0
_MOST_SCORE: Final = 1e3
# Added to every cell: what was never seen is not impossible.
_SMOOTHING: Final = 0.5


class Direction(NamedTuple):
    """One way a feature may move.

    Attributes
    ----------
    name : str
        ``value``, ``rank``, ``spread``, ``missing``, or ``category``.
    cause : Cause
        What an alert about it is called.
    score : ndarray, shape (cells,), float64
        Of each of the feature's cells; mean 0 and variance 1 over the baseline's shares.
    dispersion : Dispersion
        How its block sums vary.
    by_hour : tuple of float
        Mean score by hour of day (24); empty where no hour differs.
    scale : float
        Of a spread: squared deviations that one of the score is worth.
    """

    name: str
    cause: Cause
    score: NDArray[np.float64]
    dispersion: Dispersion
    by_hour: tuple[float, ...]
    scale: float = 1.0


def shares_of(layout: Layout, cells: FeatureCells) -> NDArray[np.float64]:
    """The baseline's shares over a feature's cells, none of them 0; shape (cells,), float64."""
    counts = layout.baseline_counts(cells) + _SMOOTHING
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def directions_of(layout: Layout, cells: FeatureCells) -> list[Direction]:
    """Every direction of a feature in which its baseline varies at all.

    Parameters
    ----------
    layout : Layout
        Cells of the baseline.
    cells : FeatureCells
        The feature's.

    Returns
    -------
    list of Direction
        Fewer for one that is constant.
    """
    shares, f = shares_of(layout, cells), cells.baseline
    absent = absent_cells(cells)
    found: list[Direction] = []
    if cells.is_number:
        value = _scaled(_beyond(_standard(middles_of(f), f)), shares)
        ranks = _scaled(_beyond(_standard(ranks_of(np.array(f.counts, np.int64)), f)), shares)
        for name, spread_name, score in (("value", "spread", value), ("rank", "rank spread", ranks)):
            if score is None:
                continue
            found.append(Direction(name, Cause.DRIFT, score, f.dispersion_of(name), f.score_by_hour(name)))
            spread = standardised(spread_of(score) * ~absent, _as_rows(shares))
            if spread is not None:
                dispersion, hours = f.dispersion_of(spread_name), f.score_by_hour(spread_name)
                found.append(Direction("spread", Cause.DRIFT, _cut(spread[0]), dispersion, hours, spread[1]))
    else:
        counts = layout.baseline_counts(cells)
        for at in range(len(f.counts) + 1):
            one = np.zeros(len(shares))
            one[at] = 1.0
            score = _scaled(one, shares)
            if score is not None and counts[at]:
                own = f.shares.get(f.feature.values[at]) if at < len(f.counts) else None
                hours = _by_hour(own.by_hour if own else (), counts[at] / max(counts[:-1].sum(), 1), score)
                dispersion = own.dispersion if own else f.dispersion_of("cells")
                found.append(Direction("category", Cause.DRIFT, score, dispersion, hours))
    missing = _scaled(absent.astype(np.float64), shares)
    if missing is not None and f.missing + f.mistyped:
        hours = _by_hour(f.missing_by_hour, (f.missing + f.mistyped) / f.rows, missing)
        found.append(Direction("missing", Cause.MISSING, missing, f.dispersion_of("missing"), hours))
    return found


def unseen_cells(cells: FeatureCells) -> NDArray[np.bool_]:
    """Cells of values the baseline never had, shape (cells,)."""
    unseen = np.zeros(cells.stop - cells.start, np.bool_)
    if cells.is_number:
        unseen[[0, 1, -4, -3]] = True
    else:
        unseen[-2] = True
    return unseen


def absent_cells(cells: FeatureCells) -> NDArray[np.bool_]:
    """Cells of rows without a usable value, shape (cells,)."""
    absent = np.zeros(cells.stop - cells.start, np.bool_)
    absent[-1] = True
    if cells.is_number:
        absent[-2] = True
    return absent


def _by_hour(shares: tuple[float, ...], whole: float, score: NDArray[np.float64]) -> tuple[float, ...]:
    """Mean by hour of the score of one cell against the rest, from the cell's share by hour and of the whole."""
    step = float(score.max() - score.min())
    return tuple((share - whole) * step for share in shares)


def _scaled(score: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64] | None:
    found = standardised(score, _as_rows(shares))
    return None if found is None else _cut(found[0])


def _as_rows(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Shares as rows of a table of 2**40."""
    return np.round(shares * 2**40).astype(np.int64)


def _cut(score: NDArray[np.float64]) -> NDArray[np.float64]:
    cut: NDArray[np.float64] = np.clip(score, -_MOST_SCORE, _MOST_SCORE)
    return cut


def _standard(score: NDArray[np.float64], f: FeatureBaseline) -> NDArray[np.float64]:
    found = standardised(score, np.array(f.counts, np.int64))
    return np.zeros(len(score)) if found is None else np.clip(found[0], -_MOST, _MOST)


def _beyond(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores of all cells from those of the value cells: outside is further out, no value is no news."""
    low, high = min(score[0] * BEYOND, score[0]), max(score[-1] * BEYOND, score[-1])
    return np.array([low, low, *score, high, high, 0.0, 0.0])
