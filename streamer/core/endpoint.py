"""One endpoint: its tracks, its traffic's history, its alerts; close and decide.

A window's rules see on-time records only, so what was decided stays decided; its document has the
late ones, too, and is written again, with a larger revision, when its lateness is over.
"""

from collections.abc import Mapping
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streamer.core.alerts import AlertBook
from streamer.core.baseline.learn import learn
from streamer.core.baseline.model import Baseline
from streamer.core.documents import endpoint_document, feature_document
from streamer.core.errors import Reason
from streamer.core.eventtime import as_datetime, start_of
from streamer.core.retraining import RetrainingBook, Serving
from streamer.core.rules.history import Expectation, VolumeHistory
from streamer.core.rules.judge import Judgement, gravest, judge
from streamer.core.rules.missing import run_of
from streamer.core.rules.silence import silence
from streamer.core.rules.unreadable import unreadable
from streamer.core.rules.view import FeatureView, Run
from streamer.core.rules.volume import volume
from streamer.core.settings import EndpointSettings, Limits
from streamer.core.statistics import FeatureStatistics, statistics_of
from streamer.core.totals import add_reason
from streamer.core.track import Track
from streamer.core.tracks import Generation, Tracks
from streamer.core.types import Action, Cause, Finding, Incident, Index, Key, State, TimeRange
from streamer.core.watermarks import END
from streamer.core.windows import Window

# After so many empty windows a key sleeps: no more documents until it has a record again.
EMPTY_WINDOWS = 1_000
# A version that gave way to another of its variant sleeps sooner.
SUPERSEDED_WINDOWS = 3


class Due(NamedTuple):
    """A window that is being closed.

    Attributes
    ----------
    track : Generation
        Whose.
    window : Window
        With every on-time record.
    statistics : list of FeatureStatistics
        Of its on-time rows; empty while learning and without rows.
    """

    track: Generation
    window: Window
    statistics: list[FeatureStatistics]


