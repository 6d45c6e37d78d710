"""Snapshot: the state of an endpoint as one versioned blob, and back, exactly.

What is in it: open panes and windows, identities of records, the rows or the baseline learned,
alerts, and the history of traffic. What is not: the configuration, and baselines that were given.
"""

from collections.abc import Mapping
from typing import Final, cast

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from streamer.core.alerts import AlertBook, AlertBookState
from streamer.core.baseline.model import Baseline
from streamer.core.baseline.weather import WeatherState
from streamer.core.blob import array_of, pack, unpack
from streamer.core.detectors.roster import RosterState
from streamer.core.detectors.watch import WatchState
from streamer.core.endpoint import Endpoint
from streamer.core.errors import StateError
from streamer.core.eventtime import as_text, start_of
from streamer.core.layout import Layout
from streamer.core.panes import Pane
from streamer.core.profile import Profile
from streamer.core.rawrows import RawRow
from streamer.core.retraining import RetrainingState
from streamer.core.rules.history import VolumeHistory, VolumeState
from streamer.core.rules.view import Run
from streamer.core.sample import Sample, Samples
from streamer.core.schema import Side
from streamer.core.settings import EndpointSettings, Limits, Spans
from streamer.core.totals import Totals
from streamer.core.tracks import AddedVersion, Generation
from streamer.core.types import Key
from streamer.core.watermarks import END, WatermarkState
from streamer.core.windows import Window, WindowCounts

ENDPOINT_KIND: Final = "endpoint/2"
STREAM_KIND: Final = "stream/1"

Arrays = dict[str, NDArray[np.generic]]


class _Pane(msgspec.Struct, frozen=True):
    start_at: int
    records: int
    rows_in: int
    rows_out: int
    profiled: bool
    raw: list[RawRow]
    sampled: list[Side] = []


class _Window(msgspec.Struct, frozen=True):
    counts: WindowCounts
    on_time: bool
    late: bool
    raw: list[RawRow] = []


class _Track(msgspec.Struct, frozen=True):
    variant: str
    version: str
    baseline: str
    learned_baseline: Baseline | None
    window_at: int | None
    active_at: int
    since_at: int
    asleep: bool
    learned: list[RawRow]
    panes: list[_Pane]
    windows: list[_Window]
    seen: list[tuple[str, int]]
    begins_at: int = 0
    ends_at: int = END
    watch: WatchState | None = None
    roster: RosterState | None = None
    weather: WeatherState | None = None
    refit: Baseline | None = None


class _Endpoint(msgspec.Struct, frozen=True):
    name: str
    tracks: list[_Track]
    invalid: dict[int, int]
    reasons: dict[int, dict[str, int]]
    closed_at: int
    volumes: dict[str, VolumeState]
    since_at: int | None
    book: AlertBookState
    retraining: RetrainingState
    spans: Spans
    runs: dict[str, Run]
    added: list[AddedVersion] = []
    accepted: list[int] = []


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """What spans endpoints.

    Attributes
    ----------
    totals : Totals
        Every record read.
    watermarks : WatermarkState
        How far event time has come.
    decided : list of str
        Ids of the last decisions taken.
    """

    totals: Totals
    watermarks: WatermarkState
    decided: list[str] = []


def freeze_endpoint(endpoint: Endpoint) -> bytes:
    """State of one endpoint; equal states give equal bytes."""
    arrays: Arrays = {}
    traffic = endpoint.traffic
    tracks = []
    for i, track in enumerate(endpoint.tracks.values()):
        own: Arrays = {}
        tracks.append(_freeze_track(track, own))
        arrays |= {f"{i}/{name}": array for name, array in own.items()}
    body = _Endpoint(
        name=endpoint.name,
        tracks=tracks,
        invalid=dict(sorted(traffic.invalid.items())),
        reasons={start: dict(sorted(traffic.reasons[start].items())) for start in sorted(traffic.reasons)},
        closed_at=endpoint.closed_at,
        volumes={variant: traffic.volumes[variant].to_state() for variant in sorted(traffic.volumes)},
        since_at=endpoint.since_at,
        book=endpoint.book.to_state(),
        retraining=endpoint.retraining.state,
        spans=endpoint.settings.spans,
        runs=dict(sorted(endpoint.runs.items())),
        added=endpoint.tracks.added,
        accepted=endpoint.tracks.accepted,
    )
    return pack(ENDPOINT_KIND, body, arrays)


