"""The summary of a run: every record under its heading, every window and incident; ``summary.json``."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Final, assert_never

import msgspec

from streamer.core.eventtime import as_datetime
from streamer.core.incident import AlertState, Incident
from streamer.core.totals import Totals
from streamer.core.types import (
    Action,
    DecisionDocument,
    EndpointDocument,
    FeatureDocument,
    Index,
    Kept,
    Notify,
    OperationsDocument,
    Reject,
    Retrain,
    State,
)
from streamer.ports import Clock

FORMAT: Final = "streamer-summary"
VERSION: Final = 1
# So many names are given; the rest are counted.
_NAMED: Final = 100


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """Every record read, under exactly one heading.

    ``accounted_for`` says whether ``read`` is the sum of the headings ``accepted``, ``invalid``,
    ``duplicate``, ``late_revised``, ``late_dropped`` and ``ignored``. ``partial`` is no heading:
    records one side of which could not be read.
    """

    read: int
    accepted: int
    invalid: int
    invalid_by_reason: dict[str, int]
    duplicate: int
    late_revised: int
    late_dropped: int
    ignored: int
    accounted_for: bool
    partial: int
    partial_by_reason: dict[str, int]


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """How many of something there are, and the first hundred of them."""

    count: int = 0
    first: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Sequence[str]) -> "Names":
        """Of all names."""
        return cls(count=len(names), first=tuple(names[:_NAMED]))


class SourceNotes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said of the files: bytes as they lie on disk, and what could not be read to its end."""

    files: int = 0
    bytes: int = 0
    blank_lines: int = 0
    empty_files: Names = Names()
    problems: Names = Names()


class EndpointSummary(msgspec.Struct, kw_only=True):
    """One endpoint: windows of all its variants and versions by state, incomplete ones apart."""

    variants: list[str] = []
    versions: list[str] = []
    baselines: list[str] = []
    windows: int = 0
    incomplete: int = 0
    states: dict[State, int] = {}


