"""Traffic: how the features of an endpoint move together with the hours and days, by family.

References
----------
design: ``detection.md`` 8.2 (the families and their sizes).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.bench.detection.sources import Feature, Recorded, independent, moving

Array = NDArray[np.float64]

FEATURES: Final = 20
# The first ones move together with the time, the others never.
_CLUSTERED: Final = FEATURES // 2
_ROWS: Final = 500
# Of the real series, whose hours have a value each.
_RECORDED_ROWS: Final = 200
_RECORDED_BESIDE: Final = 6
WEEK: Final = 168
# Of panes.
_FINE_ROWS: Final = 50
_JITTER: Final = 0.1
_LEAST_SHOCK: Final = 0.05


class Family(StrEnum):
    """A kind of traffic."""

    IID = "iid"
    HOUR = "hour"
    DAY = "day"
    MIX = "mix"
    METRO = "metro"
    ELEC = "elec"
    AIR = "air"


RECORDED: Final = (Family.METRO, Family.ELEC, Family.AIR)


def fine(family: Family) -> int:
    """Panes of 50 rows in a family's mean hour."""
    return (_RECORDED_ROWS if family in RECORDED else _ROWS) // _FINE_ROWS


class Traffic(NamedTuple):
    """An endpoint's features and rows, hour by hour from a midnight on.

    Attributes
    ----------
    features : list of Feature
    clustered : int
        So many of the first move with the time.
    rows : ndarray, shape (hours,), int64
    """

    features: list[Feature]
    clustered: int
    rows: NDArray[np.int64]


def traffic(family: Family, days: int, series: Mapping[Family, Array], rng: np.random.Generator) -> Traffic:
    """Draw an endpoint's traffic.

    Parameters
    ----------
    family : Family
    days : int
    series : mapping of Family to ndarray, shape (hours, features), float64
        Recorded in the open; whole weeks of them are drawn with replacement.
    rng : numpy.random.Generator
    """
    hours = days * 24
    if family in RECORDED:
        recorded = series[family]
        week = rng.integers(0, len(recorded) // WEEK, -(-hours // WEEK))
        states = (week[:, None] * WEEK + np.arange(WEEK)).ravel()[:hours]
        features = [Feature(Recorded(values), states, 0.0) for values in recorded.T]
        beside = [independent(i, hours) for i in range(_RECORDED_BESIDE)]
        return Traffic(features + beside, len(features), np.full(hours, _RECORDED_ROWS, np.int64))
    moves = _moves(family, days, rng)
    rows = np.full(hours, _ROWS, np.int64)
    if family is Family.MIX:
        rows = rng.poisson(_ROWS * (1 + 0.5 * np.sin(2 * np.pi * (np.arange(hours) % 24 - 9) / 24)))
    clustered = [moving(i, own) for i, own in enumerate(moves.T)]
    return Traffic(clustered + [independent(i, hours) for i in range(len(clustered), FEATURES)], len(clustered), rows)


def _moves(family: Family, days: int, rng: np.random.Generator) -> Array:
    """Moves of the clustered features' means, in deviations, shape (hours, clustered)."""
    hours = days * 24
    match family:
        case Family.HOUR:
            return _JITTER * rng.normal(size=(hours, _CLUSTERED))
        case Family.DAY:
            return _of_days(days, rng)
        case Family.MIX:
            return _of_days(days, rng) + _of_cycles(days, rng)
        case _:
            return np.zeros((hours, 0))


def _of_days(days: int, rng: np.random.Generator) -> Array:
    """Shocks that a day's rows share and the next day partly remembers, at once or as the day goes by."""
    size = np.exp(rng.uniform(np.log(_LEAST_SHOCK), 0.0, _CLUSTERED))
    memory = rng.choice([0.0, 0.5, 0.8], _CLUSTERED)
    shock = rng.normal(size=(days + 1, _CLUSTERED))
    for day in range(days):
        shock[day + 1] = memory * shock[day] + np.sqrt(1 - memory**2) * shock[day + 1]
    part = (np.arange(24) / 24)[:, None] * (rng.random(_CLUSTERED) < 0.5)
    return ((shock[:-1, None] * (1 - part) + shock[1:, None] * part) * size).reshape(days * 24, _CLUSTERED)


def _of_cycles(days: int, rng: np.random.Generator) -> Array:
    """A wave over the day, and a step on two days of seven."""
    phase = rng.uniform(0, 2 * np.pi, _CLUSTERED)
    wave = rng.choice([0.0, 0.25, 0.5], _CLUSTERED) * np.sin(2 * np.pi * np.arange(24)[:, None] / 24 + phase)
    is_weekend = (np.arange(days) + rng.integers(7)) % 7 >= 5
    step = rng.choice([0.0, 0.1, 0.3], _CLUSTERED) * is_weekend[:, None]
    found: Array = (wave[None] + step[:, None]).reshape(days * 24, _CLUSTERED)
    return found
