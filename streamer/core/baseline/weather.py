"""Weather: a key's own traffic hour by hour, kept while its baseline spans less than four weeks.

Days with an incident are left out: they are not what is usual. So is the first one, of which nobody
saw the beginning. Kept by the day, compressed, as they are read again only once a week.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.hourly import HOURS, Hourly, Series
from streamer.core.baseline.model import Baseline
from streamer.core.baseline.timeline import HOUR, LEAST_DAYS, Calendar, Steps, calendar_of
from streamer.core.blob import array_like, array_of
from streamer.core.layout import Layout

# A baseline that spans so many days knows its weather well enough (detection.md 8.4): fewer don't show how
# weekdays and weeks differ, four of each weekday do.
ENOUGH_DAYS: Final = 28
_HOUR: Final = HOUR * 1000
DAY: Final = HOURS * _HOUR
_WEEK_DAYS: Final = 7
# Older days than that are of another season, and a table is not to grow with a long silence. Where an
# incident keeps a refit waiting, no more days are kept than are needed.
_OLDEST_DAYS: Final = 2 * ENOUGH_DAYS


class WeatherState(msgspec.Struct, frozen=True):
    """Weather as it stands in a snapshot; the days' bytes, and what the open one has, are kept beside it.

    Attributes
    ----------
    days : list of int
        Those kept, since the epoch.
    hour : int or None
        The open one, since the epoch.
    spoilt : bool
        Whether its day will be left out.
    used : int
        Days that were in when it was last refitted.
    """

    days: list[int]
    hour: int | None
    spoilt: bool
    used: int


class Table(NamedTuple):
    """All days kept.

    Attributes
    ----------
    steps : Steps
        Hours, from the first day to the last.
    hourly : Hourly
        What is kept of each.
    hours : ndarray, shape (steps, width), float64
        That; days left out have no rows.
    counts : ndarray, shape (cells,), int64
        Rows in each cell, of all days.
    known : ndarray, shape (steps,), bool
        Whether an hour is of a day kept: of those left out, and those of a silence, nothing is known.
    """

    steps: Steps
    hourly: Hourly
    hours: NDArray[np.float64]
    counts: NDArray[np.int64]
    known: NDArray[np.bool_]

    @property
    def known_steps(self) -> int:
        """Hours of the days kept."""
        return int(np.count_nonzero(self.known))

    def calendar(self, zone: ZoneInfo) -> Calendar | None:
        """Local hours, and those local days of which every hour is known; ``None`` with too few of these."""
        found = calendar_of(self.steps, zone)
        if found is None:
            return None
        day = np.where(np.isin(found.day, found.day[~self.known]), -1, found.day)
        return found._replace(day=day) if len(np.unique(day[day >= 0])) >= LEAST_DAYS else None

    def series(self, feature: int) -> Series:
        """What they tell of a feature."""
        return self.hourly.series(self.hours, feature)

    def scores(self, feature: int, counts: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Sums of a number's scores, whose variance over these rows is 1."""
        return self.hourly.scores(self.hours, feature, counts)


def days_of(baseline: Baseline) -> float:
    """Days a baseline spans; 0 where it has no time."""
    timeline = baseline.timeline
    return 0.0 if timeline is None else timeline.steps * timeline.step_seconds / 86_400


