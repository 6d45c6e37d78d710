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

from streamer.core.baseline.model import FeatureBaseline
from streamer.core.baseline.patterns import OF_DAYS, by_day
from streamer.core.blob import array_of
from streamer.core.detectors.alternatives import KAPPA, MEANS, Alternatives, asked_of, laid_out, resolution_of
from streamer.core.detectors.bank import Bank
from streamer.core.detectors.scores import Direction, directions_of, shares_of
from streamer.core.detectors.tempering import envelope_of, error_of, levels_of, nats_of
from streamer.core.detectors.tilts import Asked, Found, Tilt, tilts_of
from streamer.core.layout import FeatureCells, Layout

# Part of the endpoint's evidence; a day says enough for any of it.
PART: Final = 0.1
# Part of the score's variance that the hour explains.
_LEAST_EXPLAINED: Final = 0.5
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
        """Count a pane of a day, which ends all before it."""
        if day != self.day:
            if self.day is not None:
                # The first one began before anybody looked.
                if self.is_whole:
                    self.bank.step(self.counts)
                self.bank.pass_by(day - self.day - 1)
            self.is_whole = self.day is not None
            self.day = day
            self.counts[:] = 0
        self.counts += counts

    def start_of(self, step: float, zone: ZoneInfo) -> int:
        """Midnight at which the day of a step of the bank begins, milliseconds since the epoch."""
        day = (self.day or 1) - round(self.bank.steps - step)
        return round(datetime.fromordinal(max(day, 1)).replace(tzinfo=zone).timestamp() * 1000)

    def to_state(self) -> tuple[DaysState, dict[str, NDArray[np.generic]]]:
        """Everything needed to go on as if never stopped."""
        arrays: dict[str, NDArray[np.generic]] = {"days": self.bank.values.copy(), "day": self.counts.copy()}
        return DaysState(self.bank.steps, self.day, self.is_whole), arrays

    def restore(self, state: DaysState, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Go on from a state of days of the same alternatives."""
        self.bank.restore(state.steps, array_of(arrays, "days").astype(np.float32))
        self.counts = array_of(arrays, "day").astype(np.int64)
        self.day, self.is_whole = state.day, state.is_whole


def day_of(at: int, zone: ZoneInfo) -> int:
    """Ordinal of the local day that holds a time in milliseconds since the epoch."""
    return datetime.fromtimestamp(at / 1000, zone).toordinal()


def alternatives_by_day(
    layout: Layout, threshold: float, tolerated: float, *, kappa: float = KAPPA
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
    kappa : float
        Standard errors of the baseline that are tolerated.
    """
    several = [
        (i, cells, direction)
        for i, cells in enumerate(layout.features)
        if (names := _following(cells.baseline))
        for direction in directions_of(layout, cells)
        if direction.name in names
    ]
    asked = asked_of(threshold / PART, SECONDS, SECONDS, len(layout.features))
    found = [(i, _found(layout, cells, direction, asked, tolerated, kappa)) for i, cells, direction in several]
    count = sum(len(one.alternatives) for _, one in found)
    if not count:
        return None
    even = [one._replace(alternatives=[a._replace(weight=1 / count) for a in one.alternatives]) for _, one in found]
    kept = [(i, one) for (i, _), one in zip(found, even, strict=True) if one.alternatives]
    return laid_out(layout, kept, resolution_of(layout, kappa=kappa))


def _following(f: FeatureBaseline) -> list[str]:
    """Scores of which the hour explains most, and whose days are known."""
    known = [name for name in OF_DAYS if by_day(name) in f.dispersion and f.score_by_hour(name)]
    return [name for name in known if float(np.square(f.score_by_hour(name)).mean()) >= _LEAST_EXPLAINED]


def _found(
    layout: Layout, cells: FeatureCells, direction: Direction, asked: Asked, tolerated: float, kappa: float
) -> Found:
    levels = levels_of(cells.baseline.dispersion_of(by_day(direction.name)), SECONDS)
    envelope = envelope_of(levels, nats_of(asked.of_step, levels))
    envelopes = np.broadcast_to(envelope, (len(_THETAS), levels.shape[1]))
    error = error_of(levels, max(cells.baseline.rows, 1), kappa)
    kept = tilts_of(direction.score, shares_of(layout, cells), _THETAS, error, levels[0], envelopes, asked.level)
    own = [Tilt(gain, loss, tolerated, 1.0, theta) for _, gain, loss, theta in kept]
    place = np.arange(cells.start, cells.stop)
    return Found(direction.name, direction.cause, place, direction.score, np.zeros(24), own)