def _freeze_track(track: Generation, arrays: Arrays) -> _Track:
    panes = []
    for start in sorted(track.panes):
        pane = track.panes[start]
        if pane.profile is not None:
            _freeze_profile(f"pane/{start}", pane.profile, arrays)
        samples = pane.samples or {}
        for side, sample in samples.items():
            arrays[f"sample/{start}/{side}/keys"], arrays[f"sample/{start}/{side}/numbers"] = sample
        panes.append(
            _Pane(start, pane.records, pane.rows_in, pane.rows_out, pane.profile is not None, pane.raw, list(samples))
        )
    windows = []
    for start in sorted(track.windows):
        window = track.windows[start]
        for name, profile in (("on_time", window.on_time), ("late", window.late)):
            if profile is not None:
                _freeze_profile(f"{name}/{start}", profile, arrays)
        windows.append(_Window(window.counts, window.on_time is not None, window.late is not None, window.raw))
    seen = track.duplicates.to_arrays()
    for n, identities in enumerate(seen.values()):
        arrays[f"seen/{n}"] = identities
    learned = track.baseline if track.baseline is not None and track.baseline.learned else None
    watch = None
    if track.watch is not None:
        watch, own = track.watch.to_state()
        arrays |= own
    weather = None
    if track.weather is not None:
        weather, own = track.weather.to_state()
        arrays |= own
    return _Track(
        variant=track.key.variant,
        version=track.key.version,
        baseline=track.baseline.id if track.baseline is not None else "",
        learned_baseline=learned,
        window_at=track.window_at,
        active_at=track.active_at,
        since_at=track.since_at,
        asleep=track.asleep,
        learned=track.learned,
        panes=panes,
        windows=windows,
        seen=list(seen),
        begins_at=track.begins_at,
        ends_at=track.ends_at,
        watch=watch,
        roster=None if track.roster is None else track.roster.to_state(),
        weather=weather,
        refit=track.refit,
    )


def _freeze_profile(name: str, profile: Profile, arrays: Arrays) -> None:
    for field in Profile.__slots__:
        arrays[f"{name}/{field}"] = getattr(profile, field)


def thaw_endpoint(
    data: bytes, settings: EndpointSettings, limits: Limits, baselines: Mapping[str, Baseline]
) -> Endpoint:
    """Endpoint as it was.

    Parameters
    ----------
    data : bytes
        As ``freeze_endpoint`` made it.
    settings : EndpointSettings
        The endpoint's configuration now.
    limits : Limits
        For reading payloads.
    baselines : mapping of str to Baseline
        Those given, by version; ``""`` for the others.

    Where the configuration has other spans now, or a key another baseline, what was summarised is of
    no use: it is watched anew from the next window on, and ``restarted`` says so. What was decided
    stays: incidents, requests, counts of records.

    Raises
    ------
    StateError
        The blob is not ours.
    """
    body, arrays = unpack(ENDPOINT_KIND, _Endpoint, data)
    endpoint = Endpoint(body.name, settings, baselines)
    for version in body.added:
        endpoint.tracks.add(version)
    endpoint.tracks.accepted = list(body.accepted)
    endpoint.since_at = body.since_at
    endpoint.book = AlertBook.from_state(body.book, settings.lasting)
    endpoint.retraining.state = body.retraining
    of_track: dict[str, Arrays] = {}
    for name, array in arrays.items():
        i_track, _, own = name.partition("/")
        of_track.setdefault(i_track, {})[own] = array
    let_go = False
    same_spans = replace(body.spans, lateness=settings.spans.lateness) == settings.spans
    for i, state in enumerate(body.tracks):
        key = Key(body.name, state.variant, state.version)
        given = endpoint.tracks.given(key, state.begins_at)
        baseline = given if given is not None else state.learned_baseline
        if not same_spans:
            endpoint.tracks.put(_anew(key, state, settings, limits, baseline, body.spans))
            continue
        track = _thaw_track(key, state, of_track.get(str(i), {}), settings, limits, baseline)
        endpoint.tracks.put(track)
        is_same = track.since_at == state.since_at
        let_go = let_go or (is_same and track.watch is None and state.watch is not None)
        if not is_same:
            who = f"variant {key.variant}" + (f", version {key.version}" if key.version else "")
            endpoint.restarted += (f"{who} has another baseline: it is judged from {as_text(track.since_at)} on",)
    if not same_spans:
        endpoint.restarted = ("its panes or windows have another length: everything is summarised anew",)
        return endpoint
    endpoint.runs = {} if endpoint.restarted else dict(body.runs)
    for track in endpoint.tracks.values():
        endpoint.restarted += track.roster.restarted if track.roster is not None else ()
    if let_go:
        endpoint.restarted += ("its evidence of drift is let go of: it is not asked for, or waits for days of weather",)
    if any(track.watch is not None and track.watch.restarted for track in endpoint.tracks.values()):
        endpoint.restarted += ("its evidence of drift begins anew: it is asked for another budget or by other panes",)
    endpoint.traffic.invalid = dict(body.invalid)
    endpoint.traffic.reasons = {start: dict(reasons) for start, reasons in body.reasons.items()}
    endpoint.closed_at = body.closed_at
    endpoint.traffic.volumes = {
        variant: VolumeHistory.from_state(state, settings.spans, settings.time_zone)
        for variant, state in body.volumes.items()
    }
    return endpoint


