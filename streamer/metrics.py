"""Every Prometheus series, once: what it is called, what it means, and who may have one.

Labels come from closed sets, so that the number of series is known before the start; what does not
fit counts under ``other``. Children exist from the start, so that rates begin at 0. Nothing here is
called per record, and no feature, and no value of one, has a series: those are in the index.
"""

import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypeVar, assert_never

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector

from streamer.core import errors
from streamer.core.engine import Engine
from streamer.core.errors import Reason, Retryable
from streamer.core.incident import AlertState
from streamer.core.manifest import Saved
from streamer.core.totals import Totals
from streamer.core.types import Action, EndpointDocument, Index, Notify, Reject, Retrain, RetrainingReason
from streamer.core.watermarks import BEGINNING

OTHER: Final = "other"
PARTS: Final = ("source", "state", "sinks", "loop")
Step = Literal["fold", "decide", "freeze"]
_STEPS: Final[tuple[Step, ...]] = ("fold", "decide", "freeze")
_WHYS: Final = ("firing", "changed", "repeat", "resolved")
_OPEN: Final = (AlertState.PENDING, AlertState.FIRING)
# A record that is late is under a heading of its own.
_REASONS: Final = (*(reason.value for reason in Reason if reason is not Reason.LATE), OTHER)
# Most special first.
_TROUBLES: Final[Mapping[type[Retryable], str]] = {
    errors.StorageFull: "storage-full",
    errors.Throttled: "throttled",
    errors.ExpiredIterator: "expired-iterator",
    errors.Denied: "denied",
    errors.Absent: "absent",
    errors.Unavailable: "unavailable",
    Retryable: OTHER,
}
# The loop may be held up for 50 ms: around that they are narrow.
_HELD: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.25, 1.0, 5.0)
_WAITED: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_NEVER: Final = float("nan")
_Child = TypeVar("_Child", Counter, Gauge, Histogram)