class Endpoint:
    """What is going on at one endpoint.

    Parameters
    ----------
    name : str
        As records name it.
    settings : EndpointSettings
        How it is watched.
    baselines : mapping of str to Baseline, optional
        Those given, by version; ``""`` holds for every version without one of its own.

    Attributes
    ----------
    tracks : Tracks
        One for each variant and model version seen, and each generation of it.
    invalid : dict of int to int
        Records that could not be read, by start of window.
    reasons : dict of int to dict of str to int
        Why records, or one side of them, could not be read, by start of window.
    closed_at : int
        End of the last window closed; 0 before.
    runs : dict of str to Run
        Windows in a row in which a feature's values were missing, by variant, version, side and name.
    restarted : tuple of str
        In words, what begins anew since a restart because the configuration changed.
    volumes : dict of str to VolumeHistory
        Traffic of the past weeks by variant: versions of a variant share its traffic.
    since_at : int or None
        Start of its first window.
    book : AlertBook
        Its incidents.
    retraining : RetrainingBook
        When its model is to be trained again.
    """

    def __init__(self, name: str, settings: EndpointSettings, baselines: Mapping[str, Baseline] | None = None) -> None:
        self.name = name
        self.settings = settings
        self.tracks = Tracks(settings, baselines or {})
        self.invalid: dict[int, int] = {}
        self.reasons: dict[int, dict[str, int]] = {}
        self.closed_at = 0
        self.restarted: tuple[str, ...] = ()
        self.runs: dict[str, Run] = {}
        self.volumes: dict[str, VolumeHistory] = {}
        self.since_at: int | None = None
        self.book = AlertBook(name, settings.lasting)
        self.retraining = RetrainingBook(name, settings.retraining)
        self._window = settings.spans.window * 1000
        self._pane = settings.spans.pane * 1000

    def note_invalid(self, at: int, reason: Reason) -> None:
        """Count a record that could not be read, at its own or its shard's time."""
        start = start_of(at, self.settings.spans.window, self.settings.spans.offset)
        self.invalid[start] = self.invalid.get(start, 0) + 1
        self.note_reason(at, reason)

    def note_reason(self, at: int, reason: Reason) -> None:
        """Count why a record, or one side of it, could not be read."""
        start = start_of(at, self.settings.spans.window, self.settings.spans.offset)
        add_reason(self.reasons.setdefault(start, {}), reason)

    def next_close_at(self) -> int:
        """End of the next window to close; ``END`` if none is open."""
        ends = [end for t in self.tracks.values() if (end := t.next_close_at()) is not None]
        ends += [start + self._window for start in self.invalid if start >= self.closed_at]
        return min(ends, default=END)

    def next_at(self) -> int:
        """Earliest watermark that changes anything here; ``END`` if none does."""
        times = [start + self._pane for t in self.tracks.values() for start in t.panes]
        lateness = self.settings.spans.lateness * 1000
        times += [start + self._window + lateness for t in self.tracks.values() for start in t.windows]
        return min([*times, self.next_close_at()])

    def close_panes(self, until_at: int) -> None:
        """Merge the panes the watermark passed into their windows."""
        for track in self.tracks.values():
            track.close_panes(until_at)

    def close(self, end_at: int) -> list[Action]:
        """Close the windows that end at a time, and decide on them."""
        due = [
            Due(track, window, _statistics(track, window))
            for track in self.tracks.values()
            if (window := track.due(end_at)) is not None
        ]
        self.closed_at = end_at
        findings, judged = self._judge_shared(due, end_at)
        for d in due:
            own = self._judge_features(d, end_at)
            judged |= {cause for j in own for cause in j.judged}
            mine = [f for j in own for f in j.findings]
            if d.track.watch is not None and d.statistics:
                judged.add(Cause.DRIFT)
                mine += d.track.watch.findings(d.track.key, end_at - self._window, end_at)
            if d.track.roster is not None:
                said, could = d.track.roster.close(d.track.key, end_at - self._window, end_at)
                mine, judged = mine + said, judged | could
            _settle(d, own, [*(f for f in findings if f.key.variant in ("", d.track.key.variant)), *mine])
            findings += mine
        actions: list[Action] = []
        for d in due:
            actions += self._write(d.track, d.window, d.statistics if d.window.late is None else None)
        independent = any(d.track.baseline is not None and d.track.baseline.assumes_independence for d in due)
        told = self.book.advance(end_at, findings, judged, assumes_independence=independent)
        actions += told
        if due:
            changed = [a.document for a in told if isinstance(a, Index) and isinstance(a.document, Incident)]
            actions += self.retraining.advance(end_at, changed, self._serving(due))
        for d in due:
            self._learn(d.track, end_at)
            self._rest(d.track)
        return actions

    def _serving(self, due: list[Due]) -> Serving:
        """The version that had a record last; of several, the last by name."""
        track = max((d.track for d in due), key=lambda t: (t.active_at, t.key))
        if self.since_at is None:
            self.since_at = min(d.window.counts.start_at for d in due)
        baseline, original = track.baseline, None
        if baseline is not None and baseline.timeline is not None and not baseline.learned:
            timeline = baseline.timeline
            original = TimeRange(as_datetime(timeline.start_at), as_datetime(timeline.end_at))
        return Serving(
            variant=track.key.variant,
            model_version=track.key.version,
            baseline=baseline.id if baseline is not None else "",
            original=original,
            since_at=self.since_at,
        )

    def _judge_shared(self, due: list[Due], end_at: int) -> tuple[list[Finding], set[Cause]]:
        """Ask the rules on the endpoint and its variants; with the causes there was data to judge."""
        rules, start_at = self.settings.rules, end_at - self._window
        invalid = self.invalid.get(start_at, 0)
        records = sum(d.window.counts.records for d in due)
        findings: list[Finding | None] = []
        judged: set[Cause] = set()
        if rules.unreadable and records + invalid:
            judged.add(Cause.UNREADABLE)
            partial = sum(d.window.counts.partial for d in due)
            reasons = self.reasons.get(start_at, {})
            key = Key(self.name, "", "")
            findings.append(unreadable(key, rules, start_at, end_at, records, invalid, partial, reasons))
        explained = any(f is not None and f.state is State.BROKEN for f in findings)
        for variant in sorted({d.track.key.variant for d in due}):
            mine = [d for d in due if d.track.key.variant == variant]
            key = Key(self.name, variant, "")
            rows = sum(d.window.counts.rows for d in mine)
            arrived = bool(rows or invalid)
            history = self._history(variant, mine)
            past = history.expected(start_at)
            for d in mine:
                d.window.counts.expected_rows = None if past is None else past.rows
                d.window.counts.variant_rows = rows
            history.add(start_at, rows, arrived=arrived)
            if rules.silence:
                findings.append(silence(key, rules, self._window, end_at, history))
            # Records that came and could not be read are no change of traffic.
            if rules.volume and past is not None and not explained:
                judged.add(Cause.VOLUME)
                findings += self._judge_volume(key, end_at, rows, past, history)
            if arrived:
                judged.add(Cause.SILENCE)
        return [f for f in findings if f is not None], judged

    def _judge_volume(
        self, key: Key, end_at: int, rows: int, past: Expectation, history: VolumeHistory
    ) -> list[Finding | None]:
        """Ask about a window's rows, and where it alone proves nothing, about the last hour's."""
        rules = self.settings.rules
        alone = volume(key, rules, end_at - self._window, end_at, rows, past)
        lately = history.expected_lately()
        if lately is None or (alone is not None and alone.state is State.BROKEN):
            return [alone]
        together = volume(key, rules, end_at - 3_600_000, end_at, *lately, of=" in the last hour")
        broken = together is not None and together.state is State.BROKEN
        return [together if broken else alone]

    def _history(self, variant: str, due: list[Due]) -> VolumeHistory:
        history = self.volumes.get(variant)
        if history is None:
            history = self.volumes[variant] = VolumeHistory(self.settings.spans, self.settings.time_zone)
            timelines = [b.timeline for d in due if (b := d.track.baseline) is not None and b.timeline is not None]
            if self.settings.rules.baseline_is_traffic and timelines:
                history.seed(timelines[0])
        return history

    def _judge_features(self, due: Due, end_at: int) -> list[Judgement]:
        start_at = end_at - self._window
        hours = self._hours(due.track, start_at)
        timeline = due.track.baseline.timeline if due.track.baseline is not None else None
        span = None if timeline is None else timeline.end_at - timeline.start_at
        judgements = []
        for s in due.statistics:
            baseline, place = s.cells.baseline, "/".join((*due.track.key[1:], s.side, s.name))
            view = FeatureView(
                due.track.key,
                self.settings.rules,
                start_at,
                end_at,
                s,
                baseline.profile_over(hours),
                baseline.missing_over(hours),
                self.runs.get(place),
                span,
            )
            judgements.append(judge(view))
            if s.rows >= self.settings.rules.minimum_rows:
                said = next((f for f in judgements[-1].findings if f.rule == "missing"), None)
                run = run_of(view, said)
                if run is not None:
                    self.runs[place] = run
                else:
                    self.runs.pop(place, None)
        return judgements

    def _write(self, track: Track, window: Window, statistics: list[FeatureStatistics] | None) -> list[Action]:
        """A window's documents; statistics are made of all its rows where they are not given."""
        counts, key = window.counts, track.key
        end_at = counts.start_at + self._window
        invalid = self.invalid.get(counts.start_at, 0)
        counts.revision = window.complete(invalid)
        baseline = _baseline_of(track, window)
        state = counts.state
        if not counts.closed:
            state = State.INSUFFICIENT
        elif baseline is None:
            state = State.LEARNING
        document = endpoint_document(
            key, baseline, counts, end_at, counts.revision, invalid, state, complete=counts.closed
        )
        actions: list[Action] = [Index(document)]
        if statistics is None:
            whole = window.whole
            statistics = statistics_of(track.layout, whole) if whole is not None and track.layout is not None else []
        by_feature: dict[str, list[Finding]] = {}
        for finding in counts.findings:
            by_feature.setdefault(finding.feature, []).append(finding)
        for s in statistics:
            if baseline is None:
                break
            shown = s.rows >= self.settings.rules.minimum_rows
            said = counts.states.get(f"{s.side}/{s.name}", State.OK) if counts.closed else State.INSUFFICIENT
            document_of = feature_document(
                key, baseline, counts, end_at, counts.revision, s, said, by_feature.get(s.name, ()), shown=shown
            )
            actions.append(Index(document_of))
        return actions

    def _learn(self, track: Track, end_at: int) -> None:
        if track.baseline is None and len(track.learned) >= self.settings.burn_in_rows:
            track.begin(learn(track.learned, self.settings.time_zone), end_at)

    def _rest(self, track: Generation) -> None:
        """Let a key sleep that has had no record for long, or gave way to another version."""
        empty = track.empty_windows()
        superseded = any(
            t.active_at > track.active_at and t.key.variant == track.key.variant and t.begins_at == track.begins_at
            for t in self.tracks.values()
        )
        if empty >= EMPTY_WINDOWS or (superseded and empty >= SUPERSEDED_WINDOWS):
            track.asleep = True

    def revise(self, at: int) -> list[Action]:
        """Write again the windows whose lateness is over and that late records changed; let go of them."""
        actions: list[Action] = []
        for track in list(self.tracks.values()):
            for window in track.forget(at):
                if window.complete(self.invalid.get(window.counts.start_at, 0)) > window.counts.revision:
                    actions += self._write(track, window, None)
            if track.is_over:
                self.tracks.drop(track)
        gone_at = at - self._window - self.settings.spans.lateness * 1000
        for start in [s for s in self.invalid if s <= gone_at and s < self.closed_at]:
            del self.invalid[start]
        for start in [s for s in self.reasons if s <= gone_at and s < self.closed_at]:
            del self.reasons[start]
        return actions

    def write_open(self) -> list[Action]:
        """Write what is open, after the last record of a replay: nothing is decided on it."""
        actions: list[Action] = []
        for track in self.tracks.values():
            for _, window in sorted(track.windows.items()):
                if window.complete(self.invalid.get(window.counts.start_at, 0)) > window.counts.revision:
                    actions += self._write(track, window, None)
        return actions

    def track(self, key: Key, begins_at: int, limits: Limits, most: int) -> Generation | None:
        """The track of a key in one generation, made if there is room among so many keys.

        The key that slept longest and has nothing open makes room.
        """
        track = self.tracks.get(key, begins_at)
        if track is not None:
            return track
        if key not in self.tracks and len(self.tracks) >= most:
            idle = self.tracks.idle()
            if not idle:
                return None
            self.tracks.drop(idle[0])
        return self.tracks.start(key, begins_at, limits)

    def _hours(self, track: Track, start_at: int) -> tuple[int, ...]:
        """Hours of day a window touches, in the zone of the baseline's profile."""
        if track.baseline is None or track.baseline.timeline is None:
            return ()
        zone = ZoneInfo(track.baseline.timeline.time_zone)
        hours = min(max(self._window // 3_600_000, 1), 24)
        middles = [start_at + (2 * i + 1) * self._window // (2 * hours) for i in range(hours)]
        return tuple(as_datetime(at).astimezone(zone).hour for at in middles)


def _baseline_of(track: Track, window: Window) -> Baseline | None:
    """The baseline a window is held against: none before a learned one began."""
    return track.baseline if window.counts.start_at >= track.since_at else None


def _statistics(track: Track, window: Window) -> list[FeatureStatistics]:
    if track.layout is None or window.on_time is None or _baseline_of(track, window) is None:
        return []
    return statistics_of(track.layout, window.on_time)


def _settle(due: Due, own: list[Judgement], findings: list[Finding]) -> None:
    """Keep with a window what was said of it, for its documents."""
    counts = due.window.counts
    counts.closed = True
    counts.findings = tuple(findings)
    counts.states = {
        f"{s.side}/{s.name}": j.state for s, j in zip(due.statistics, own, strict=True) if j.state is not State.OK
    }
    states = [j.state for j in own] + [f.state for f in findings]
    counts.state = gravest(states if due.statistics else [*states, State.INSUFFICIENT])
