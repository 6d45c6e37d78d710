"""Days: evidence from whole local days, of features that follow the clock.

What is usual at an hour is taken out before panes are judged. Where the hour tells most of what a
value is, nothing is left then that would show that the hours themselves moved: half of a day's
traffic that does not come, or comes at night. So such features are judged by the day, too, hours and
all, against the baseline's own days.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.patterns import by_day, is_by_day
from streamer.core.blob import array_like
from streamer.core.detectors.alternatives import KAPPA, MEANS, Alternatives, asked_of, laid_out
from streamer.core.detectors.bank import Bank
from streamer.core.detectors.scores import Direction, directions_of, shares_of
from streamer.core.detectors.tempering import at_density, envelope_of, error_of, levels_of, nats_of
from streamer.core.detectors.tilts import Asked, Found, Tilt, tilts_of
from streamer.core.layout import FeatureCells, Layout

# Part of the endpoint's evidence; a day says enough for any of it.
PART: Final = 0.1
SECONDS: Final = 86_400
_THETAS: Final = np.array(MEANS)


class DaysState(msgspec.Struct, frozen=True):
    """Days as they stand in a snapshot; the bank's array and the open day's counts are kept beside it.

    Attributes
    ----------
    steps : int
        The bank's.
    day : int or None
        See ``Days``.
    is_whole : bool
        See ``Days``.
    """

    steps: int
    day: int | None
    is_whole: bool


class Days:
    """A bank whose panes are local days.

    Parameters
    ----------
    alternatives : Alternatives
        See ``alternatives_by_day``.
    threshold : float
        Days to a false alarm.
    size : int
        Of the layout.

    Attributes
    ----------
    bank : Bank
    counts : ndarray, shape (size,), int64
        Rows of the open day.
    day : int or None
        The open one, proleptic Gregorian ordinal; ``None`` before the first pane.
    is_whole : bool
        Whether it is seen from its beginning on.
    """

    def __init__(self, alternatives: Alternatives, threshold: float, size: int) -> None:
        self.bank = Bank(alternatives, threshold, PART)
        self.counts = np.zeros(size, np.int64)
        self.day: int | None = None
        self.is_whole = False

    def take(self, day: int, counts: NDArray[np.int64]) -> None:
        """Count a pane of a day, which ends all before it.

        A day is judged if it is seen from its beginning to its end: neither the first one, which began
        before anybody looked, nor one after which traffic stays away, as where a version is replaced.
        """
        if day != self.day:
            if self.day is not None:
                following = day == self.day + 1
                if self.is_whole and following:
                    self.bank.step(self.counts)
                self.bank.pass_by(day - self.day - (self.is_whole and following))
            self.is_whole = self.day is not None
            self.day = day
            self.counts[:] = 0
        self.counts += counts

    def follow(self, other: "Days") -> None:
        """Go on with the open day of another one, of the same cells."""
        self.counts, self.day, self.is_whole = other.counts.copy(), other.day, other.is_whole

    def start_of(self, step: float, zone: ZoneInfo) -> int:
        """Midnight at which the day of a step of the bank begins, milliseconds since the epoch."""
        day = (self.day or 1) - round(self.bank.steps - step)
        return round(datetime.fromordinal(max(day, 1)).replace(tzinfo=zone).timestamp() * 1000)

    def to_state(self) -> tuple[DaysState, dict[str, NDArray[np.generic]]]:
        """Everything needed to go on as if never stopped."""
        arrays: dict[str, NDArray[np.generic]] = {"days": self.bank.values.copy(), "day": self.counts.copy()}
        return DaysState(self.bank.steps, self.day, self.is_whole), arrays

    def restore(self, state: DaysState, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Go on from a state of days of the same alternatives.

        Raises
        ------
        StateError
            An array is not there, or another one than it should be.
        """
        values, counts = array_like(arrays, "days", self.bank.values), array_like(arrays, "day", self.counts)
        self.bank.restore(state.steps, values)
        self.counts = counts.copy()
        self.day, self.is_whole = state.day, state.is_whole


def day_of(at: int, zone: ZoneInfo) -> int:
    """Ordinal of the local day that holds a time in milliseconds since the epoch."""
    return datetime.fromtimestamp(at / 1000, zone).toordinal()


def alternatives_by_day(
    layout: Layout,
    threshold: float,
    tolerated: float,
    resolution: NDArray[np.float64],
    *,
    density: float = 1.0,
    kappa: float = KAPPA,
) -> Alternatives | None:
    """Alternatives of the features that follow the clock; ``None`` where none does.

    Parameters
    ----------
    layout : Layout
        Cells of the baseline.
    threshold : float
        Days to a false alarm.
    tolerated : float
        Shift in deviations that is too small to be worth an alert.
    resolution : ndarray, shape (features,), float64
        As the alternatives of panes have it.
    density : float
        Rows of the traffic in a day, in the baseline's.
    kappa : float
        Standard errors of the baseline that are tolerated.
    """
    several = [
        (i, cells, direction)
        for i, cells in enumerate(layout.features)
        if any(is_by_day(name) for name in cells.baseline.dispersion)
        for direction in directions_of(layout, cells)
        if by_day(direction.name) in cells.baseline.dispersion
    ]
    asked = asked_of(threshold / PART, SECONDS, SECONDS, len(layout.features), density)
    found = [(i, _found(layout, cells, direction, asked, tolerated, kappa)) for i, cells, direction in several]
    count = sum(len(one.alternatives) for _, one in found)
    if not count:
        return None
    even = [one._replace(alternatives=[a._replace(weight=1 / count) for a in one.alternatives]) for _, one in found]
    kept = [(i, one) for (i, _), one in zip(found, even, strict=True) if one.alternatives]
    return laid_out(layout, kept, resolution)


def _found(
    layout: Layout, cells: FeatureCells, direction: Direction, asked: Asked, tolerated: float, kappa: float
) -> Found:
    levels = levels_of(cells.baseline.dispersion_of(by_day(direction.name)), SECONDS)
    live = at_density(levels, asked.density)
    envelope = envelope_of(live, nats_of(asked.of_step, live))
    envelopes = np.broadcast_to(envelope, (len(_THETAS), live.shape[1]))
    error = error_of(levels, max(cells.baseline.rows, 1), kappa)
    kept = tilts_of(direction.score, shares_of(layout, cells), _THETAS, error, live[0], envelopes, asked.level)
    own = [Tilt(gain, loss, tolerated, 1.0, theta) for _, gain, loss, theta in kept]
    place = np.arange(cells.start, cells.stop)
    return Found(direction.name, direction.cause, place, direction.score, np.zeros(24), own)
