"""Series: three hourly records of the open data, half a year each, their gaps filled.

Gaps are faults of the sensors and would alarm, as they should: they are no part of traffic without drift.
"""

import csv
import gzip
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.bench.detection.traffic import WEEK, Family

Array = NDArray[np.float64]

_WEEKS: Final = 26
_METRO: Final = ("temp", "clouds_all", "rain_1h", "traffic_volume")
_METRO_FIRST: Final = datetime(2013, 3, 4, tzinfo=UTC)
_ELEC: Final = ("nswprice", "nswdemand", "vicprice", "vicdemand", "transfer")
_ELEC_FIRST: Final = 60 * WEEK
_AIR: Final = ("CO(GT)", "C6H6(GT)", "NOx(GT)", "NO2(GT)", "PT08.S4(NO2)", "PT08.S5(O3)", "T", "RH", "AH")
_AIR_FIRST: Final = 6
AIR_GAP: Final = -200.0


def table(path: Path) -> dict[str, list[str]]:
    """Columns of a zipped CSV file by name."""
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        names, *rows = csv.reader(file)
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def series(data: Path) -> dict[Family, Array]:
    """Read the three series.

    Parameters
    ----------
    data : Path
        Folder of the open data.

    Returns
    -------
    dict of Family to ndarray, shape (hours, features), float64
        Whole weeks, from a fixed hour of day on.
    """
    return {Family.METRO: _metro(data), Family.ELEC: _elec(data), Family.AIR: _air(data)}


def _metro(data: Path) -> Array:
    columns = table(data / "metro_traffic_2012_2014.csv.gz")
    at = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in columns["date_time"]]
    values = _numbers(columns, _METRO)
    # Of several rows of one hour the first counts; an hour without a row is like the one before.
    of_hour = dict(zip(reversed(at), values[::-1], strict=True))
    found: list[Array] = []
    last = values[0]
    hour = min(of_hour)
    while len(found) < _WEEKS * WEEK:
        last = of_hour.get(hour, last)
        if hour >= _METRO_FIRST:
            found.append(last)
        hour += timedelta(hours=1)
    return np.array(found)


def _elec(data: Path) -> Array:
    halves = _numbers(table(data / "electricity.csv.gz"), _ELEC)
    hours: Array = halves[: len(halves) // 2 * 2].reshape(-1, 2, len(_ELEC)).mean(axis=1)
    return hours[_ELEC_FIRST : _ELEC_FIRST + _WEEKS * WEEK]


def _air(data: Path) -> Array:
    values = _numbers(table(data / "air_quality.csv.gz"), _AIR)[_AIR_FIRST : _AIR_FIRST + _WEEKS * WEEK]
    for column in values.T:
        known = np.flatnonzero(column != AIR_GAP)
        before = np.maximum(np.searchsorted(known, np.arange(len(column)), side="right") - 1, 0)
        column[:] = column[known[before]]
    return values


def _numbers(columns: dict[str, list[str]], names: Sequence[str]) -> Array:
    return np.array([columns[name] for name in names], np.float64).T
