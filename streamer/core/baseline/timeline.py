"""Timeline: the steps a baseline's time is cut into, their volume and their hours of day."""

from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.model import Timeline
from streamer.core.baseline.survey import Survey, is_readable
from streamer.core.errors import BaselineError
from streamer.core.eventtime import as_datetime

HOUR: Final = 3_600
_DAY: Final = 86_400
# Counts by step and cell, four bytes each.
_MOST_COUNTS: Final = 25_000_000
# So many steps at least, where the time can be cut as finely.
_LEAST_STEPS: Final = 48
_SHORT_STEPS: Final = (600, 60, 10, 1)
# Volume is kept for four weeks, the same weekday and hour four times; and no more entries than minutes in them.
_VOLUME_SECONDS: Final = 672 * HOUR
_MOST_VOLUMES: Final = 40_320
# Rows without a readable time are in no step; more than this share of them is a mistake somewhere.
_UNTIMED_SHARE: Final = 0.01
# Offsets from UTC change on quarters of an hour, and days and hours begin on them, everywhere.
_QUARTER: Final = 900
# Fewer whole days say nothing of how days differ.
LEAST_DAYS: Final = 3


class Calendar(NamedTuple):
    """Where each step stands in its local day.

    Attributes
    ----------
    hour : ndarray, shape (steps,), int64
        Local hour of day, 0 to 23, of the step's middle.
    day : ndarray, shape (steps,), int64
        Whole local day it belongs to, counted from 0; -1 in first and last days that are cut off.
    days : int
        Whole local days; at least ``LEAST_DAYS``.
    """

    hour: NDArray[np.int64]
    day: NDArray[np.int64]
    days: int


class Steps(NamedTuple):
    """Steps of a table's time, aligned to the epoch, empty ones included.

    Attributes
    ----------
    start_at, end_at : int
        First and last event time.
    seconds : int
        Length of one.
    length : int
        Number of steps.
    """

    start_at: int
    end_at: int
    seconds: int
    length: int

    @property
    def first(self) -> int:
        """Number of the first step since the epoch."""
        return self.start_at // (self.seconds * 1000)

    def of(self, event_at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Step of each row, shape (rows,); -1 where its time can't be read."""
        step = event_at // (self.seconds * 1000) - self.first
        return np.where(is_readable(event_at) & (step < self.length), np.maximum(step, -1), -1)


def steps_of(survey: Survey, cells: int, step_seconds: int | None) -> Steps:
    """Choose the steps of a table with times.

    Parameters
    ----------
    survey : Survey
        Its rows and times.
    cells : int
        Cells of all features; steps are doubled until counts by step and cell fit in 100 MB.
    step_seconds : int or None
        Length of a step the user wishes; ``None``: hours where there are two days of them, else the
        longest of 10 min, 1 min, 10 s and 1 s that gives 48 steps.

    Raises
    ------
    BaselineError
        More than 1 % of the rows have no readable time.
    """
    untimed = survey.rows - survey.timed
    if untimed > _UNTIMED_SHARE * survey.rows:
        raise BaselineError(
            f"{untimed} of {survey.rows} rows have no readable time: expected ISO 8601, a date such as "
            "2004/3/11 18:00 (the year first), or seconds or milliseconds since the epoch, from 2000 to 2100"
        )
    span = (survey.last_at - survey.first_at) / 1000
    if step_seconds is not None:
        seconds = step_seconds
    elif span >= 2 * _DAY:
        seconds = HOUR
    else:
        seconds = next((s for s in _SHORT_STEPS if span >= _LEAST_STEPS * s), 1)
    while (count := _count(survey, seconds)) * cells > _MOST_COUNTS:
        seconds *= 2
    return Steps(survey.first_at, survey.last_at, seconds, count)


def _count(survey: Survey, seconds: int) -> int:
    return survey.last_at // (seconds * 1000) - survey.first_at // (seconds * 1000) + 1


def timeline_of(steps: Steps, column: str, time_zone: str, rows: NDArray[np.int64]) -> Timeline:
    """What a baseline keeps of its time.

    Parameters
    ----------
    steps : Steps
        Its steps.
    column, time_zone : str
        Where times were read, and where hours are told.
    rows : ndarray, shape (steps,), int64
        Rows of each step.
    """
    kept = min(steps.length, max(_VOLUME_SECONDS // steps.seconds, 1), _MOST_VOLUMES)
    return Timeline(
        column=column,
        start_at=steps.start_at,
        end_at=steps.end_at,
        step_seconds=steps.seconds,
        steps=steps.length,
        time_zone=time_zone,
        volume_start_at=(steps.first + steps.length - kept) * steps.seconds * 1000,
        volume=tuple(rows[-kept:].tolist()),
    )


def zone_of(time_zone: str) -> ZoneInfo:
    """A time zone by its name.

    Raises
    ------
    BaselineError
        There is none of that name.
    """
    try:
        return ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BaselineError(f"no time zone {time_zone!r}: expected a name such as 'Europe/Paris'") from error


def calendar_of(steps: Steps, zone: ZoneInfo) -> Calendar | None:
    """Local hours and days of the steps; ``None`` with steps above an hour or too few whole days."""
    if steps.seconds > HOUR:
        return None
    middle = ((steps.first + np.arange(steps.length)) * 2 + 1) * steps.seconds // 2
    quarters, of_step = np.unique(middle // _QUARTER, return_inverse=True)
    offsets = [as_datetime(q * _QUARTER * 1000).astimezone(zone).utcoffset() for q in quarters.tolist()]
    local = middle + np.array([0 if o is None else int(o.total_seconds()) for o in offsets], np.int64)[of_step]
    half = steps.seconds / 2
    day = local // _DAY
    first = int(day[0]) + int(local[0] % _DAY > half)
    last = int(day[-1]) - int(_DAY - local[-1] % _DAY > half)
    days = last - first + 1
    if days < LEAST_DAYS:
        return None
    return Calendar(local // HOUR % 24, np.where((day >= first) & (day <= last), day - first, -1), days)
