"""Cells: where to cut a feature's values, which labels get a cell, and on which grid values are summed."""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.model import QUANTILES
from streamer.core.baseline.survey import MOST_LABELS, ranked

CELLS: Final = 24
# A cell of fewer sampled rows tells chance from drift too rarely to be worth its place.
_LEAST_ROWS: Final = 10
# Values repeat at least so often where each has a cell of its own.
_REPEATS: Final = 4
# A label, or a run of rare values between frequent ones, has a cell from so many rows on.
_RARE_ROWS: Final = 5
_LABEL_CELLS: Final = 50
# Grid units in one deviation: 256 of them, so that the grid's limit is 512 deviations.
_UNITS: Final = 8
# A smaller unit, a subnormal number, has no finite inverse.
_LEAST_EXPONENT: Final = -1022


class NumberCells(NamedTuple):
    """How a number feature is cut.

    Attributes
    ----------
    edges : ndarray, shape (cells - 1,), float64, ascending
        A value on an edge is in the cell below it.
    quantiles : tuple of float
        At ``QUANTILES``, by order statistics of the sample; empty where the sample has no value.
    means : ndarray, shape (cells,), float64
        Mean of each cell's sampled values, values cut at the 1 % and 99 % quantiles; in ``scale``.
    scale : int
        Power of two that brings the largest value between 1 and 2.
    """

    edges: NDArray[np.float64]
    quantiles: tuple[float, ...]
    means: NDArray[np.float64]
    scale: int


class LabelCells(NamedTuple):
    """How a category is cut.

    Attributes
    ----------
    values : tuple of str
        Known labels, most frequent first.
    cells : int
        So many of the first have a cell each; the rest share one.
    """

    values: tuple[str, ...]
    cells: int


class Grid(NamedTuple):
    """Where values are summed: whole multiples of ``unit`` from ``center``."""

    unit: float
    center: float


def number_cells(
    sample: NDArray[np.float64], few: NDArray[np.float64] | None, values: int, biggest: float
) -> NumberCells:
    """Cut a number feature.

    Parameters
    ----------
    sample : ndarray, shape (n,), float64, ascending
        Sampled values.
    few : ndarray, float64, ascending, or None
        Every different value, where they are few.
    values : int
        Rows with a value.
    biggest : float
        Largest absolute value.
    """
    repeats = few is not None and len(few) > 0 and values >= _REPEATS * len(few)
    edges = few[:-1] if few is not None and repeats else _edges(sample)
    quantiles = tuple(float(sample[max(math.ceil(q * len(sample)) - 1, 0)]) for q in QUANTILES) if len(sample) else ()
    scale = scale_of(biggest)
    return NumberCells(edges, quantiles, _means(sample, edges, quantiles, scale), scale)


def _edges(sample: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cuts into cells of about equal rows; a value as frequent as a whole cell has one to itself."""
    distinct, rows = np.unique(sample, return_counts=True)
    target = len(sample) / min(CELLS, max(len(sample) // _LEAST_ROWS, 1))
    cuts: set[int] = set()  # a cut behind each of these distinct values
    first = 0
    for at in [*np.flatnonzero(rows >= target).tolist(), len(distinct)]:
        run = rows[first:at]
        mass = int(run.sum())
        if mass >= _RARE_ROWS or (mass and first == 0):
            parts = max(round(mass / target), 1)
            ends = np.searchsorted(np.cumsum(run), np.arange(1, parts) * (mass / parts))
            cuts.update((first + ends).tolist())
            cuts.add(at - 1)
        cuts.add(at)
        first = at + 1
    return distinct[sorted(cut for cut in cuts if cut < len(distinct) - 1)]


def _means(
    sample: NDArray[np.float64], edges: NDArray[np.float64], quantiles: tuple[float, ...], scale: int
) -> NDArray[np.float64]:
    if not quantiles:
        return np.zeros(len(edges) + 1)
    low, high = (quantiles[0], quantiles[-1]) if quantiles[0] < quantiles[-1] else (sample[0], sample[-1])
    cut = np.ldexp(np.clip(sample, low, high), -scale)
    cell = np.searchsorted(edges, sample)
    rows = np.bincount(cell, minlength=len(edges) + 1)
    sums = np.bincount(cell, weights=cut, minlength=len(edges) + 1)
    # A rare value that is not in the sample stands at its edge.
    at_edge = np.ldexp(np.clip([*edges, sample[-1]], low, high), -scale)
    return np.where(rows > 0, sums / np.maximum(rows, 1), at_edge)


def label_cells(labels: Mapping[str, int], always: tuple[str, ...] = ()) -> LabelCells:
    """Known labels of a category, and how many of them have cells.

    Parameters
    ----------
    labels : mapping of str to int
        Rows of each label.
    always : tuple of str
        Labels that are known even without a row.
    """
    order = ranked({**dict.fromkeys(always, 0), **labels})[:MOST_LABELS]
    cells = sum(rows >= _RARE_ROWS for _, rows in order[:_LABEL_CELLS])
    return LabelCells(tuple(label for label, _ in order), cells)


def grid_of(mean: float, deviation: float, biggest: float) -> Grid:
    """Grid of exact sums for values of such a mean and deviation.

    A constant feature has no deviation: its own size (at least 1) stands in. Where values are so
    large that float64 has no finer steps, the unit is one such step.
    """
    size = deviation if deviation > 0 else max(abs(mean), 1.0)
    exponent = max(round(math.log2(size)) - _UNITS, _exponent(biggest) - 52, _LEAST_EXPONENT)
    unit = math.ldexp(1.0, exponent)
    # Towards 0: away from it the largest numbers would overflow.
    return Grid(unit, math.trunc(mean / unit) * unit)


def scale_of(biggest: float) -> int:
    """Exponent that brings a number between 1 and 2, so that squares neither overflow nor vanish."""
    return _exponent(biggest) if biggest > 0 else 0


def _exponent(value: float) -> int:
    """Largest ``e`` with ``2**e <= value``; far below everything for 0."""
    return math.frexp(value)[1] - 1 if value > 0 else -2000
