"""One endpoint: its tracks, its traffic's history, its alerts; close and decide.

A window's rules see on-time records only, so what was decided stays decided; its document has the
late ones, too, and is written again, with a larger revision, when its lateness is over.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from streamer.core.alerts import AlertBook
from streamer.core.baseline.learn import learn
from streamer.core.baseline.model import Baseline
from streamer.core.detectors.watches import accuse, budget_used
from streamer.core.documents import endpoint_document, feature_document
from streamer.core.due import Due
from streamer.core.eventtime import as_datetime, hours_of
from streamer.core.incident import Incident
from streamer.core.retraining import RetrainingBook, Serving
from streamer.core.rules.budget import within_budget
from streamer.core.rules.judge import Judgement, gravest, judge, unwatched
from streamer.core.rules.missing import run_of
from streamer.core.rules.view import FeatureView, Run
from streamer.core.settings import EndpointSettings, Limits, Rules
from streamer.core.statistics import FeatureStatistics, statistics_of
from streamer.core.track import Track
from streamer.core.tracks import Generation, Tracks
from streamer.core.traffic import Traffic
from streamer.core.types import Action, Cause, Finding, Index, Judge, Key, State, TimeRange
from streamer.core.watermarks import END
from streamer.core.windows import Window

# After so many empty windows a key sleeps: no more documents until it has a record again.
EMPTY_WINDOWS = 1_000
# A version that gave way to another of its variant sleeps sooner.
SUPERSEDED_WINDOWS = 3
# Incidents of these causes are not what traffic is usually like.
_UNUSUAL: Final = (Cause.DRIFT, Cause.MISSING, Cause.WILD)


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
    traffic : Traffic
        Its records as a whole, those that could not be read included.
    closed_at : int
        End of the last window closed; 0 before.
    runs : dict of str to Run
        Windows in a row in which a feature's values were missing, by variant, version, side and name.
    restarted : tuple of str
        In words, what begins anew since a restart because the configuration changed.
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
        self.traffic = Traffic(name, settings)
        self.closed_at = 0
        self.restarted: tuple[str, ...] = ()
        self.runs: dict[str, Run] = {}
        self.since_at: int | None = None
        self.book = AlertBook(name, settings.lasting)
        self.retraining = RetrainingBook(name, settings.retraining)
        self._window = settings.spans.window * 1000
        self._pane = settings.spans.pane * 1000

    @property
    def decided_at(self) -> int:
        """When its incidents were last looked at: a decision on them takes effect then."""
        return max(self.closed_at, self.book.at)

    def next_close_at(self) -> int:
        """End of the next window to close; ``END`` if none is open."""
        ends = [end for t in self.tracks.values() if (end := t.next_close_at()) is not None]
        return min([*ends, *self.traffic.next_close_at(self.closed_at)], default=END)

    def next_at(self) -> int:
        """Earliest watermark that changes anything here; ``END`` if none does."""
        times = [start + self._pane for t in self.tracks.values() for start in t.panes]
        lateness = self.settings.spans.lateness * 1000
        times += [start + self._window + lateness for t in self.tracks.values() for start in t.windows]
        return min([*times, self.next_close_at()])

    def close_panes(self, until_at: int) -> list[Action]:
        """Merge the panes that end by the watermark into their windows, in order, and tell what evidence has proven.

        An alarm does not wait for its window: a person knows it one pane after the evidence is there.
        """
        ends = {start + self._pane for track in self.tracks.values() for start in track.panes}
        actions: list[Action] = []
        for end_at in sorted(end for end in ends if end <= until_at):
            for track in self.tracks.values():
                track.close_panes(end_at)
            actions += self._alarm(end_at)
        return actions

    def merge_panes(self) -> None:
        """Merge all panes that are left into their windows; nothing is made of them."""
        for track in self.tracks.values():
            track.close_panes(END, watched=False)

    def _accused(self, start_at: int, end_at: int) -> list[Finding]:
        return accuse([(t.key, t.watch) for t in self.tracks.values() if t.is_awake and t.watch], start_at, end_at)

    def _alarm(self, at: int) -> list[Action]:
        """Open an incident for what evidence proves and no incident tells yet; later windows go on with it."""
        tracks = self.tracks.values()
        fresh = {t.key for t in tracks if t.watch is not None and t.watch.until_at == at}
        accused = self._accused(at - self._pane, at) if fresh else []
        found = [f for f in accused if f.key in fresh and not self.book.is_open(f.cause)]
        if not found:
            return []
        for track in tracks:
            track.note(at - self._pane, [f for f in found if f.key == track.key])
        told = self.book.advance(at, found, (), assumes_independence=_assumes_independence(tracks))
        self.retraining.note(_incidents(told))
        return told

    def close(self, end_at: int) -> list[Action]:
        """Close the windows that end at a time, and decide on them."""
        alarms = self.close_panes(end_at)
        due = [
            Due(track, window, _statistics(track, window))
            for track in self.tracks.values()
            if (window := track.due(end_at)) is not None
        ]
        self.closed_at = end_at
        rules = self._rules()
        findings, shared = self.traffic.judge(due, end_at, rules)
        judged = {(cause, Judge.RULES) for cause in shared | unwatched(rules)}
        accused = self._accused(end_at - self._window, end_at)
        used = budget_used([t.watch for t in self.tracks.values() if t.is_awake and t.watch])
        shared_findings = list(findings)
        # Whoever is accused and has no rows now is not acquitted by others that have.
        absent = {f.key for f in accused} - {d.track.key for d in due if d.statistics}
        waiting = {(f.cause, Judge.EVIDENCE) for f in accused if f.key in absent}
        for d in due:
            own = self._judge_features(d, end_at, rules)
            judged |= {(cause, Judge.RULES) for j in own for cause in j.judged}
            mine = [f for j in own for f in j.findings]
            if d.statistics:
                judged |= {(cause, Judge.EVIDENCE) for cause in Cause}
                mine += [f for f in accused if f.key == d.track.key]
            could = set(Cause) if d.statistics else set()
            if d.track.roster is not None:
                said, could = d.track.roster.close(d.track.key, end_at - self._window, end_at)
                mine += said
            judged |= {(cause, Judge.DETECTORS) for cause in could}
            d.window.counts.budget_used = used if d.track.watch is not None else None
            d.window.counts.weather_days = d.track.weather_days
            _settle(d, own, [*(f for f in shared_findings if f.key.variant in ("", d.track.key.variant)), *mine])
            findings += mine
        actions: list[Action] = alarms
        for d in due:
            actions += self._write(d.track, d.window, d.statistics if d.window.late is None else None)
        independent = _assumes_independence([d.track for d in due])
        told = self.book.advance(end_at, findings, judged - waiting, assumes_independence=independent)
        actions += told
        self.retraining.note(_incidents(told))
        if due:
            actions += self.retraining.advance(end_at, self._serving(due))
        wrong_since_at = self.book.wrong_since(_UNUSUAL)
        for d in due:
            self._learn(d.track, end_at)
            if wrong_since_at is not None and d.track.weather is not None:
                d.track.weather.spoil(wrong_since_at)
            self._rest(d.track)
        for d in due if wrong_since_at is None else ():
            # It takes a few milliseconds a feature: the others have their turn with the next window.
            if d.track.relearn(end_at):
                break
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

    def _rules(self) -> Rules:
        """The rules, so careful that false alarms of all of them are a small part of what is borne."""
        features = sum(len(t.layout.features) for t in self.tracks.values() if t.is_awake and t.layout is not None)
        return within_budget(self.settings, features)

    def _judge_features(self, due: Due, end_at: int, rules: Rules) -> list[Judgement]:
        start_at = end_at - self._window
        hours = self._hours(due.track, start_at)
        timeline = due.track.baseline.timeline if due.track.baseline is not None else None
        span = None if timeline is None else timeline.end_at - timeline.start_at
        judgements = []
        for s in due.statistics:
            baseline, place = s.cells.baseline, "/".join((*due.track.key[1:], s.side, s.name))
            view = FeatureView(
                due.track.key,
                rules,
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
        invalid = self.traffic.invalid.get(counts.start_at, 0)
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
        for i, s in enumerate(statistics):
            if baseline is None:
                break
            shown = s.rows >= self.settings.rules.minimum_rows
            said = counts.states.get(f"{s.side}/{s.name}", State.OK) if counts.closed else State.INSUFFICIENT
            document_of = feature_document(
                key,
                baseline,
                counts,
                end_at,
                counts.revision,
                s,
                said,
                by_feature.get(s.name, ()),
                evidence=counts.evidence[i] if counts.evidence else None,
                resolution=track.watch.resolution[i] if track.watch is not None else None,
                shown=shown,
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
                if window.complete(self.traffic.invalid.get(window.counts.start_at, 0)) > window.counts.revision:
                    actions += self._write(track, window, None)
            if track.is_over:
                self.tracks.drop(track)
        gone_at = at - self._window - self.settings.spans.lateness * 1000
        self.traffic.forget(min(gone_at, self.closed_at - 1))
        return actions

    def write_open(self) -> list[Action]:
        """Write what is open, after the last record of a replay: nothing is decided on it."""
        actions: list[Action] = []
        for track in self.tracks.values():
            for _, window in sorted(track.windows.items()):
                if window.complete(self.traffic.invalid.get(window.counts.start_at, 0)) > window.counts.revision:
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
        return hours_of(start_at, self._window, track.baseline.zone)


def _baseline_of(track: Track, window: Window) -> Baseline | None:
    """The baseline a window is held against: none before a learned one began."""
    return track.baseline if window.counts.start_at >= track.since_at else None


def _statistics(track: Track, window: Window) -> list[FeatureStatistics]:
    if track.layout is None or window.on_time is None or _baseline_of(track, window) is None:
        return []
    return statistics_of(track.layout, window.on_time)


def _incidents(actions: list[Action]) -> list[Incident]:
    return [a.document for a in actions if isinstance(a, Index) and isinstance(a.document, Incident)]


def _assumes_independence(tracks: Sequence[Track]) -> bool:
    return any(t.baseline is not None and t.baseline.assumes_independence for t in tracks)


def _settle(due: Due, own: list[Judgement], findings: list[Finding]) -> None:
    """Keep with a window what was said of it, for its documents."""
    counts = due.window.counts
    counts.closed = True
    # What an alarm said in the middle of the window stands, unless its detector says the same at the end.
    said = {(f.rule, f.cause, f.feature) for f in findings}
    findings = [*findings, *(f for f in counts.findings if (f.rule, f.cause, f.feature) not in said)]
    counts.findings = tuple(findings)
    counts.evidence = due.track.watch.evidence() if due.track.watch is not None else ()
    accused = {f.feature for f in findings if f.judge is not Judge.RULES and f.key == due.track.key}
    states_of = {
        f"{s.side}/{s.name}": State.BROKEN if s.name in accused else j.state
        for s, j in zip(due.statistics, own, strict=True)
    }
    counts.states = {name: state for name, state in states_of.items() if state is not State.OK}
    states = [j.state for j in own] + [f.state for f in findings]
    counts.state = gravest(states if due.statistics else [*states, State.INSUFFICIENT])
