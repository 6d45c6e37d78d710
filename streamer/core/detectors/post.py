"""Post: one named detector on one feature of one key, what it is fed, and what it says when a window ends.

Everything is told in the baseline's own terms before it is fed: values and means in its deviations,
net of their hour of day, so that a parameter means the same for every feature. A detector that fired
has its word in the window in which it did, and begins anew.
"""

import math
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.core.detectors.kinds import BOUNDED, bounded
from streamer.core.detectors.named import Named
from streamer.core.evidence import shares_z
from streamer.core.layout import FeatureCells
from streamer.core.sample import Samples
from streamer.core.settings import DetectorSettings
from streamer.core.types import Cause, Finding, Judge, Key, State

# So many deviations off, a value says no more than one further out.
_MOST: Final = 1e6


class PostState(msgspec.Struct, frozen=True):
    """A post as it stands in a snapshot.

    Attributes
    ----------
    settings : DetectorSettings
        The detector's: another one's state is of no use.
    detector : bytes
        Its own state.
    fired : bool
        In the window that is open.
    now, past : tuple of float
        Sum of what it watches over rows, and rows: of the window that is open, and from the time it
        began anew up to it.
    """

    settings: DetectorSettings
    detector: bytes
    fired: bool
    now: tuple[float, float]
    past: tuple[float, float]


class Seen(NamedTuple):
    """What one pane has for a post.

    Attributes
    ----------
    values : list of float
        In the order they are fed.
    total, rows : float
        Sum of what is watched over so many rows.
    """

    values: list[float]
    total: float
    rows: int