def _anew(
    key: Key, state: _Track, settings: EndpointSettings, limits: Limits, baseline: Baseline | None, spans: Spans
) -> Generation:
    """A track of other spans: judged from the first window on that begins after all that was taken in."""
    track = Generation(key, settings, limits, baseline, state.begins_at, state.ends_at)
    latest = max((kept.start_at + spans.pane * 1000 for kept in state.panes), default=state.window_at or 0)
    track.since_at = start_of(latest, settings.spans.window, settings.spans.offset) + settings.spans.window * 1000
    return track


def _thaw_track(
    key: Key,
    state: _Track,
    arrays: Arrays,
    settings: EndpointSettings,
    limits: Limits,
    baseline: Baseline | None,
) -> Generation:
    # Profiles fit the cells of the baseline they were made with, and no other.
    fits = state.baseline == (baseline.id if baseline is not None else "")
    refit = state.refit if fits else None
    track = Generation(key, settings, limits, baseline, state.begins_at, state.ends_at, refit)
    track.window_at, track.active_at, track.since_at = state.window_at, state.active_at, state.since_at
    track.asleep = state.asleep
    track.learned = list(state.learned) if baseline is None else []
    for kept in state.panes:
        pane = track.panes[kept.start_at] = Pane(kept.start_at)
        pane.records, pane.rows_in, pane.rows_out = kept.records, kept.rows_in, kept.rows_out
        pane.raw = list(kept.raw) if baseline is None else []
        if kept.profiled and fits:
            pane.profile = _thaw_profile(f"pane/{kept.start_at}", arrays, track.layout)
            pane.samples = _thaw_samples(f"sample/{kept.start_at}", kept.sampled, arrays, track)
    for held in state.windows:
        start = held.counts.start_at
        window = track.windows[start] = Window(held.counts)
        window.raw = list(held.raw) if baseline is None else []
        if held.on_time and fits:
            window.on_time = _thaw_profile(f"on_time/{start}", arrays, track.layout)
        if held.late and fits:
            window.late = _thaw_profile(f"late/{start}", arrays, track.layout)
    if not fits:
        latest = max([*track.panes, *track.windows, state.window_at or 0])
        spans = settings.spans
        track.since_at = start_of(latest, spans.window, spans.offset) + spans.window * 1000
    if track.refit is not None and state.weather is None:
        # Four weeks are in.
        track.weather = None
    if fits and state.weather is not None and track.weather is not None:
        track.weather.restore(state.weather, arrays)
    if fits and state.watch is not None and track.watch is not None:
        track.watch.restore(state.watch, arrays)
    if fits and state.roster is not None and track.roster is not None:
        track.roster.restore(state.roster)
    seen = {shard_pane: array_of(arrays, f"seen/{n}") for n, shard_pane in enumerate(state.seen)}
    track.duplicates.restore(cast(dict[tuple[str, int], NDArray[np.uint64]], seen))
    return track


def _thaw_profile(name: str, arrays: Arrays, layout: Layout | None) -> Profile:
    fields = {field: array_of(arrays, f"{name}/{field}") for field in Profile.__slots__}
    expected = Profile.empty(layout) if layout is not None else None
    if expected is None or any(fields[f].shape != getattr(expected, f).shape for f in fields):
        raise StateError("a profile in the state does not fit its baseline")
    return Profile(**fields)  # type: ignore[arg-type]


def _thaw_samples(name: str, sides: list[Side], arrays: Arrays, track: Generation) -> Samples | None:
    """A pane's samples; none where other columns are asked for now."""
    samples: Samples = {}
    for side in sides:
        keys = array_of(arrays, f"{name}/{side}/keys").astype(np.uint64)
        numbers = array_of(arrays, f"{name}/{side}/numbers").astype(np.float64)
        if numbers.shape == (len(track.sampling.get(side, ())), len(keys)):
            samples[side] = Sample(keys, numbers)
    return samples or None


def freeze_stream(state: StreamState) -> bytes:
    """State that spans endpoints."""
    return pack(STREAM_KIND, state, {})


def thaw_stream(data: bytes) -> StreamState:
    """State that spans endpoints, as it was.

    Raises
    ------
    StateError
        The blob is not ours.
    """
    return unpack(STREAM_KIND, StreamState, data)[0]
