"""Patterns: how the scores of a number's values vary with time, and at which hours they differ."""

from collections.abc import Mapping
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
# Scores that follow the clock where the hour explains that part of their variance.
_OF_DAYS: Final = ("value", "rank")
_LEAST_EXPLAINED: Final = 0.5
_BY_DAY: Final = " by day"


class Patterns(NamedTuple):
    """What a baseline's steps tell of a number's values.

    Attributes
    ----------
    dispersion : dict of str to Dispersion
        Of the scores ``value``, ``rank``, ``spread``, ``rank spread``; where the hour explains most of the first
        two, over whole days, too: ``value by day``, ``rank by day``.
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
    value = standardised(means, counts)
    if value is None:
        return Patterns({}, {}, 0.0)
    sums = {name: by_step @ score for name, score in scores_of(means, counts).items()}
    dispersion, by_hour = over_time(sums, by_step.sum(axis=1).astype(np.float64), calendar)
    return Patterns(dispersion, by_hour, value[1])


def scores_of(means: NDArray[np.float64], counts: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Score of each cell by the scores' names, standardised over the counts; none of a constant.

    Parameters
    ----------
    means : ndarray, shape (cells,), float64
        Mean of each value cell.
    counts : ndarray, shape (cells,), int64
        Rows in each.
    """
    value, rank = standardised(means, counts), standardised(ranks_of(counts), counts)
    if value is None:
        return {}
    scores = {"value": value[0], "spread": spread_of(value[0])}
    if rank is not None:
        scores |= {"rank": rank[0], "rank spread": spread_of(rank[0])}
    several = {name: standardised(score, counts) for name, score in scores.items()}
    return {name: scaled[0] for name, scaled in several.items() if scaled is not None}


def over_time(
    sums: Mapping[str, NDArray[np.float64]], rows: NDArray[np.float64], calendar: Calendar | None
) -> tuple[dict[str, Dispersion], dict[str, tuple[float, ...]]]:
    """Dispersion of scores, and their means by hour, as of ``Patterns``.

    Parameters
    ----------
    sums : mapping of str to ndarray, shape (steps,), float64
        Of each score, whose variance is 1, over each step's rows.
    rows : ndarray, shape (steps,), float64
        Rows with a value.
    calendar : Calendar or None
        ``None``: no hours.
    """
    dispersion: dict[str, Dispersion] = {}
    by_hour: dict[str, tuple[float, ...]] = {}
    for name, raw in sums.items():
        # Rows without a time may have counted in the score.
        centred = raw - rows * (raw.sum() / max(rows.sum(), 1.0))
        found, profile = score_dispersion(centred, rows, calendar)
        if calendar is not None and np.abs(profile).max(initial=0.0) > _LEAST_PROFILE:
            by_hour[name] = short(profile)
            explained = float(rows @ np.square(profile[calendar.hour])) / max(rows.sum(), 1.0)
            follows = name in _OF_DAYS and explained >= _LEAST_EXPLAINED
            if follows and (of_days := day_dispersion(centred, rows, calendar)) is not None:
                dispersion[by_day(name)] = of_days
        if found is not None:
            dispersion[name] = found
    return dispersion, by_hour


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
