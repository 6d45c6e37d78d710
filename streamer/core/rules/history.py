"""The history of one variant's traffic: what the same weekday and hour had in the past weeks."""

import math
from functools import cached_property
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.model import Timeline
from streamer.core.eventtime import as_datetime, start_of
from streamer.core.settings import Spans

_HOUR = 3_600
_DAY = 86_400
# So many past weeks are remembered for each weekday and hour; their median is what is expected.
WEEKS: Final = 4
# One past week says nothing of how weeks differ.
_LEAST_WEEKS = 2
# Scheduled traffic repeats itself better than chance would (its variance is less than its mean), but
# never as well as a lucky calm month may show.
_LEAST_DISPERSION = 0.25
# Variance of the median of so many normal values, in that of one.
_VARIANCE_OF_MEDIAN: Final = {1: 1.0, 2: 0.5, 3: 0.449, 4: 0.298}
# Consistency factor of the median absolute deviation for normal noise.
_MAD = 1.4826
# Windows whose own scatter and emptiness are remembered: a day of 5-minute ones.
_RECENT = 288
# Fewer windows than this say nothing of their scatter.
_LEAST_RESIDUALS = 60


class Stretch(msgspec.Struct):
    """An hour of event time (or one window, where windows are longer): rows in its windows."""

    start_at: int
    rows: int = 0
    windows: int = 0


class VolumeState(msgspec.Struct, frozen=True, kw_only=True):
    """A history as it stands in a snapshot."""

    slots: dict[int, list[Stretch]]
    residuals: list[float]
    lately: list[tuple[int, float]]
    empty: list[bool]
    run: int
    run_expected: float | None


class Expectation(NamedTuple):
    """What the past weeks say of a window.

    Attributes
    ----------
    rows : float
        Median of the past weeks' rows in such a window.
    dispersion : float
        Robust variance of rows over their mean: 1 for records that come by chance alone.
    weeks : int
        Past weeks it rests on.
    typical : float
        Rows of a usual window of the endpoint, whatever the hour: what is small beside it is no
        matter, however sure.
    """

    rows: float
    dispersion: float
    weeks: int
    typical: float

    def deviations(self, rows: int) -> float:
        """How many deviations of its own noise a number of rows is off, the median's error included.

        A window may be as much off as records that come by chance in clumps of the measured size,
        and what is expected is itself the median of a few weeks.
        """
        noise = self.dispersion * max(self.rows, 0.5) * (1 + _VARIANCE_OF_MEDIAN[self.weeks])
        return (rows - self.rows) / math.sqrt(noise)


class _Known(NamedTuple):
    """What the stretches before one tell: dispersion of windows and of whole stretches, a usual window's rows."""

    stretch_at: int
    windows: float
    stretches: float
    typical: float