class Weather:
    """Hourly traffic of one key.

    Parameters
    ----------
    layout : Layout
        Of the baseline it is watched by.

    Attributes
    ----------
    days : dict of int to bytes
        Days kept, since the epoch (UTC), in order.
    used : int
        Days that were in when it was last refitted.
    """

    def __init__(self, layout: Layout) -> None:
        self._own = days_of(layout.baseline)
        self._hourly = Hourly(layout)
        self.days: dict[int, bytes] = {}
        self.used = 0
        self._hour: int | None = None
        self._spoilt = True
        # Rows of the open hour, and of its day's hours before it; and what is kept of these.
        self._open = np.zeros(layout.size, np.int64)
        self._day = np.zeros(layout.size, np.int64)
        self._hours = np.zeros((HOURS, self._hourly.width), np.float32)

    def take(self, pane_at: int, counts: NDArray[np.int64]) -> None:
        """Count a pane, of an hour at most.

        Parameters
        ----------
        pane_at : int
            Its start, milliseconds since the epoch, later than that of the one before.
        counts : ndarray, shape (size,), int64
            Rows in each cell.
        """
        hour = pane_at // _HOUR
        if hour != self._hour:
            if self._hour is not None:
                self._end_hour(self._hour)
                if hour // HOURS != self._hour // HOURS:
                    self._end_day(self._hour // HOURS)
            self._hour = hour
        self._open += counts

    def _end_hour(self, hour: int) -> None:
        self._hours[hour % HOURS] = self._hourly.of(self._open)
        self._day += self._open
        self._open[:] = 0

    def _end_day(self, today: int) -> None:
        if not self._spoilt and self._day.any():
            self.days[today] = self._hourly.packed(self._hours.astype(np.float64), self._day)
            newest = list(self.days)[-ENOUGH_DAYS:]
            kept = {day: self.days[day] for day in newest if day > today - _OLDEST_DAYS}
            # Those of before a long silence may never have been used.
            self.used = max(self.used - (len(self.days) - len(kept)), 0)
            self.days = kept
        self._spoilt = False
        self._day[:] = 0
        self._hours[:] = 0

    def spoil(self, since_at: int) -> None:
        """Leave out the days from a time on, the open one included: something is wrong in them."""
        self._spoilt = True
        for day in [d for d in self.days if d >= since_at // DAY]:
            del self.days[day]
        self.used = min(self.used, len(self.days))

    @property
    def overdue(self) -> int:
        """Days since a week more was in than when it was last refitted, the first time enough to know hours by.

        Negative before; 0 on the day after that week.
        """
        first = _WEEK_DAYS if self._own >= LEAST_DAYS else LEAST_DAYS
        return len(self.days) - (first if not self.used else self.used // _WEEK_DAYS * _WEEK_DAYS + _WEEK_DAYS)

    @property
    def is_due(self) -> bool:
        """Whether such a week is in."""
        return self.overdue >= 0

    @property
    def is_enough(self) -> bool:
        """Whether four weeks are in, those of the baseline included."""
        return self._own + len(self.days) >= ENOUGH_DAYS

    def table(self) -> Table:
        """The days kept, which are at least one."""
        first, last = min(self.days), max(self.days)
        steps = Steps(first * DAY, (last + 1) * DAY - 1, HOUR, (last + 1 - first) * HOURS)
        hours, counts = np.zeros((steps.length, self._hourly.width)), np.zeros(self._hourly.size, np.int64)
        known = np.zeros(steps.length, np.bool_)
        for day, packed in self.days.items():
            at = (day - first) * HOURS
            hours[at : at + HOURS], of_day = self._hourly.unpacked(packed)
            known[at : at + HOURS] = True
            counts += of_day
        return Table(steps, self._hourly, hours, counts, known)

    def to_state(self) -> tuple[WeatherState, dict[str, NDArray[np.generic]]]:
        """Everything needed to go on as if never stopped."""
        arrays: dict[str, NDArray[np.generic]] = {
            "weather/open": self._open.copy(),
            "weather/day": self._day.copy(),
            "weather/hours": self._hours.copy(),
        }
        arrays |= {f"weather/{day}": np.frombuffer(packed, np.uint8) for day, packed in self.days.items()}
        return WeatherState(list(self.days), self._hour, self._spoilt, self.used), arrays

    def restore(self, state: WeatherState, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Go on from a state.

        Raises
        ------
        StateError
            An array is not there, or another one than it should be.
        """
        self.days = {day: array_of(arrays, f"weather/{day}").tobytes() for day in state.days}
        self._hour, self._spoilt, self.used = state.hour, state.spoilt, state.used
        for own, name in ((self._open, "open"), (self._day, "day"), (self._hours, "hours")):
            own[:] = array_like(arrays, f"weather/{name}", own)
