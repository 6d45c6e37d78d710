"""One endpoint: its tracks, its traffic's history, its alerts; close and decide.

A window's rules see on-time records only, so what was decided stays decided; its document has the
late ones, too, and is written again, with a larger revision, when they came after it closed.
"""

from collections.abc import Iterable

from streamer.core.alerts import AlertBook
from streamer.core.baseline.learn import learn
from streamer.core.documents import endpoint_document, feature_document
from streamer.core.eventtime import start_of
from streamer.core.rules import WindowView, findings_of
from streamer.core.rules.volume import VolumeHistory
from streamer.core.settings import EndpointSettings
from streamer.core.statistics import statistics_of
from streamer.core.track import Track
from streamer.core.types import Action, Finding, Index, Key, State
from streamer.core.watermarks import END
from streamer.core.windows import Window

# A key that had no record for so long is let go of, with its empty windows.
_RETIRED_AFTER_MS = 28 * 86_400_000
# A version that gave way to another of its variant, sooner.
_SUPERSEDED_WINDOWS = 3


class Endpoint:
    """What is going on at one endpoint.

    Parameters
    ----------
    name : str
        As records name it.
    settings : EndpointSettings
        How it is watched.

    Attributes
    ----------
    tracks : dict of Key to Track
        One for each variant and model version seen.
    invalid : dict of int to int
        Records that could not be read, by start of window.
    volumes : dict of str to VolumeHistory
        Traffic of the past weeks by variant: versions of a variant share its traffic.
    book : AlertBook
        Its incidents.
    """

    def __init__(self, name: str, settings: EndpointSettings) -> None:
        self.name = name
        self.settings = settings
        self.tracks: dict[Key, Track] = {}
        self.invalid: dict[int, int] = {}
        self.volumes: dict[str, VolumeHistory] = {}
        self.book = AlertBook(name, settings.alerts)
        self._window = settings.spans.window * 1000
        self._pane = settings.spans.pane * 1000

    def note_invalid(self, at: int) -> None:
        """Count a record that could not be read, at its own or its shard's time."""
        start = start_of(at, self.settings.spans.window, self.settings.spans.offset)
        self.invalid[start] = self.invalid.get(start, 0) + 1

    def close_panes(self, until_at: int) -> None:
        """Merge the panes the watermark passed into their windows."""
        for track in self.tracks.values():
            track.close_panes(until_at)
            track.pass_over(until_at)

    def next_close_at(self) -> int | None:
        """End of the next window to close; ``None`` if none is open."""
        return min((end for t in self.tracks.values() if (end := t.next_close_at()) is not None), default=None)

    def next_at(self) -> int:
        """Earliest watermark that changes anything here; ``END`` if none does."""
        times = [start + self._pane for t in self.tracks.values() for start in t.panes]
        lateness = self.settings.spans.lateness * 1000
        times += [start + self._window + lateness for t in self.tracks.values() for start in t.windows]
        closing = self.next_close_at()
        return min([*times, *([] if closing is None else [closing])], default=END)

    def close(self, end_at: int) -> list[Action]:
        """Close the windows that end at a time, and decide on them."""
        due = [(track, window) for _, track in sorted(self.tracks.items()) if (window := track.due(end_at))]
        findings: list[Finding] = []
        for track, window in due:
            window.counts.closed = True
            window.counts.findings = findings_of(self._view(track, window, due))
            findings += window.counts.findings
        actions: list[Action] = []
        for track, window in due:
            actions += self._documents(track, window, complete=True)
        independent = any(t.baseline is not None and t.baseline.assumes_independence for t, _ in due)
        actions += self.book.advance(end_at, findings, assumes_independence=independent)
        for track, _ in due:
            self._learn(track, end_at)
        self._retire(end_at)
        return actions