class VolumeHistory:
    """Rows by weekday and hour of the last weeks, in the endpoint's own time zone.

    Parameters
    ----------
    spans : Spans
        Length of a window.
    time_zone : str
        Where the endpoint's users live.
    """

    def __init__(self, spans: Spans, time_zone: str) -> None:
        self._spans = spans
        self._time_zone = time_zone
        self._slots: dict[int, list[Stretch]] = {}
        self._residuals: list[float] = []
        self._lately: list[tuple[int, float]] = []
        self._empty: list[bool] = []
        self._run = 0
        self._run_expected: float | None = 0.0
        # Of the stretch last asked for: it changes only when a stretch is complete.
        self._cached: _Known | None = None

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self._time_zone)

    def _place(self, start_at: int) -> tuple[int, int]:
        """Slot of the week, and start of the stretch, that a window belongs to."""
        window = self._spans.window
        if window < _HOUR:
            local = as_datetime(start_at).astimezone(self._zone)
            return local.weekday() * 24 + local.hour, start_at - (local.minute * 60 + local.second) * 1000
        # The middle decides: a day from 04:00 keeps its slot when the clocks change.
        local = as_datetime(start_at + min(window, _DAY) * 500).astimezone(self._zone)
        hours = window // _HOUR
        return local.weekday() * 24 + (0 if hours >= 24 else local.hour // hours), start_at

    def seed(self, timeline: Timeline) -> None:
        """Take a baseline's own volume as the past weeks', where its rows are all of the traffic.

        Steps longer than both an hour and a window say nothing of hours and are left alone.
        """
        step = timeline.step_seconds
        if step <= self._spans.window:
            windows: dict[int, list[int]] = {}
            for i, rows in enumerate(timeline.volume):
                at = timeline.volume_start_at + i * step * 1000
                windows.setdefault(start_of(at, self._spans.window, self._spans.offset), []).append(rows)
            whole = self._spans.window // step
            for start_at in sorted(windows):
                if len(windows[start_at]) == whole:
                    self._note(start_at, sum(windows[start_at]), 1)
        elif step <= _HOUR:
            for i, rows in enumerate(timeline.volume):
                self._note(timeline.volume_start_at + i * step * 1000, rows, step // self._spans.window)

    def expected(self, start_at: int) -> Expectation | None:
        """What a window should have by the past weeks; ``None`` with fewer than two of them."""
        slot, stretch_at = self._place(start_at)
        past = [s.rows / s.windows for s in self._slots.get(slot, ()) if s.start_at < stretch_at][-WEEKS:]
        if len(past) < _LEAST_WEEKS:
            return None
        known = self._known_before(stretch_at)
        return Expectation(float(np.median(past)), known.windows, len(past), known.typical)

    def expected_lately(self) -> tuple[int, Expectation] | None:
        """Rows of the last hour's windows together, and what they should have; ``None`` with longer windows.

        What a single short window can't prove, an hour of them may.
        """
        known = self._cached
        if known is None or len(self._lately) < _HOUR // self._spans.window or len(self._lately) < 2:
            return None
        rows, expected = sum(r for r, _ in self._lately), sum(e for _, e in self._lately)
        return rows, Expectation(expected, known.stretches, _LEAST_WEEKS, known.typical * len(self._lately))

    def _known_before(self, stretch_at: int) -> "_Known":
        if self._cached is None or self._cached.stretch_at != stretch_at:
            residuals: list[float] = []
            medians: list[float] = []
            for stretches in self._slots.values():
                past = [(s.rows, s.windows) for s in stretches if s.start_at < stretch_at][-WEEKS:]
                if len(past) < _LEAST_WEEKS:
                    continue
                rows, windows = np.array(past, np.float64).T
                medians.append(float(np.median(rows / windows)))
                residuals += _left_out(rows, windows)
            stretches_vary = _dispersion(residuals)
            # Single windows tell better of single windows than whole hours do.
            enough = len(self._residuals) >= _LEAST_RESIDUALS
            windows_vary = _dispersion(self._residuals) if enough else stretches_vary
            typical = float(np.median([m for m in medians if m >= 1.0] or [0.0]))
            self._cached = _Known(stretch_at, windows_vary, stretches_vary, typical)
        return self._cached

    def add(self, start_at: int, rows: int, *, arrived: bool) -> None:
        """Take note of a closed window, in order.

        Parameters
        ----------
        start_at : int
            Its start.
        rows : int
            Its rows.
        arrived : bool
            Whether any record came, readable or not.
        """
        expected = self.expected(start_at)
        if self._spans.window < _HOUR:
            if expected is None:
                self._lately = []
            else:
                self._lately.append((rows, expected.rows))
                del self._lately[: -(_HOUR // self._spans.window)]
                if expected.rows >= 1.0:
                    self._residuals.append((rows - expected.rows) / math.sqrt(expected.rows))
                    del self._residuals[:-_RECENT]
        self._note(start_at, rows, 1)
        if arrived:
            self._empty += [True] * min(self._run, _RECENT)
            self._empty.append(False)
            del self._empty[:-_RECENT]
            self._run, self._run_expected = 0, 0.0
        elif self._empty and (expected is None or expected.rows >= 1.0):
            self._run += 1
            if expected is None:
                self._run_expected = None
            elif self._run_expected is not None:
                self._run_expected += expected.rows / max(expected.dispersion, 1.0)

    @property
    def empty_run(self) -> int:
        """Windows without a record up to the last one noted, those not counted where none was expected."""
        return self._run

    @property
    def surprise(self) -> float:
        """Minus the log of the chance of such a run, if windows were empty as often as before.

        Nothing is assumed of how records arrive, so that an endpoint called once an hour may be
        silent for most of it.
        """
        if not self._run:
            return 0.0
        surprise = -self._run * math.log((sum(self._empty) + 1) / (len(self._empty) + 2))
        # At a quiet hour, empty windows are more likely than on the whole.
        return surprise if self._run_expected is None else min(surprise, self._run_expected)

    @property
    def longest_gap(self) -> int:
        """Longest run of windows without a record that ended in the windows remembered."""
        longest = run = 0
        for empty in self._empty:
            run = run + 1 if empty else 0
            longest = max(longest, run)
        return longest

    def _note(self, start_at: int, rows: int, windows: int) -> None:
        slot, stretch_at = self._place(start_at)
        stretches = self._slots.setdefault(slot, [])
        if not stretches or stretches[-1].start_at != stretch_at:
            stretches.append(Stretch(stretch_at))
            del stretches[: -WEEKS - 1]
        stretches[-1].rows += rows
        stretches[-1].windows += windows

    def to_state(self) -> VolumeState:
        """Everything needed to go on as if never stopped."""
        return VolumeState(
            slots={slot: [msgspec.structs.replace(s) for s in self._slots[slot]] for slot in sorted(self._slots)},
            residuals=list(self._residuals),
            lately=list(self._lately),
            empty=list(self._empty),
            run=self._run,
            run_expected=self._run_expected,
        )

    @classmethod
    def from_state(cls, state: VolumeState, spans: Spans, time_zone: str) -> "VolumeHistory":
        """History as it was."""
        history = cls(spans, time_zone)
        history._slots = {slot: [msgspec.structs.replace(s) for s in kept] for slot, kept in state.slots.items()}
        history._residuals = list(state.residuals)
        history._lately = list(state.lately)
        history._empty = list(state.empty)
        history._run, history._run_expected = state.run, state.run_expected
        return history


def _left_out(rows: NDArray[np.float64], windows: NDArray[np.float64]) -> list[float]:
    """Residual of each stretch about the median of the others, in deviations of records that come by chance."""
    noise = math.sqrt(1 + _VARIANCE_OF_MEDIAN[len(rows) - 1])
    found = []
    for i in range(len(rows)):
        median = float(np.median(np.delete(rows / windows, i)))
        # Where hardly anything ever comes there is nothing to learn of what comes elsewhere.
        if median >= 1.0:
            found.append(float((rows[i] - median * windows[i]) / math.sqrt(median * windows[i]) / noise))
    return found


def _dispersion(residuals: list[float]) -> float:
    if not residuals:
        return 1.0
    return max((_MAD * float(np.median(np.abs(residuals)))) ** 2, _LEAST_DISPERSION)