class Post:
    """One detector of one feature.

    Parameters
    ----------
    settings : DetectorSettings
        Which, and what it watches.
    cells : FeatureCells
        The feature; ``misfit`` found nothing against it.
    column : int
        Of the feature in its side's sample, where values are watched.

    Attributes
    ----------
    settings, cells
        As given.
    cause : Cause
        What its findings are called.
    """

    def __init__(self, settings: DetectorSettings, cells: FeatureCells, column: int) -> None:
        self.settings = settings
        self.cause = Cause.MISSING if settings.watches == "missing" else Cause.DRIFT
        self.cells = cells
        self._column = column
        self._detector = Named(settings.kind, settings.parameters)
        self._bounded = settings.kind in BOUNDED and settings.watches != "missing"
        self._fired = False
        self._now = (0.0, 0.0)
        self._past = (0.0, 0.0)

    def take(self, counts: NDArray[np.int64], sums: NDArray[np.int64], samples: Samples, hour: int) -> None:
        """Take in a closed pane; one without a row for it is no news.

        Parameters
        ----------
        counts : ndarray, shape (layout.size,), int64
            Rows in each cell.
        sums : ndarray, shape (2, layout.numbers), int64
            Sums of values in grid units.
        samples : Samples
            Some of its rows.
        hour : int
            Of the day, in the baseline's zone.
        """
        seen = self._seen(counts, sums, samples, hour)
        if not seen.values:
            return
        self._now = (self._now[0] + seen.total, self._now[1] + seen.rows)
        self.feed(seen.values)

    def feed(self, values: list[float]) -> bool:
        """Let the detector look at numbers in the baseline's terms; whether it fired at one."""
        fired = False
        for value in values:
            fired |= self._detector.update(bounded(value) if self._bounded else value)
        self._fired |= fired
        return fired

    def _seen(self, counts: NDArray[np.int64], sums: NDArray[np.int64], samples: Samples, hour: int) -> Seen:
        cells, f = self.cells, self.cells.baseline
        if self.settings.watches == "values":
            sample = samples.get(f.feature.side)
            values = np.empty(0) if sample is None else sample.numbers[self._column]
            values = self._standard(values[~np.isnan(values)], hour)
            return Seen(values.tolist(), float(values.sum()), len(values))
        mine = counts[cells.start : cells.stop]
        rows, absent = int(mine.sum()), int(mine[-1]) + (int(mine[-2]) if cells.is_number else 0)
        if self.settings.watches == "missing":
            if not rows:
                return Seen([], 0.0, 0)
            usual = f.missing_by_hour[hour] - self._usual if f.missing_by_hour else 0.0
            share = min(max(absent / rows - usual, 0.0), 1.0)
            return Seen([share], share * rows, rows)
        valued = rows - absent
        if not valued:
            return Seen([], 0.0, 0)
        # A sum of grid units is exact, so a mean is the same however the pane came together.
        mean = f.center + f.unit * (int(sums[0, cells.number]) / valued)
        value = (mean - (f.mean or 0.0)) / (f.deviation or 1.0) - f.profile_over((hour,))
        value = min(max(value, -_MOST), _MOST)
        return Seen([value], value * valued, valued)

    def _standard(self, values: NDArray[np.float64], hour: int) -> NDArray[np.float64]:
        f = self.cells.baseline
        with np.errstate(over="ignore"):  # too far off for a number is cut
            off = (values - (f.mean or 0.0)) / (f.deviation or 1.0) - f.profile_over((hour,))
        cut: NDArray[np.float64] = np.clip(off, -_MOST, _MOST)
        return cut

    @property
    def _usual(self) -> float:
        f = self.cells.baseline
        return (f.missing + f.mistyped) / f.rows if f.rows else 0.0

    def close(self, key: Key, start_at: int, end_at: int) -> tuple[Finding | None, Cause | None]:
        """What there is to say of a window that ends, and what it had rows to judge."""
        fired, (total, rows), before = self._fired, self._now, self._past
        self._fired, self._now = False, (0.0, 0.0)
        # Having fired, it knows only what came since: about this window.
        self._past = (total, rows) if fired else (before[0] + total, before[1] + rows)
        if not rows:
            return None, None
        if not fired:
            return None, self.cause
        return self._finding(key, start_at, end_at, total / rows, before, int(rows)), self.cause

    def _finding(
        self, key: Key, start_at: int, end_at: int, live: float, before: tuple[float, float], rows: int
    ) -> Finding:
        f = self.cells.baseline
        earlier = before[0] / before[1] if before[1] else None
        if self.settings.watches == "missing":
            expected, unit = self._usual, "points"
            past = max(f.rows, 1)
            ratio = f.dispersion_of("missing").at(rows)[0]
            weight = shares_z(live * rows / ratio, rows / ratio, expected * past, past)
            was = "" if earlier is None else f", {earlier:.2%} before"
            words = f"{live:.2%} of rows without a usable value{was}, baseline {expected:.2%}"
        else:
            expected, unit = 0.0, "sd"
            ratio = f.dispersion_of("value").at(rows)[0]
            weight = (live - (earlier or 0.0)) * math.sqrt(rows / ratio)
            was = "" if earlier is None else f", {earlier:+.2f} sd before"
            words = f"mean {live:+.2f} sd against the baseline{was}"
        return Finding(
            key=key,
            rule=self.settings.name,
            cause=self.cause,
            feature=f.feature.name,
            state=State.BROKEN,
            since_at=start_at,
            until_at=end_at,
            live=live,
            expected=expected,
            size=live - expected,
            unit=unit,
            weight=abs(weight),
            rows=rows,
            words=f"{self.settings.kind} fired: {words}",
            judge=Judge.DETECTORS,
        )

    def to_state(self) -> PostState:
        """Everything needed to go on as if never stopped."""
        return PostState(self.settings, self._detector.to_state(), self._fired, self._now, self._past)

    def restore(self, state: PostState) -> None:
        """Go on from the state of a post of the same settings.

        Raises
        ------
        StateError
            The detector's state can't be read.
        """
        self._detector.restore(state.detector)
        self._fired, self._now, self._past = state.fired, state.now, state.past
