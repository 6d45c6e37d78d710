"""The engine: records in, actions out; synchronous, deterministic, and given the time.

``ingest`` folds a batch into parts, closes what the watermark allows and decides on it. The same
records give the same documents and alerts, whatever the batch bounds and however shards interleave.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from streamer.core.baseline.model import Baseline
from streamer.core.decisions import Decision, apply, endpoint_of
from streamer.core.decode.batch import BatchDecoder, Captures, Rejected
from streamer.core.decode.names import Names
from streamer.core.endpoint import Endpoint
from streamer.core.errors import Reason, StateError
from streamer.core.fold import Refusal, Sequenced, fold, fold_raw, sequence
from streamer.core.freezing import ENDPOINT, STREAM, Freezing
from streamer.core.letters import letter_in
from streamer.core.settings import EngineSettings
from streamer.core.snapshot import StreamState, freeze_stream, thaw_endpoint, thaw_stream
from streamer.core.totals import Totals, add_reason
from streamer.core.track import Track
from streamer.core.types import Action, Batch, Key, Reject
from streamer.core.watched import DEFAULT_VARIANT, Watched
from streamer.core.watermarks import BEGINNING, END, Lateness, Watermarks

# So many decisions are remembered by id.
_DECISIONS = 256


class Engine:
    """All endpoints of one service.

    Parameters
    ----------
    settings : EngineSettings
        What is watched and how.
    baselines : mapping of (endpoint, version) to Baseline
        Version ``""`` holds for every version without one of its own.

    Attributes
    ----------
    totals : Totals
        Every record read, under one heading.
    watermarks : Watermarks
        How far event time has come.
    watched : Watched
        Who is watched, and how.
    endpoints : dict of str to Endpoint
        Those seen so far.
    """

    def __init__(self, settings: EngineSettings, baselines: Mapping[tuple[str, str], Baseline]) -> None:
        self.settings = settings
        self.watched = Watched(settings, baselines)
        self.totals = Totals()
        self.watermarks = Watermarks(settings.out_of_orderness_seconds, settings.idle_seconds)
        self.endpoints: dict[str, Endpoint] = {}
        self._decoder = BatchDecoder(settings.limits, self.watched.default_names, self._key_of)
        # When each endpoint must be looked at next: most batches are done without a look at most.
        self._wakes: list[tuple[int, str]] = []
        self._wake_at: dict[str, int] = {}
        # Endpoints that are being closed, by the ends of their next windows.
        self._ends: list[tuple[int, str]] = []
        self._closing: set[str] = set()
        self._changed: set[str] = set()
        self._freezing: Freezing | None = None
        self._decided: list[str] = []
        # Whom the configuration names: always watched, and unreadable records may be held against them.
        self._named = {e.name for e in settings.endpoints} | {self.watched.default_names.endpoint} - {""}
        self._learned = 0

    def _key_of(self, names: Names, event_at: int) -> Key | None:
        settings = self.watched.settings_of(names.endpoint)
        if settings is None:
            return None
        version = names.version
        if not version:
            seen = self.endpoints.get(names.endpoint)
            versions = settings.versions if seen is None else seen.tracks.versions
            version = next((v.id for v in reversed(versions) if v.from_at <= event_at), "")
        return Key(names.endpoint, names.variant or DEFAULT_VARIANT, version)

    def _endpoint(self, name: str) -> Endpoint | None:
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            settings = self.watched.settings_of(name)
            if settings is None:
                return None
            if name not in self._named:
                # Room for those named is kept free: who else is watched must not depend on when they came.
                if self._learned >= self.settings.max_endpoints - len(self._named):
                    return None
                self._learned += 1
            endpoint = self.endpoints[name] = Endpoint(name, settings, self.watched.baselines_of(name))
        self._before_change(name)
        return endpoint

    def begin(self, shard: str, parents: Sequence[str] = ()) -> None:
        """Note that a shard will be read: until its first record it holds every pane open.

        Of parents that have ended it inherits the watermark, and the identities seen: a producer
        that tries again after a split reaches a child.
        """
        self.watermarks.begin(shard, parents)
        if parents:
            for name, endpoint in self.endpoints.items():
                self._before_change(name)
                for track in endpoint.tracks.values():
                    track.duplicates.inherit(shard, parents)

    def end(self, shard: str, now: int) -> None:
        """Note that a shard will give no more records."""
        self.watermarks.end(shard)
        self.watermarks.advance(now)

    def ingest(self, batch: Batch, now: int) -> list[Action]:
        """Fold a batch and decide all that follows from it; see ``fold`` and ``decide``."""
        return self.fold(batch, now) + self.decide()

    def fold(self, batch: Batch, now: int) -> list[Action]:
        """Take in one poll's records.

        Parameters
        ----------
        batch : Batch
            Records of one shard, in its order.
        now : int
            Wall clock, milliseconds since the epoch: refuses event times too far ahead.

        Returns
        -------
        list of Action
            The records refused.
        """
        decoded = self._decoder.decode(batch, now)
        lateness = self.watermarks.observe(batch.shard, decoded.event_at)
        self.totals.records += len(batch.payloads)
        self.totals.ignored += decoded.ignored
        actions: list[Action] = [self._refuse(batch, r, lateness) for r in decoded.rejected]
        for key, captures in decoded.captures.items():
            endpoint = self._endpoint(key.endpoint)
            if endpoint is None:
                self.totals.ignored += len(captures.sides)
                continue
            for begins_at, mine in endpoint.tracks.split(captures):
                track = endpoint.track(key, begins_at, self.settings.limits, self.settings.max_tracks)
                if track is None:
                    self.totals.ignored += len(mine.sides)
                else:
                    actions += self._fold(batch, endpoint, track, mine, lateness)
        self.watermarks.advance(now)
        return actions

    def note_empty(self, shard: str, now: int) -> None:
        """Note that a shard was polled at its tip and had nothing."""
        self.watermarks.empty(shard, now)
        self.watermarks.advance(now)

    def empty(self, shard: str, now: int) -> list[Action]:
        """Note that a shard was polled at its tip and had nothing; decide what that allows."""
        self.note_empty(shard, now)
        return self.decide()

    def _fold(
        self, batch: Batch, endpoint: Endpoint, track: Track, captures: Captures, lateness: Lateness
    ) -> list[Action]:
        watermark_at = lateness.watermark_at[captures.record]
        spans = endpoint.settings.spans
        sequenced = sequence(captures, watermark_at, spans, batch.shard, track.duplicates)
        if track.layout is not None:
            folded = fold(captures, sequenced, track.layout, track.readers, track.sampling)
        else:
            folded = fold_raw(captures, sequenced, endpoint.settings.json_path, self.settings.limits)
        track.add(folded.parts)
        totals = self.totals
        accepted_late = int((folded.accepted & sequenced.late).sum())
        totals.accepted += int(folded.accepted.sum()) - accepted_late
        totals.late_revised += accepted_late
        totals.late_dropped += int(sequenced.gone.sum())
        totals.duplicate += int(sequenced.duplicate.sum())
        totals.rows_in += sum(part.rows_in for part in folded.parts)
        totals.rows_out += sum(part.rows_out for part in folded.parts)
        for pane_at in sequenced.pane_at[sequenced.duplicate].tolist():
            track.window_of(pane_at).counts.duplicates += 1
        if len(sequenced.pane_at):
            self._wake(endpoint.name, int(sequenced.pane_at.min()) + endpoint.settings.spans.pane * 1000)
        for refusal in folded.refusals:
            self._count_refusal(refusal, endpoint, track, captures, sequenced, lateness)
        actions: list[Action] = [
            Reject(letter_in(batch, lateness, r.record, r.reason, endpoint.name, None if r.whole else r.side))
            for r in folded.refusals
        ]
        for i in np.flatnonzero(sequenced.gone).tolist():
            record = int(captures.record[i])
            actions.append(Reject(letter_in(batch, lateness, record, Reason.LATE, endpoint.name)))
        return actions

    def _wake(self, name: str, at: int) -> None:
        """See to it that an endpoint is looked at when the watermark reaches a time."""
        if at < self._wake_at.get(name, END):
            self._wake_at[name] = at
            heapq.heappush(self._wakes, (at, name))

    def _refuse(self, batch: Batch, rejected: Rejected, lateness: Lateness) -> Action:
        add_reason(self.totals.invalid, rejected.reason)
        at = int(lateness.greatest_at[rejected.record])
        # Records that can't be read have no time of their own: they count where their shard stood. Whom a
        # readable record alone made known has none of them: whether it came before would depend on the batch.
        if at != BEGINNING:
            endpoint = self._named_endpoint(rejected.endpoint)
            if endpoint is not None:
                self._note_invalid(endpoint, at, rejected.reason)
        return Reject(letter_in(batch, lateness, rejected.record, rejected.reason, rejected.endpoint))

    def _note_invalid(self, endpoint: Endpoint, at: int, reason: Reason) -> None:
        self._before_change(endpoint.name)
        endpoint.traffic.note_invalid(at, reason)
        self._wake(endpoint.name, endpoint.next_close_at())

    def _named_endpoint(self, name: str) -> Endpoint | None:
        return self._endpoint(name) if name in self._named else None

    def _count_refusal(
        self,
        refusal: Refusal,
        endpoint: Endpoint,
        track: Track,
        captures: Captures,
        sequenced: Sequenced,
        lateness: Lateness,
    ) -> None:
        i = int(np.searchsorted(captures.record, refusal.record))
        late = bool(sequenced.late[i])
        if refusal.whole:
            add_reason(self.totals.invalid, refusal.reason)
            # Its own window may have closed if it is late: then it counts where its shard stands, so
            # that what a rule sees does not depend on how far other shards have come.
            at = int(lateness.greatest_at[refusal.record] if late else captures.event_at[i])
            self._note_invalid(endpoint, at, refusal.reason)
        else:
            add_reason(self.totals.partial, refusal.reason)
            if not late:
                track.window_of(int(sequenced.pane_at[i])).counts.partial += 1
                endpoint.traffic.note_reason(int(sequenced.pane_at[i]), refusal.reason)

    def decide(self, most: int | None = None) -> list[Action]:
        """Close what the watermark passed and decide on it, in order of windows' ends and endpoints' names.

        Parameters
        ----------
        most : int, optional
            Close so many windows, or panes and late windows of so many endpoints, at most: a thousand
            endpoints end theirs at the same moment, and the loop has other things to do. ``undecided``
            says whether some are left; when they are closed makes no difference to what is decided.

        Returns
        -------
        list of Action
            What the shell must do, in order.
        """
        at = self.watermarks.at
        while self._wakes and self._wakes[0][0] <= at:
            woken_at, name = heapq.heappop(self._wakes)
            if self._wake_at.get(name) == woken_at:
                del self._wake_at[name]
                if name not in self._closing:
                    self._closing.add(name)
                    heapq.heappush(self._ends, (self.endpoints[name].next_close_at(), name))
        actions: list[Action] = []
        taken = 0
        while self._ends and (most is None or taken < most):
            taken += 1
            end_at, name = heapq.heappop(self._ends)
            endpoint = self.endpoints[name]
            self._before_change(name)
            if end_at <= at:
                actions += endpoint.close(end_at)
                heapq.heappush(self._ends, (endpoint.next_close_at(), name))
            else:
                actions += endpoint.close_panes(at)
                actions += endpoint.revise(at)
                self._closing.remove(name)
                self._wake(name, endpoint.next_at())
        return actions

    def decide_on(self, decision: Decision, baseline: Baseline | None = None) -> list[Action]:
        """Let an operator's decision take effect, at the watermark as it stands; see ``decisions.apply``.

        Once, however often it is read: a queue may deliver it twice.
        """
        if decision.id in self._decided:
            return []
        self._decided = [*self._decided, decision.id][-_DECISIONS:]
        name = endpoint_of(decision, self.endpoints)
        endpoint = self.endpoints.get(name) or self._named_endpoint(name)
        if endpoint is None:
            return apply(decision, None, self.watermarks.at, baseline)
        self._before_change(name)
        actions = apply(decision, endpoint, self.watermarks.at, baseline)
        self._wake(name, endpoint.next_at())
        return actions

    @property
    def undecided(self) -> bool:
        """Whether the watermark passed something that ``decide`` has not closed yet."""
        return bool(self._ends) or bool(self._wakes and self._wakes[0][0] <= self.watermarks.at)

    def freeze(self) -> Freezing:
        """Begin a snapshot of everything needed to go on as if never stopped.

        It shows this moment however long it takes; one at a time. Equal states give equal chunks.
        """
        state = StreamState(totals=self.totals, watermarks=self.watermarks.to_state(), decided=self._decided)
        self._freezing = Freezing(self.endpoints, self._changed, freeze_stream(state))
        self._changed = set()
        return self._freezing

    def change(self, names: Iterable[str]) -> None:
        """Take endpoints for changed: a snapshot that held them could not be saved."""
        self._changed.update(name for name in names if name in self.endpoints)

    def snapshot(self) -> dict[str, bytes]:
        """All chunks of a snapshot at once, unchanged endpoints included."""
        self.change(self.endpoints)
        freezing = self.freeze()
        freezing.advance(len(self.endpoints))
        return freezing.chunks

    def _before_change(self, name: str) -> None:
        if self._freezing is not None:
            self._freezing.before_change(name)
        self._changed.add(name)

    @classmethod
    def restore(
        cls,
        settings: EngineSettings,
        baselines: Mapping[tuple[str, str], Baseline],
        chunks: Mapping[str, bytes],
    ) -> "Engine":
        """Engine as it was.

        Parameters
        ----------
        settings, baselines
            As they are now.
        chunks : mapping of str to bytes
            Of a snapshot; those that are not the engine's are left alone.

        Raises
        ------
        StateError
            A chunk is torn or foreign.
        """
        if STREAM not in chunks:
            raise StateError(f"the state lacks the chunk {STREAM!r}")
        engine = cls(settings, baselines)
        stream = thaw_stream(chunks[STREAM])
        engine.totals = stream.totals
        engine.watermarks.restore(stream.watermarks)
        engine._decided = stream.decided
        for name in sorted(chunk.removeprefix(ENDPOINT) for chunk in chunks if chunk.startswith(ENDPOINT)):
            how, given = engine.watched.settings_of(name) or settings.unknown, engine.watched.baselines_of(name)
            endpoint = engine.endpoints[name] = thaw_endpoint(chunks[ENDPOINT + name], how, settings.limits, given)
            engine._wake(name, BEGINNING)
            engine._learned += name not in engine._named
            if endpoint.restarted:
                engine.change([name])
        return engine

    def finish(self) -> list[Action]:
        """Write out what is open, after the last record of a replay.

        Windows the input went past are closed and decided on as ever; the last ones, which it may
        not have filled, are written as incomplete and nothing is decided on them.
        """
        shards = self.watermarks.shards.values()
        greatest = max((clock.greatest_at for clock in shards), default=BEGINNING)
        if greatest == BEGINNING:
            return []
        self.watermarks.at = max(self.watermarks.at, greatest)
        for name in self.endpoints:
            self._wake(name, BEGINNING)
        actions = self.decide()
        for name in sorted(self.endpoints):
            self._before_change(name)
            self.endpoints[name].merge_panes()
            actions += self.endpoints[name].write_open()
        return actions
