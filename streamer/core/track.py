"""Track: one key's open panes and windows, from its first record on."""

from collections.abc import Iterable
from typing import Final

import xxhash

from streamer.core.baseline.model import Baseline
from streamer.core.baseline.refit import refitted
from streamer.core.baseline.timeline import HOUR
from streamer.core.baseline.weather import DAY, ENOUGH_DAYS, Weather, days_of
from streamer.core.decode.sides import SideReader
from streamer.core.detectors.roster import Roster
from streamer.core.detectors.watch import Watch
from streamer.core.duplicates import Duplicates
from streamer.core.eventtime import start_of
from streamer.core.fold import columns_of, samples_of_raw
from streamer.core.layout import Layout
from streamer.core.panes import Pane, Part
from streamer.core.profile import profile_of
from streamer.core.rawrows import RawRow
from streamer.core.sample import Sampling, merged
from streamer.core.schema import Side
from streamer.core.settings import EndpointSettings, Limits
from streamer.core.types import Finding, Key
from streamer.core.windows import Window, WindowCounts

# Part of the threshold from which on evidence may become an alarm.
DOUBTED: Final = 0.1


class Track:
    """What is going on for one model version behind one variant of one endpoint.

    Parameters
    ----------
    key : Key
        Who answered.
    settings : EndpointSettings
        Spans and paths.
    limits : Limits
        For reading payloads.
    baseline : Baseline or None
        ``None``: learned from the first traffic.
    refit : Baseline, optional
        That baseline with its traffic since, where it was refitted before.

    Attributes
    ----------
    layout : Layout or None
        Cells; ``None`` while learning.
    watch : Watch or None
        Detection of drift; ``None`` where it is not asked for, while learning, and of a learned baseline
        until some days of weather are in.
    weather : Weather or None
        Traffic since, while the baseline is young and drift is looked for.
    refit : Baseline or None
        The baseline with that traffic, which evidence is held against.
    roster : Roster or None
        The named detectors; ``None`` while learning and where there are none.
    readers : dict of Side to SideReader
        Readers of the sides the baseline has features of.
    panes, windows : dict of int to Pane, Window
        The open ones, by start.
    window_at : int or None
        Start of the next window to close; ``None`` before the first pane closed.
    active_at : int
        Start of the last window that had a record.
    since_at : int
        From where on the baseline holds.
    asleep : bool
        No window is closed before another record comes; the next document says how many were skipped.
    """

    def __init__(
        self,
        key: Key,
        settings: EndpointSettings,
        limits: Limits,
        baseline: Baseline | None,
        refit: Baseline | None = None,
    ) -> None:
        self.key = key
        self.settings = settings
        self.limits = limits
        self.panes: dict[int, Pane] = {}
        self.windows: dict[int, Window] = {}
        self.window_at: int | None = None
        self.active_at = 0
        self.since_at = 0
        self.asleep = False
        self.duplicates = Duplicates()
        self.learned: list[RawRow] = []
        self.baseline: Baseline | None = None
        self.layout: Layout | None = None
        self.watch: Watch | None = None
        self.weather: Weather | None = None
        self.refit: Baseline | None = None
        self.roster: Roster | None = None
        self.readers: dict[Side, SideReader] = {}
        self._pane = settings.spans.pane * 1000
        self._window = settings.spans.window * 1000
        # A refit takes a while: endpoints that began together have theirs at different times of the day.
        self._turn = xxhash.xxh3_64_intdigest("/".join(key).encode()) % DAY
        if baseline is not None:
            self._settle(baseline, refit)

    def _settle(self, baseline: Baseline, refit: Baseline | None = None) -> None:
        self.baseline = baseline
        self.layout = Layout(baseline)
        self.refit = self.watch = self.weather = None
        asked, hourly = self.settings.false_alarms_apart is not None, self.settings.spans.pane <= HOUR
        if asked and hourly and days_of(baseline) < ENOUGH_DAYS:
            self.weather = Weather(self.layout)
        if asked and refit is not None:
            self.refit, self.watch = refit, self._watch(Layout(refit))
        elif asked and not (baseline.learned and hourly):
            self.watch = self._watch(self.layout)
        self.roster = Roster(self.settings, self.layout) if self.settings.detectors else None
        self.readers = {
            side: SideReader(baseline.schema, side, self.settings.json_path, self.limits, learned=baseline.learned)
            for side in Side
            if baseline.schema.of(side)
        }

    def _watch(self, layout: Layout) -> Watch:
        apart, spans = self.settings.false_alarms_apart, self.settings.spans
        assert apart is not None
        return Watch(layout, apart[0], spans.pane, self.settings.tolerance)

    def relearn(self, at: int) -> bool:
        """Hold evidence against the baseline and the traffic since, if a week more of it is in; whether it was.

        Parameters
        ----------
        at : int
            End of the window that closes, milliseconds since the epoch.
        """
        if self.weather is None or self.layout is None or not self.weather.is_due:
            return False
        if not self.weather.overdue and at % DAY < self._turn:
            return False
        # What is nearly proven is neither learned nor forgotten.
        if self.watch is not None and self.watch.level >= DOUBTED:
            return False
        before = self.watch
        self.weather.used = len(self.weather.days)
        self.refit = refitted(self.layout, self.weather.table(), self.settings.time_zone)
        self.watch = self._watch(Layout(self.refit))
        if before is not None:
            self.watch.follow(before)
        if self.weather.is_enough:
            self.weather = None
        return True

    @property
    def weather_days(self) -> int | None:
        """Days of traffic from which evidence knows what is usual; ``None`` where nobody looks for drift."""
        known = self.refit if self.refit is not None else self.baseline
        return None if self.watch is None or known is None else round(days_of(known))

    @property
    def sampling(self) -> Sampling:
        """What is kept of some rows of a pane as they are."""
        return {} if self.roster is None else self.roster.sampling

    def window_of(self, pane_at: int) -> Window:
        """The window a pane belongs to, made if there was none."""
        start = start_of(pane_at, self.settings.spans.window, self.settings.spans.offset)
        window = self.windows.get(start)
        if window is None:
            window = self.windows[start] = Window(WindowCounts(start))
        return window

    def add(self, parts: Iterable[Part]) -> None:
        """Take in the parts of a batch."""
        for part in parts:
            if part.late:
                self.window_of(part.pane_at).add_late(part, with_profile=part.pane_at >= self.since_at)
                continue
            pane = self.panes.get(part.pane_at)
            if pane is None:
                pane = self.panes[part.pane_at] = Pane(part.pane_at)
            pane.add(part)

    def close_panes(self, until_at: int, *, watched: bool = True) -> None:
        """Merge the panes that end by the watermark into their windows, in order.

        Parameters
        ----------
        until_at : int
            The watermark.
        watched : bool
            Whether detection sees them.
        """
        for start in sorted(start for start in self.panes if start + self._pane <= until_at):
            pane = self.panes.pop(start)
            window = self.window_of(start)
            window_at = window.counts.start_at
            if self.window_at is None:
                self.window_at = window_at
            elif self.asleep:
                window.counts.skipped = (window_at - self.window_at) // self._window
                self.window_at = window_at
            self.asleep = False
            window.add_pane(pane)
            if watched and pane.profile is not None and start >= self.since_at:
                if self.watch is not None:
                    self.watch.take(start, pane.profile.counts)
                if self.weather is not None:
                    self.weather.take(start, pane.profile.counts)
            if self.roster is not None and pane.profile is not None and start >= self.since_at:
                self.roster.take(start, pane.profile.counts, pane.profile.sums, pane.samples)
            self.active_at = window_at
            missing = self.settings.burn_in_rows - len(self.learned)
            if self.layout is None and missing > 0:
                self.learned.extend(pane.raw[:missing])

    @property
    def is_awake(self) -> bool:
        """Whether it has closed a pane and does not sleep."""
        return self.window_at is not None and not self.asleep

    def note(self, pane_at: int, findings: list[Finding]) -> None:
        """Keep with an open window what was said when one of its panes closed, for its documents."""
        window = self.windows.get(start_of(pane_at, self.settings.spans.window, self.settings.spans.offset))
        if window is not None and not window.counts.closed:
            window.counts.findings += tuple(findings)

    def next_close_at(self) -> int | None:
        """End of the next window to close; ``None`` where there is none before another record."""
        if self.window_at is not None and not self.asleep:
            return self.window_at + self._window
        if not self.panes:
            return None
        return start_of(min(self.panes), self.settings.spans.window, self.settings.spans.offset) + self._window

    def due(self, end_at: int) -> Window | None:
        """The window that ends at a time and is to be closed now, empty ones included."""
        self.close_panes(end_at)
        if self.asleep or self.window_at is None or self.window_at + self._window != end_at:
            return None
        window = self.window_of(self.window_at)
        self.window_at = end_at
        return window

    def empty_windows(self) -> int:
        """Closed windows since the last that had a record."""
        return 0 if self.window_at is None else (self.window_at - self.active_at) // self._window - 1

    def begin(self, baseline: Baseline, from_at: int) -> None:
        """Watch by a learned baseline from a window's start on; rows kept of open panes and late ones are read."""
        self._settle(baseline)
        self.since_at = from_at
        self.learned = []
        if self.layout is None:
            return
        for pane in self.panes.values():
            sides = columns_of(pane.raw, self.readers)
            profile = profile_of(self.layout, sides)
            pane.samples = merged(samples_of_raw(self.sampling, sides, pane.raw), pane.samples)
            if pane.profile is not None:
                profile.add(pane.profile)
            pane.profile, pane.raw = profile, []
        for window in self.windows.values():
            # Late rows of the time before count, but there is nothing to hold them against.
            if window.raw and window.counts.start_at >= from_at:
                window.read_late(profile_of(self.layout, columns_of(window.raw, self.readers)))
            window.raw = []

    def forget(self, until_at: int) -> list[Window]:
        """Let go of closed windows that no late record can revise any more.

        Parameters
        ----------
        until_at : int
            The watermark.

        Returns
        -------
        list of Window
            Those let go, in order.
        """
        gone_at = until_at - self.settings.spans.lateness * 1000
        self.duplicates.forget(gone_at - self._pane + 1)
        done = [
            start
            for start in sorted(self.windows)
            if start + self._window <= gone_at and (self.window_at is None or start < self.window_at or self.asleep)
        ]
        return [self.windows.pop(start) for start in done]
