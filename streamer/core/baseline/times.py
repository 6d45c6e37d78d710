"""Times of a table's rows: what its time column, or its two, say, in milliseconds since the epoch."""

import re
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamer.core.eventtime import EARLIEST_AT, LATEST_AT, parse_time
from streamer.core.rawrows import Cell

_DATE: Final = re.compile(r"\d{4}(?:-|\d{4}$|\d{4}T)")
# Spreadsheets write the year first, too, and leave out zeros. Other orders can't be told from one another.
_LOOSE: Final = re.compile(r"(\d{4})([/-])(\d{1,2})\2(\d{1,2})(?:[ T]+(\d{1,2})(:\d{2}.*))?")


def time_columns(text: str) -> tuple[str, ...]:
    """Names of the columns a time is read from: none, one, or a date's and a time of day's.

    Examples
    --------
    >>> time_columns("scheduled"), time_columns("date, time"), time_columns("")
    (('scheduled',), ('date', 'time'), ())
    """
    return tuple(filter(None, (name.strip() for name in text.split(",", 1))))


def joined_cells(dates: Sequence[Cell], times: Sequence[Cell]) -> list[Cell]:
    """Dates and times of day as one text for each row; ``None`` where one of them is missing."""
    return [None if a is None or b is None else f"{a} {b}" for a, b in zip(dates, times, strict=True)]


def event_times(cells: Sequence[Cell], zone: tzinfo) -> NDArray[np.int64]:
    """Event times of a column.

    Parameters
    ----------
    cells : sequence of Cell
        ISO 8601, ``2004/3/11 18:00``, or seconds or milliseconds since the epoch.
    zone : tzinfo
        Where times that have no zone were told. Of an hour that comes twice it is the first.

    Returns
    -------
    ndarray, shape (n,), int64
        Milliseconds since the epoch; -1 where they can't be read.
    """
    known: dict[Cell, int] = {}
    times = np.empty(len(cells), np.int64)
    for i, cell in enumerate(cells):
        at = known.get(cell)
        if at is None:
            # Requests of an hour often share its time, so most are read once. True is no time, but equals 1.
            at = known[cell] = -1 if isinstance(cell, bool) else _event_time(cell, zone)
        times[i] = at
    return times


def _event_time(cell: Cell, zone: tzinfo) -> int:
    try:
        if isinstance(cell, str) and (text := _iso(cell.strip())):
            moment = datetime.fromisoformat(text)
            return parse_time(text if moment.tzinfo else moment.replace(tzinfo=zone).isoformat())
    except (ValueError, OverflowError):
        return -1
    try:
        number = float(cell or "")
    except (ValueError, OverflowError):
        return -1
    # No time of 2000 to 2100 in seconds is one in milliseconds.
    return next((round(at) for at in (number * 1000, number) if EARLIEST_AT <= at < LATEST_AT), -1)


def _iso(text: str) -> str:
    """A date with or without a time in ISO's letters; empty if it is neither."""
    loose = _LOOSE.fullmatch(text)
    if loose is None:
        return text if _DATE.match(text) else ""
    year, _, month, day, hour, rest = loose.groups()
    date = f"{year}-{month:0>2}-{day:0>2}"
    return date if hour is None else f"{date}T{hour:0>2}{rest}"
