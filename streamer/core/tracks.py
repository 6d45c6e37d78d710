"""Tracks of one endpoint: by key and, where an operator accepted a new normal, by generation.

A generation begins at a window boundary that lies after everything taken in so far: a record
belongs to a generation by its event time alone, so batches and shards may come as they like. The
old baseline judges what is before the boundary and the new one is learned from what is after it;
late records still revise the old windows.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from streamer.core.baseline.model import Baseline
from streamer.core.decode.batch import Captures
from streamer.core.eventtime import start_of
from streamer.core.settings import EndpointSettings, Limits, VersionSettings
from streamer.core.track import Track
from streamer.core.types import Key
from streamer.core.watermarks import END
from streamer.core.windows import Window


class AddedVersion(msgspec.Struct, frozen=True):
    """A model version that an operator added while the service ran.

    Attributes
    ----------
    id : str
        Its name.
    from_at : int
        Start of the first window it answers in, milliseconds since the epoch.
    baseline : Baseline or None
        Its own; ``None``: the endpoint's.
    """

    id: str
    from_at: int
    baseline: Baseline | None


class Generation(Track):
    """A track that has the panes from one time to another.

    Parameters
    ----------
    key, settings, limits, baseline, refit
        As for ``Track``.
    begins_at, ends_at : int
        Starts of windows, milliseconds since the epoch; 0 and ``END`` where nothing was accepted.
    """

    def __init__(
        self,
        key: Key,
        settings: EndpointSettings,
        limits: Limits,
        baseline: Baseline | None,
        begins_at: int = 0,
        ends_at: int = END,
        refit: Baseline | None = None,
    ) -> None:
        super().__init__(key, settings, limits, baseline, refit)
        self.begins_at = begins_at
        self.ends_at = ends_at

    def next_close_at(self) -> int | None:
        """End of the next window to close; ``None`` after the last of its own."""
        end_at = super().next_close_at()
        return end_at if end_at is not None and end_at <= self.ends_at else None

    def due(self, end_at: int) -> Window | None:
        """The window that ends at a time and is to be closed now; none after the last of its own."""
        return super().due(end_at) if end_at <= self.ends_at else None

    @property
    def is_awake(self) -> bool:
        """Whether it has closed a pane, does not sleep, and has not given way to the next generation."""
        return super().is_awake and self.window_at is not None and self.window_at < self.ends_at

    @property
    def is_over(self) -> bool:
        """Whether all its windows are closed, and no late record can revise them any more."""
        closed = self.window_at is None or self.asleep or self.window_at >= self.ends_at
        return self.ends_at != END and closed and not (self.panes or self.windows or len(self.duplicates))


class Tracks:
    """All tracks of one endpoint.

    Parameters
    ----------
    settings : EndpointSettings
        Spans, and the configured versions.
    baselines : mapping of str to Baseline
        Those given, by version; ``""`` holds for every version without one of its own.

    Attributes
    ----------
    versions : tuple of VersionSettings
        Configured and added ones by the time they took over, ascending.
    added : list of AddedVersion
        In the order they were added; one that is configured by now is not used.
    accepted : list of int
        Starts of the generations after the first, ascending.
    """

    def __init__(self, settings: EndpointSettings, baselines: Mapping[str, Baseline]) -> None:
        self.settings = settings
        self.versions = settings.versions
        self.added: list[AddedVersion] = []
        self.accepted: list[int] = []
        self._baselines = dict(baselines)
        self._tracks: dict[tuple[Key, int], Generation] = {}
        self._ordered: list[Generation] = []

    def values(self) -> list[Generation]:
        """Every track, in order of key and generation."""
        return self._ordered

    def get(self, key: Key, begins_at: int = 0) -> Generation | None:
        """The track of a key in one generation."""
        return self._tracks.get((key, begins_at))

    def __contains__(self, key: Key) -> bool:
        """Whether a key has a track, in any generation."""
        return any(track.key == key for track in self._ordered)

    def __len__(self) -> int:
        """Number of keys."""
        return len({track.key for track in self._ordered})

    def put(self, track: Generation) -> None:
        """Take in a track."""
        self._tracks[track.key, track.begins_at] = track
        self._ordered = [self._tracks[place] for place in sorted(self._tracks)]

    def drop(self, track: Generation) -> None:
        """Let go of a track."""
        del self._tracks[track.key, track.begins_at]
        self._ordered.remove(track)

    def start(self, key: Key, begins_at: int, limits: Limits) -> Generation:
        """Make the track of a key in one generation."""
        ends_at = min((at for at in self.accepted if at > begins_at), default=END)
        track = Generation(key, self.settings, limits, self.given(key, begins_at), begins_at, ends_at)
        self.put(track)
        return track

    def given(self, key: Key, begins_at: int) -> Baseline | None:
        """The baseline that was given for a key; ``None``: one is learned.

        What was accepted as the new normal is learned, whatever was given before: only a version
        that took over since then is held against a baseline of its own.
        """
        own = self._baselines.get(key.version) if key.version else None
        if not begins_at:
            return own or self._baselines.get("")
        since_at = next((version.from_at for version in self.versions if version.id == key.version), 0)
        return own if since_at >= begins_at else None

    def split(self, captures: Captures) -> Iterator[tuple[int, Captures]]:
        """Captures of one key by the generation their panes belong to."""
        if not self.accepted:
            yield 0, captures
            return
        # A generation begins where a pane does, so event times can be compared with it as they are.
        generation = np.searchsorted(np.array(self.accepted, np.int64), captures.event_at, side="right")
        for n in np.unique(generation).tolist():
            mine = np.flatnonzero(generation == n)
            yield (
                self.accepted[n - 1] if n else 0,
                Captures(
                    captures.record[mine],
                    captures.event_at[mine],
                    captures.identity[mine],
                    [captures.sides[i] for i in mine.tolist()],
                ),
            )

    def boundary(self, from_at: int) -> int:
        """First start of a window at or after a time (no less than the watermark), and after all that was taken in."""
        spans = self.settings.spans
        taken_at = max((start for track in self._ordered for start in track.panes), default=-1)
        return start_of(max(from_at, taken_at + 1) - 1, spans.window, spans.offset) + spans.window * 1000

    def accept(self, at: int) -> None:
        """Begin a generation at a window's start, as ``boundary`` gave it."""
        if at in self.accepted:
            return
        self.accepted = sorted([*self.accepted, at])
        window = self.settings.spans.window * 1000
        for track in [t for t in self._ordered if t.begins_at < at < t.ends_at]:
            track.ends_at = at
            if track.window_at is None or track.asleep:
                continue
            following = self.start(track.key, at, track.limits)
            # It closes empty windows, too, from its first one on.
            following.window_at, following.active_at = at, at - window

    def add(self, version: AddedVersion) -> None:
        """Let a version answer from a window's start on, unless one of that name is configured."""
        self.added.append(version)
        if any(known.id == version.id for known in self.settings.versions):
            return
        more = VersionSettings(id=version.id, from_at=version.from_at)
        self.versions = tuple(sorted([*self.versions, more], key=lambda v: v.from_at))
        if version.baseline is not None:
            self._baselines[version.id] = version.baseline

    def idle(self) -> Sequence[Generation]:
        """Tracks that sleep and have nothing open, the one that slept longest first."""
        idle = [t for t in self._ordered if t.asleep and not t.panes and not t.windows]
        return sorted(idle, key=lambda t: (t.active_at, t.key))
