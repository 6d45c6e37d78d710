"""Patterns: how the scores of a number's values vary with time, and at which hours they differ."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.dispersion import (
    day_dispersion,
    ranks_of,
    score_dispersion,
    short,
    spread_of,
    standardised,
)
from streamer.core.baseline.model import Dispersion, FeatureBaseline
from streamer.core.baseline.timeline import Calendar

# Below this an hour-of-day profile is rounding.
_LEAST_PROFILE: Final = 1e-9
# A value outside the baseline's range scores so many times its end cell's.
BEYOND: Final = 1.5
# Scores of which whole days are known.
OF_DAYS: Final = ("value", "rank")
_BY_DAY: Final = " by day"


class Patterns(NamedTuple):
    """What a baseline's steps tell of a number's values.

    Attributes
    ----------
    dispersion : dict of str to Dispersion
        Of the scores ``value``, ``rank``, ``spread``, ``rank spread``; where hours differ, of the first two
        over whole days, too: ``value by day``, ``rank by day``.
    by_hour : dict of str to tuple of float
        Their means by hour of day (24), where an hour differs.
    deviation : float
        Of the cells' means, values cut as they are: one deviation of the value's score.
    """

    dispersion: dict[str, Dispersion]
    by_hour: dict[str, tuple[float, ...]]
    deviation: float


def patterns_of(
    means: NDArray[np.float64], counts: NDArray[np.int64], by_step: NDArray[np.int32], calendar: Calendar | None
) -> Patterns:
    """Patterns of a number that varies; empty of a constant.

    Parameters
    ----------
    means : ndarray, shape (cells,), float64
        Mean of each value cell.
    counts : ndarray, shape (cells,), int64
        Rows in each.
    by_step : ndarray, shape (steps, cells), int32
        Rows of each step.
    calendar : Calendar or None
        ``None``: no hours.
    """
    found = Patterns({}, {}, 0.0)
    value = standardised(means, counts)
    if value is None:
        return found
    scores = {"value": value[0], "spread": spread_of(value[0])}
    rank = standardised(ranks_of(counts), counts)
    if rank is not None:
        scores |= {"rank": rank[0], "rank spread": spread_of(rank[0])}
    for name, score in scores.items():
        scaled = standardised(score, counts)
        if scaled is None:
            continue
        rows = by_step.sum(axis=1).astype(np.float64)
        sums = by_step @ scaled[0]
        # Rows without a time may have counted in the score.
        sums -= rows * (sums.sum() / max(rows.sum(), 1.0))
        dispersion, by_hour = score_dispersion(sums, rows, calendar)
        if dispersion is not None:
            found.dispersion[name] = dispersion
        if calendar is None or np.abs(by_hour).max(initial=0.0) <= _LEAST_PROFILE:
            continue
        found.by_hour[name] = short(by_hour)
        over_days = day_dispersion(sums, rows, calendar) if name in OF_DAYS else None
        if over_days is not None:
            found.dispersion[by_day(name)] = over_days
    return found._replace(deviation=value[1])


def by_day(score: str) -> str:
    """What the dispersion of a score over whole days is called."""
    return f"{score}{_BY_DAY}"


def is_by_day(name: str) -> bool:
    """Whether a dispersion's name is that of whole days."""
    return name.endswith(_BY_DAY)


def middles_of(f: FeatureBaseline) -> NDArray[np.float64]:
    """Middle of each value cell of a number, shape (cells,): values cut at 1 % and 99 %, over the larger of these."""
    low, high = f.minimum or 0.0, f.maximum or 0.0
    if f.quantiles and f.quantiles[0] < f.quantiles[-1]:
        low, high = f.quantiles[0], f.quantiles[-1]
    scale = max(abs(low), abs(high), 1e-300)
    bounds = np.clip(np.array([low, *f.edges, high]) / scale, low / scale, high / scale)
    # A value on a cut is in the cell below it: cells between two cuts that hold one value hold the upper.
    few = f.distinct == len(f.counts)
    middles: NDArray[np.float64] = bounds[1:] if few else (bounds[1:] + bounds[:-1]) / 2
    return middles
