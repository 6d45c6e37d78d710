"""Weather: a key's own traffic hour by hour, kept while its baseline spans less than four weeks.

Days with an incident are left out: they are not what is usual. Kept by the day, compressed, as they
are read again only once a week.
"""

import zlib
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.model import Baseline
from streamer.core.baseline.timeline import HOUR, LEAST_DAYS, Steps

# A baseline that spans so many days knows its weather well enough (detection.md 8.4): fewer don't show how
# weekdays and weeks differ, four of each weekday do.
ENOUGH_DAYS: Final = 28
_HOURS: Final = 24
_DAY: Final = _HOURS * HOUR * 1000
_WEEK_DAYS: Final = 7
# Older days than that are of another season, and a table is not to grow with a long silence.
_OLDEST_DAYS: Final = 2 * ENOUGH_DAYS


class WeatherState(msgspec.Struct, frozen=True):
    """Weather as it stands in a snapshot; the days' bytes and the open day's counts are kept beside it.

    Attributes
    ----------
    days : list of int
        Those kept, since the epoch.
    day : int or None
        The open one.
    spoilt : bool
        Whether it will be left out.
    used : int
        Days that were in when it was last refitted.
    """

    days: list[int]
    day: int | None
    spoilt: bool
    used: int


class Table(NamedTuple):
    """Counts of all days kept.

    Attributes
    ----------
    steps : Steps
        Hours, from the first day to the last.
    by_step : ndarray, shape (steps, cells), int32
        Days left out have no rows.
    days : int
        Days kept: those left out, and those of a silence, are known nothing of.
    """

    steps: Steps
    by_step: NDArray[np.int32]
    days: int

    @property
    def known_steps(self) -> int:
        """Hours of the days kept."""
        return self.days * _HOURS


def days_of(baseline: Baseline) -> float:
    """Days a baseline spans; 0 where it has no time."""
    timeline = baseline.timeline
    return 0.0 if timeline is None else timeline.steps * timeline.step_seconds / 86_400


class Weather:
    """Hourly counts of one key.

    Parameters
    ----------
    baseline : Baseline
        What it is watched by.
    size : int
        Cells of its layout.

    Attributes
    ----------
    days : dict of int to bytes
        Days kept, since the epoch (UTC), in order.
    used : int
        Days that were in when it was last refitted.
    """

    def __init__(self, baseline: Baseline, size: int) -> None:
        self._own = days_of(baseline)
        self._size = size
        self.days: dict[int, bytes] = {}
        self.used = 0
        self._day: int | None = None
        self._counts = np.zeros((_HOURS, size), np.int64)
        self._spoilt = False

    def take(self, pane_at: int, counts: NDArray[np.int64]) -> None:
        """Count a pane, of an hour at most.

        Parameters
        ----------
        pane_at : int
            Its start, milliseconds since the epoch, later than that of the one before.
        counts : ndarray, shape (size,), int64
            Rows in each cell.
        """
        day, within = divmod(pane_at, _DAY)
        if day != self._day:
            self._end_day(day)
        self._counts[within // (HOUR * 1000)] += counts

    def _end_day(self, following: int) -> None:
        if self._day is not None and not self._spoilt and self._counts.any():
            self.days[self._day] = _packed(self._counts)
            for day in [d for d in self.days if d <= self._day - _OLDEST_DAYS]:
                del self.days[day]
                # Those of before a long silence may never have been used.
                self.used = max(self.used - 1, 0)
        self._day, self._spoilt = following, False
        self._counts[:] = 0

    def spoil(self, since_at: int) -> None:
        """Leave out the days from a time on, the open one included: something is wrong in them."""
        self._spoilt = True
        for day in [d for d in self.days if d >= since_at // _DAY]:
            del self.days[day]
        self.used = min(self.used, len(self.days))

    @property
    def is_due(self) -> bool:
        """Whether a week more is in than when it was last refitted; the first time, enough to know hours by."""
        first = _WEEK_DAYS if self._own >= LEAST_DAYS else LEAST_DAYS
        return len(self.days) >= (first if not self.used else self.used // _WEEK_DAYS * _WEEK_DAYS + _WEEK_DAYS)

    @property
    def is_enough(self) -> bool:
        """Whether four weeks are in, those of the baseline included."""
        return self._own + len(self.days) >= ENOUGH_DAYS

    def table(self) -> Table:
        """Counts of the days kept, which are at least one."""
        first, last = min(self.days), max(self.days)
        steps = Steps(first * _DAY, (last + 1) * _DAY - 1, HOUR, (last + 1 - first) * _HOURS)
        by_step = np.zeros((steps.length, self._size), np.int32)
        for day, packed in self.days.items():
            at = (day - first) * _HOURS
            by_step[at : at + _HOURS] = _unpacked(packed, self._size)
        return Table(steps, by_step, len(self.days))

    def to_state(self) -> tuple[WeatherState, NDArray[np.int64], list[NDArray[np.uint8]]]:
        """Everything needed to go on as if never stopped: state, open day and days."""
        state = WeatherState(list(self.days), self._day, self._spoilt, self.used)
        return state, self._counts.copy(), [np.frombuffer(packed, np.uint8) for packed in self.days.values()]

    def restore(self, state: WeatherState, counts: NDArray[np.int64], days: list[NDArray[np.uint8]]) -> None:
        """Go on from a state."""
        self.days = dict(zip(state.days, (day.tobytes() for day in days), strict=True))
        self._day, self._spoilt, self.used = state.day, state.spoilt, state.used
        self._counts = counts.copy()


def _packed(counts: NDArray[np.int64]) -> bytes:
    # Bytes of one place in a number stand together, and hours of one cell: both are alike.
    planes = counts.T.astype("<u4").reshape(-1).view(np.uint8).reshape(-1, 4).T
    return zlib.compress(planes.tobytes(), 6)


def _unpacked(packed: bytes, size: int) -> NDArray[np.int32]:
    planes = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(4, -1)
    return np.ascontiguousarray(planes.T).reshape(-1).view("<u4").reshape(size, _HOURS).T.astype(np.int32)
