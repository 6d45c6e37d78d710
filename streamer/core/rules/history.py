"""The history of one variant's traffic: what the same weekday and hour had in the past weeks."""

import math
from functools import cached_property
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from streamer.core.baseline.model import Timeline
from streamer.core.eventtime import as_datetime, start_of
from streamer.core.settings import Spans

_HOUR = 3_600
_DAY = 86_400
# So many past weeks are remembered for each weekday and hour; their median is what is expected.
WEEKS: Final = 4
# One past week says nothing of how weeks differ.
_LEAST_WEEKS = 2
# Traffic never repeats itself better than this (log ratio): guards against a lucky calm month.
_LEAST_DEVIATION = 0.02
# Consistency factor of the median absolute deviation for normal noise.
_MAD = 1.4826
# Windows whose own scatter and emptiness are remembered: a day of 5-minute ones.
_RECENT = 288
# Fewer ratios than this say nothing of their scatter.
_LEAST_RATIOS = 20


class Stretch(msgspec.Struct):
    """An hour of event time (or one window, where windows are longer): rows in its windows."""

    start_at: int
    rows: int = 0
    windows: int = 0


class VolumeState(msgspec.Struct, frozen=True, kw_only=True):
    """A history as it stands in a snapshot."""

    slots: dict[int, list[Stretch]]
    ratios: list[float]
    empty: list[bool]
    run: int


class Expectation(NamedTuple):
    """What the past weeks say of a window.

    Attributes
    ----------
    rows : float
        Median of the past weeks' rows in such a window.
    deviation : float
        Robust standard deviation of the log ratio of a window to its expectation.
    weeks : int
        Past weeks it rests on.
    """

    rows: float
    deviation: float
    weeks: int


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
        self._ratios: list[float] = []
        self._empty: list[bool] = []
        self._run = 0
        # Of the stretch last asked for: it changes only when a stretch is complete.
        self._cached: tuple[int, float] | None = None

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
        return Expectation(float(np.median(past)), self._deviation_before(stretch_at), len(past))

    def _deviation_before(self, stretch_at: int) -> float:
        """Scatter of past stretches about their slots' medians, and of single windows about theirs."""
        if self._cached is None or self._cached[0] != stretch_at:
            residuals: list[float] = []
            for stretches in self._slots.values():
                past = np.array([s.rows / s.windows for s in stretches if s.start_at < stretch_at][-WEEKS:])
                if len(past) >= _LEAST_WEEKS:
                    logs = np.log(past + 0.5) - math.log(float(np.median(past)) + 0.5)
                    # A sample's own median lies too close to it, as a sample's mean does.
                    residuals += (logs * math.sqrt(len(past) / (len(past) - 1))).tolist()
            self._cached = (stretch_at, _spread(residuals))
        deviation = self._cached[1]
        if self._spans.window < _HOUR and len(self._ratios) >= _LEAST_RATIOS:
            deviation = max(deviation, _spread(self._ratios))
        return deviation

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
        if expected is not None and self._spans.window < _HOUR and rows:
            self._ratios.append(log_ratio(rows, expected.rows))
            del self._ratios[:-_RECENT]
        self._note(start_at, rows, 1)
        if arrived:
            self._empty += [True] * min(self._run, _RECENT)
            self._empty.append(False)
            del self._empty[:-_RECENT]
            self._run = 0
        elif self._empty and (expected is None or expected.rows >= 1.0):
            self._run += 1

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
        return -self._run * math.log((sum(self._empty) + 1) / (len(self._empty) + 2))

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
            ratios=list(self._ratios),
            empty=list(self._empty),
            run=self._run,
        )

    @classmethod
    def from_state(cls, state: VolumeState, spans: Spans, time_zone: str) -> "VolumeHistory":
        """History as it was."""
        history = cls(spans, time_zone)
        history._slots = {slot: [msgspec.structs.replace(s) for s in kept] for slot, kept in state.slots.items()}
        history._ratios = list(state.ratios)
        history._empty = list(state.empty)
        history._run = state.run
        return history


def log_ratio(rows: int, expected: float) -> float:
    """Log of rows over what was expected; half a row is added to both, so that none is no infinity."""
    return math.log((rows + 0.5) / (expected + 0.5))


def _spread(residuals: list[float]) -> float:
    if not residuals:
        return _LEAST_DEVIATION
    return max(_MAD * float(np.median(np.abs(residuals))), _LEAST_DEVIATION)