class RunNotes(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from run to run over the same records: the only part that does."""

    streamer: str
    started: datetime
    wall_seconds: float
    cpu_seconds: float
    records_per_second: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What ``summary.json`` holds.

    Attributes
    ----------
    records, rows_in, rows_out
        What was read.
    first_window, last_window : datetime or None
        Start of the first window and end of the last one.
    windows, incomplete_windows : int
        Windows of all endpoints, variants and versions; those the records did not go past.
    documents : dict of str to int
        Documents written by kind, every revision counted.
    notifications : dict of str to int
        By why.
    incidents : dict of str to dict of str to int
        By cause, then by how they ended: ``pending`` and ``firing`` at the end of the records,
        ``resolved``, and ``passed`` for those that never fired.
    dead_letters : int
        Records and sides set aside.
    retraining_requests : int
        How often a retraining was asked for.
    """

    format: str = FORMAT
    version: int = VERSION
    records: Records
    rows_in: int
    rows_out: int
    first_window: datetime | None
    last_window: datetime | None
    windows: int
    incomplete_windows: int
    documents: dict[str, int]
    notifications: dict[str, int]
    incidents: dict[str, dict[str, int]]
    dead_letters: int
    retraining_requests: int
    endpoints: dict[str, EndpointSummary]
    source: SourceNotes
    run: RunNotes

    def encode(self) -> bytes:
        """Indented JSON that ends in a newline."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


class Stopwatch:
    """Times a run.

    Parameters
    ----------
    clock : Clock
        When it began, and how long it takes.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_at, self._began = clock.now(), clock.monotonic()
        self._cpu = time.process_time()

    def stop(self, records: int) -> RunNotes:
        """What it took for so many records."""
        wall = self._clock.monotonic() - self._began
        return RunNotes(
            streamer=version("streamer"),
            started=as_datetime(self._began_at),
            wall_seconds=round(wall, 3),
            cpu_seconds=round(time.process_time() - self._cpu, 3),
            records_per_second=round(records / wall, 1) if wall > 0 else 0.0,
        )


class Tally:
    """A sink that counts what is delivered; its memory grows with endpoints and open incidents only."""

    name = "tally"

    def __init__(self) -> None:
        self.documents: Counter[str] = Counter()
        self.notifications: Counter[str] = Counter()
        self.dead_letters = 0
        self.retraining_requests = 0
        self.endpoints: dict[str, EndpointSummary] = {}
        self.first_window: datetime | None = None
        self.last_window: datetime | None = None
        self._ended: dict[str, Counter[str]] = {}
        self._open: dict[str, Incident] = {}
        # Start of the newest window of a key: its windows come in order, so an older one is a revision.
        self._newest: dict[tuple[str, str, str], datetime] = {}

    @property
    def firing(self) -> int:
        """Incidents that are firing now."""
        return sum(incident.state is AlertState.FIRING for incident in self._open.values())

    async def deliver(self, actions: Sequence[Action]) -> None:
        """Count these."""
        for action in actions:
            match action:
                case Index(document):
                    self._count(document)
                case Notify(why=why):
                    self.notifications[why] += 1
                case Reject():
                    self.dead_letters += 1
                case Retrain():
                    self.retraining_requests += 1
                case _:
                    assert_never(action)

    async def commit(self) -> None:
        """Nothing is left to do."""

    async def close(self) -> None:
        """Nothing is held."""

    def _count(self, document: Kept) -> None:
        match document:
            case FeatureDocument():
                self.documents["feature"] += 1
            case EndpointDocument():
                self.documents["endpoint"] += 1
                self._note_window(document)
            case Incident():
                self.documents["incident"] += 1
                self._note_incident(document)
            case DecisionDocument():
                self.documents["decision"] += 1
            case OperationsDocument():
                # A service tells of itself; this is of what was decided.
                return
            case _:
                assert_never(document)

    def _note_window(self, document: EndpointDocument) -> None:
        key = (document.endpoint, document.variant, document.model_version)
        newest = self._newest.get(key)
        if newest is not None and document.window_start <= newest:
            return
        self._newest[key] = document.window_start
        if self.first_window is None or document.window_start < self.first_window:
            self.first_window = document.window_start
        if self.last_window is None or document.window_end > self.last_window:
            self.last_window = document.window_end
        endpoint = self.endpoints.setdefault(document.endpoint, EndpointSummary())
        for names, name in (
            (endpoint.variants, document.variant),
            (endpoint.versions, document.model_version),
            (endpoint.baselines, document.baseline),
        ):
            if name and name not in names:
                names.append(name)
        endpoint.windows += 1
        if document.complete:
            endpoint.states[document.state] = endpoint.states.get(document.state, 0) + 1
        else:
            endpoint.incomplete += 1

    def _note_incident(self, incident: Incident) -> None:
        if incident.state is not AlertState.RESOLVED:
            self._open[incident.id] = incident
            return
        before = self._open.pop(incident.id, None)
        how = "resolved" if before is not None and before.state is AlertState.FIRING else "passed"
        self._ended.setdefault(incident.cause, Counter())[how] += 1

    def incidents(self) -> dict[str, dict[str, int]]:
        """By cause and by how they ended, in order of their names."""
        counts = {cause: Counter(ended) for cause, ended in self._ended.items()}
        for incident in self._open.values():
            counts.setdefault(incident.cause, Counter())[incident.state] += 1
        return {str(cause): _sorted(counts[cause]) for cause in sorted(counts)}


def summarise(totals: Totals, tally: Tally, source: SourceNotes, run: RunNotes) -> Summary:
    """Summary of a run that has ended."""
    for endpoint in tally.endpoints.values():
        endpoint.states = {state: endpoint.states[state] for state in State if state in endpoint.states}
        for names in (endpoint.variants, endpoint.versions):
            names.sort()
    return Summary(
        records=Records(
            read=totals.records,
            accepted=totals.accepted,
            invalid=sum(totals.invalid.values()),
            invalid_by_reason=_sorted(totals.invalid),
            duplicate=totals.duplicate,
            late_revised=totals.late_revised,
            late_dropped=totals.late_dropped,
            ignored=totals.ignored,
            accounted_for=totals.records == totals.accounted,
            partial=sum(totals.partial.values()),
            partial_by_reason=_sorted(totals.partial),
        ),
        rows_in=totals.rows_in,
        rows_out=totals.rows_out,
        first_window=tally.first_window,
        last_window=tally.last_window,
        windows=sum(endpoint.windows for endpoint in tally.endpoints.values()),
        incomplete_windows=sum(endpoint.incomplete for endpoint in tally.endpoints.values()),
        documents=_sorted(tally.documents),
        notifications=_sorted(tally.notifications),
        incidents=tally.incidents(),
        dead_letters=tally.dead_letters,
        retraining_requests=tally.retraining_requests,
        endpoints=dict(sorted(tally.endpoints.items())),
        source=source,
        run=run,
    )


def _sorted(counts: dict[str, int]) -> dict[str, int]:
    return {str(name): counts[name] for name in sorted(counts)}