class Metrics:
    """Everything the service tells Prometheus.

    About 0.5 kB a series; with every limit reached and five sinks there are about 700.

    Parameters
    ----------
    registry : CollectorRegistry
        Where the series are registered; one of these for each registry.
    version : str
        Of the program.
    sinks : sequence of str
        Names of all sinks.
    endpoints : sequence of str
        Those configured: they have series of their own before any endpoint that is learned.
    most_endpoints, most_shards : int
        Endpoints and shards with series of their own; all others share those of ``other``.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        version: str,
        sinks: Sequence[str],
        endpoints: Sequence[str] = (),
        most_endpoints: int = 100,
        most_shards: int = 100,
    ) -> None:
        # The time since when a counter counts is that of the process: once is enough.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        ProcessCollector(registry=registry)
        self._most_endpoints, self._most_shards = most_endpoints, most_shards
        self._endpoints: dict[str, None] = {}
        self._shards: dict[str, None] = {}

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"streamer_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"streamer_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(f"streamer_{name}", text, labels, registry=registry, buckets=buckets)

        self._records = counter(
            "records_received",
            "Records read from the source. Each is also accepted, invalid, late, duplicate or ignored.",
        )
        self._bytes = counter("received_bytes", "Size of the records read from the source, as they stand in it.")
        self._accepted = counter("records_accepted", "Records that were readable, on time and new: what is judged.")
        self._invalid = counter(
            "records_invalid", "Records that could not be read, by reason; each is a dead letter.", "reason"
        )
        self._partial = counter(
            "records_partial",
            "Accepted records of which one side (request or response) could not be read, by reason.",
            "reason",
        )
        self._late = counter(
            "records_late",
            "Records behind their shard's watermark: outcome revised corrects the window's document, dropped came too "
            "late even for that.",
            "outcome",
        )
        self._duplicate = counter("records_duplicate", "Records seen before, left out so that nothing counts twice.")
        self._ignored = counter("records_ignored", "Records of endpoints that are not watched.")
        self._rows = counter("rows_folded", "Rows taken into profiles, by side of the capture.", "side")
        self._source_retries = counter(
            "source_retries", "Reads from the source that failed and are tried again, by what came back.", "why"
        )
        self._lag = gauge(
            "shard_lag_seconds",
            f"How far reading is behind the newest record of each open shard; shards beyond the first {most_shards} "
            f"share shard {OTHER}, which shows the worst of them.",
            "shard",
        )

        self._watermark = gauge(
            "watermark_timestamp_seconds",
            "Event time up to which everything is decided, as a Unix time: time() less this is how old the newest "
            "verdict is. NaN before the first record.",
        )
        self._watched = gauge("endpoints", "Endpoints seen so far and watched.")
        self._panes = gauge("panes_open", "Short spans of event time that still take records, over all endpoints.")
        self._windows = gauge(
            "windows_open", "Windows that still take records or late corrections, over all endpoints."
        )
        self._decided = counter(
            "windows_decided",
            "Windows closed and judged, one for each variant; one counts again when late records revise it.",
        )
        self._documents = counter("documents_decided", "Documents decided for the index, revisions included.")
        self._letters = counter("dead_letters", "Records, or sides of one, set aside with their reason.")
        self._alerts = gauge(
            "alerts",
            "Incidents that are open now, by endpoint and state: pending is waiting out its hold, firing was notified. "
            f"Endpoints beyond the first {most_endpoints} share endpoint {OTHER}.",
            "endpoint",
            "state",
        )
        self._notifications = counter(
            "notifications_decided", "Notifications about incidents that were decided, by occasion.", "why"
        )
        self._requests = counter("retraining_requests", "Retrainings asked for, by reason.", "reason")

        self._batch = histogram(
            "batch_seconds", "Wall time from a batch of records in hand to everything decided on it.", _HELD
        )
        self._step = histogram(
            "step_seconds",
            "Time one step of the core held up everything else: fold takes records in, decide closes windows, freeze "
            "copies the state for a snapshot. More than 0.05 is too long.",
            _HELD,
            "step",
        )
        self._loop_lag = histogram(
            "loop_lag_seconds", "How much later than due the event loop ran, measured about once a second.", _HELD
        )
        self._stalled = gauge("loop_stalled", "1 while the event loop stands still, else 0.")

        self._delivered = counter("actions_delivered", "Documents, alerts and requests a sink has taken.", "sink")
        self._retried = counter("actions_retried", "Actions whose delivery failed and is tried again.", "sink")
        self._refused = counter(
            "actions_refused", "Actions a sink will never take: each is lost there and in the log as an error.", "sink"
        )
        self._unreported = counter(
            "operations_dropped", "Documents on the service itself that a sink was away for too long to take.", "sink"
        )
        self._delivery = histogram("delivery_seconds", "Time of one delivery that worked.", _WAITED, "sink")
        self._outbox = gauge("outbox_bytes", "Decided, not yet taken by every sink.")
        self._outbox_limit = gauge("outbox_limit_bytes", "Outbox size at which reading stops until sinks take some.")

        self._snapshot = histogram("snapshot_seconds", "Time from freezing the state to its being durable.", _WAITED)
        self._snapshot_bytes = gauge("snapshot_bytes", "Size of the last snapshot.")
        self._snapshot_written = counter("snapshot_written_bytes", "Bytes of snapshots written: only what changed is.")
        self._snapshot_at = gauge(
            "snapshot_timestamp_seconds",
            "When the last snapshot became durable, as a Unix time: time() less this is how much is read again after "
            "a crash. NaN before the first.",
        )
        self._snapshot_number = gauge("snapshot_number", "Number of the last snapshot; grows by one each.")
        self._snapshots_failed = counter("snapshots_failed", "Snapshots that could not be saved.")

        self._troubles = gauge(
            "troubles", "Reasons why the service is not ready, by part; the words are at /readyz.", "part"
        )
        build = Info("streamer_build", "What is running: the program's version and Python's.", registry=registry)
        build.info({"version": version, "python": platform.python_version()})

        invalid, partial = _children(self._invalid, _REASONS), _children(self._partial, _REASONS)
        late, rows = _children(self._late, ("revised", "dropped")), _children(self._rows, ("input", "output"))
        self._reasons = {"invalid": invalid, "partial": partial}
        self._counted: dict[str, Counter] = {
            "records": self._records,
            "accepted": self._accepted,
            "duplicate": self._duplicate,
            "late_revised": late["revised"],
            "late_dropped": late["dropped"],
            "ignored": self._ignored,
            "rows_in": rows["input"],
            "rows_out": rows["output"],
        }
        self._source_retry = _children(self._source_retries, _TROUBLES.values())
        self._why = _children(self._notifications, _WHYS)
        self._requested = _children(self._requests, RetrainingReason)
        self._steps = _children(self._step, _STEPS)
        counted = (self._delivered, self._retried, self._refused, self._unreported)
        self._sinks = {metric: _children(metric, sinks) for metric in counted}
        self._deliveries = _children(self._delivery, sinks)
        self._parts = _children(self._troubles, (*PARTS, OTHER))
        self._before: dict[tuple[str, str], int] = {}
        self._watermark.set(_NEVER)
        self._snapshot_at.set(_NEVER)
        for name in (*endpoints, OTHER):
            self._endpoint_label(name)

    def resume(self, totals: Totals) -> None:
        """Count from these totals on: those of a snapshot were counted by the process that read them."""
        self._before = _flat(totals)

    def note_totals(self, totals: Totals) -> None:
        """Count what was added since the last call; once per batch, ~7 us.

        Raises
        ------
        ValueError
            They are lower than before: ``resume`` comes first when an engine is restored.
        """
        now = _flat(totals)
        for (field, reason), count in now.items():
            added = count - self._before.get((field, reason), 0)
            if added:
                reasons = self._reasons.get(field)
                child = self._counted[field] if reasons is None else reasons.get(reason, reasons[OTHER])
                child.inc(added)
        self._before = now

    def note_batch(self, size_bytes: int, seconds: float) -> None:
        """Count a batch: the size of its records, and the time until all of it was decided."""
        self._bytes.inc(size_bytes)
        self._batch.observe(seconds)

    def note_step(self, step: Step, seconds: float) -> None:
        """Time one synchronous step of the core."""
        self._steps[step].observe(seconds)

    def note_decided(self, actions: Iterable[Action]) -> None:
        """Count what was decided; ~0.1 us each."""
        windows = documents = letters = 0
        for action in actions:
            # Nearly all are of this kind, and thousands come at once.
            if isinstance(action, Index):
                documents += 1
                document = action.document
                windows += isinstance(document, EndpointDocument) and document.complete
            elif isinstance(action, Reject):
                letters += 1
            elif isinstance(action, Notify):
                self._why[action.why].inc()
            elif isinstance(action, Retrain):
                self._requested[action.request.reason].inc()
            else:
                assert_never(action)
        self._decided.inc(windows)
        self._documents.inc(documents)
        self._letters.inc(letters)

    def note_engine(self, engine: Engine) -> None:
        """Show how the engine stands; about once a second, ~9 us an endpoint."""
        at = engine.watermarks.at
        self._watermark.set(_NEVER if at == BEGINNING else at / 1000)
        self._watched.set(len(engine.endpoints))
        panes = windows = 0
        open_ = {(name, state): 0 for name in self._endpoints for state in _OPEN}
        for name, endpoint in engine.endpoints.items():
            for track in endpoint.tracks.values():
                panes += len(track.panes)
                windows += len(track.windows)
            label = self._endpoint_label(name)
            for incident in endpoint.book.to_state().incidents:
                open_[label, incident.state] = open_.get((label, incident.state), 0) + 1
        self._panes.set(panes)
        self._windows.set(windows)
        for (label, state), count in open_.items():
            self._alerts.labels(label, state).set(count)

    def note_lag(self, lag_seconds: Mapping[str, float]) -> None:
        """Show the lag of every open shard; those that are not there any more lose their series."""
        for shard in [shard for shard in self._shards if shard not in lag_seconds]:
            self._lag.remove(shard)
            del self._shards[shard]
        others = [0.0]
        for shard, seconds in lag_seconds.items():
            if shard not in self._shards and (len(self._shards) >= self._most_shards or shard == OTHER):
                others.append(seconds)
            else:
                self._shards[shard] = None
                self._lag.labels(shard).set(seconds)
        self._lag.labels(OTHER).set(max(others))

    def note_source_retry(self, error: Retryable) -> None:
        """Count a read that failed and is tried again."""
        self._source_retry[next(why for kind, why in _TROUBLES.items() if isinstance(error, kind))].inc()

    def note_loop_lag(self, seconds: float) -> None:
        """Note how late the event loop was."""
        self._loop_lag.observe(seconds)

    def note_stalled(self, stalled: bool) -> None:
        """Show whether the event loop stands still; from any thread."""
        self._stalled.set(stalled)

    def note_delivered(self, sink: str, actions: int, seconds: float) -> None:
        """Count a delivery that worked."""
        self._sinks[self._delivered][sink].inc(actions)
        self._deliveries[sink].observe(seconds)

    def note_retried(self, sink: str, actions: int) -> None:
        """Count actions whose delivery failed and is tried again."""
        self._sinks[self._retried][sink].inc(actions)

    def note_refused(self, sink: str, actions: int) -> None:
        """Count actions that a sink will never take."""
        self._sinks[self._refused][sink].inc(actions)

    def note_unreported(self, sink: str, documents: int) -> None:
        """Count documents on the service itself that a sink did not take."""
        self._sinks[self._unreported][sink].inc(documents)

    def note_outbox(self, size_bytes: int, limit_bytes: int) -> None:
        """Show how full the outbox is."""
        self._outbox.set(size_bytes)
        self._outbox_limit.set(limit_bytes)

    def note_snapshot(self, saved: Saved, *, at: int, size_bytes: int, seconds: float) -> None:
        """Note a snapshot that became durable at a wall-clock time, in milliseconds since the epoch."""
        self._snapshot.observe(seconds)
        self._snapshot_bytes.set(size_bytes)
        self._snapshot_written.inc(saved.bytes_written)
        self._snapshot_at.set(at / 1000)
        self._snapshot_number.set(saved.number)

    def note_snapshot_failed(self) -> None:
        """Count a snapshot that could not be saved."""
        self._snapshots_failed.inc()

    def note_troubles(self, troubles: Mapping[str, Sequence[str]]) -> None:
        """Show how many reasons each part has for not being ready."""
        counts = dict.fromkeys(self._parts, 0)
        for part, reasons in troubles.items():
            counts[part if part in counts else OTHER] += len(reasons)
        for part, count in counts.items():
            self._parts[part].set(count)

    def _endpoint_label(self, name: str) -> str:
        """The endpoint's own label, or the common one when there are too many."""
        if name not in self._endpoints:
            # The common one is not counted among the others.
            if name != OTHER and len(self._endpoints) - (OTHER in self._endpoints) >= self._most_endpoints:
                return OTHER
            self._endpoints[name] = None
            for state in _OPEN:
                self._alerts.labels(name, state)
        return name


def _children(metric: _Child, values: Iterable[str]) -> dict[str, _Child]:
    return {value: metric.labels(value) for value in values}


def _flat(totals: Totals) -> dict[tuple[str, str], int]:
    """Every count by field and reason."""
    return {
        ("records", ""): totals.records,
        ("accepted", ""): totals.accepted,
        ("duplicate", ""): totals.duplicate,
        ("late_revised", ""): totals.late_revised,
        ("late_dropped", ""): totals.late_dropped,
        ("ignored", ""): totals.ignored,
        ("rows_in", ""): totals.rows_in,
        ("rows_out", ""): totals.rows_out,
        **{("invalid", reason): count for reason, count in totals.invalid.items()},
        **{("partial", reason): count for reason, count in totals.partial.items()},
    }
