"""A back-test: the incidents that fired in a replay, beside those that fired elsewhere over the same time."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from streamer.adapters.jsonlines import ALERTS
from streamer.adapters.sqlite import APPLICATION, FORMAT
from streamer.core.cause import Cause
from streamer.core.documents import Notification
from streamer.core.errors import SourceError
from streamer.core.incident import Incident, Severity
from streamer.summary import Summary

# Nobody compares more; a file with more is refused before it fills the memory.
MOST: Final = 50_000
_LINE_BYTES: Final = 4 * 1024 * 1024
# Among so many lines one at least must be a notification.
_LINES_BEFORE_THE_FIRST: Final = 1_000
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_SQLITE: Final = b"SQLite format 3\0"
# A resolved incident does not say whether it fired: the notifications do.
_FIRED: Final = """
SELECT CAST(body AS TEXT) FROM documents WHERE kind = 'incident'
AND (state = 'firing' OR (state = 'resolved' AND id IN (SELECT incident FROM notifications)))
LIMIT ?
"""


class Earlier(NamedTuple):
    """What fired there: the newest revision of each incident, by its beginning, and how much was not readable."""

    path: Path
    fired: list[Incident]
    torn: int


class Pair(NamedTuple):
    """The same trouble there and here; one of them is ``None`` where only the other side has it."""

    there: Incident | None
    here: Incident | None

    @property
    def either(self) -> Incident:
        """The one of here, or else the one of there."""
        found = self.here if self.here is not None else self.there
        assert found is not None
        return found


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """One side's incident in a row; ``until`` is ``None`` where it was still firing."""

    id: str
    since: datetime
    until: datetime | None
    severity: Severity
    title: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One trouble, on both sides or on one."""

    endpoint: str
    cause: Cause
    there: Fired | None
    here: Fired | None


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What ``streamer replay --beside PATH --json`` prints under ``beside``.

    Attributes
    ----------
    path : str
        The file that was read.
    both, only_there, only_here : int
        Rows with an incident on both sides, and on one only.
    outside : int
        Incidents there that are left out, as they lie outside the time this replay read.
    elsewhere : int
        Incidents there that are left out, as this replay read nothing of their endpoint.
    torn : int
        Lines or rows there that could not be read.
    rows : tuple of Row
        By their beginning.
    """

    path: str
    both: int
    only_there: int
    only_here: int
    outside: int
    elsewhere: int
    torn: int
    rows: tuple[Row, ...]


def read_earlier(path: Path) -> Earlier:
    """Read which incidents fired before.

    Parameters
    ----------
    path : Path
        ``alerts.jsonl`` of a replay or of the demo, a folder that holds one, or the SQLite index.
        An index keeps no word of an incident that fired and was resolved while it was muted: it is
        not among these, as nobody was told.

    Raises
    ------
    SourceError
        It is neither, can't be read, or holds more than ``MOST`` incidents.
    """
    file = path
    try:
        file = path / ALERTS if path.is_dir() else path
        # Anything else may have no end.
        if not file.is_file():
            raise SourceError(f"there is no file {file}")
        with file.open("rb") as opened:
            is_index = opened.read(len(_SQLITE)) == _SQLITE
        found = _of_index(file) if is_index else _of_alerts(file)
        newest: dict[str, Incident] = {}
        torn = 0
        for incident in found:
            if incident is None:
                torn += 1
                continue
            known = newest.get(incident.id)
            if known is None or known.revision <= incident.revision:
                newest[incident.id] = incident
            if len(newest) > MOST:
                raise SourceError(f"{file} holds more than {MOST:,} incidents")
    except OSError as error:
        raise SourceError(f"can't read {file}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise SourceError(f"can't read the index {file}: {error}") from error
    return Earlier(file, sorted(newest.values(), key=attrgetter("since", "cause", "id")), torn)


def _of_index(path: Path) -> Iterator[Incident | None]:
    # Only read: the service may be writing to it.
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
        if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
            raise SourceError(f"{path}: a database of another program")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != FORMAT:
            raise SourceError(f"{path}: format {version}, expected {FORMAT}")
        for (body,) in db.execute(_FIRED, (MOST + 1,)):
            try:
                yield _checked(msgspec.json.decode(body, type=Incident))
            except (msgspec.MsgspecError, RecursionError):
                yield None


def _of_alerts(path: Path) -> Iterator[Incident | None]:
    """Of each notification its incident; ``None`` for a line that is none."""
    decoder = msgspec.json.Decoder(Notification)
    lines, is_ours = 0, False
    for line in _lines(path):
        lines += 1
        try:
            incident = None if line is None else _checked(decoder.decode(line).incident)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            incident = None
        is_ours |= incident is not None
        if not is_ours and lines >= _LINES_BEFORE_THE_FIRST:
            break
        yield incident
    if lines and not is_ours:
        raise SourceError(f"{path} is neither alerts ({ALERTS}) nor a SQLite index of streamer")


def _lines(path: Path) -> Iterator[bytes | None]:
    """Lines that are not blank; ``None`` for one that is too long."""
    with path.open("rb") as file:
        while line := file.readline(_LINE_BYTES):
            if len(line) == _LINE_BYTES and not line.endswith(b"\n"):
                while line and not line.endswith(b"\n"):
                    line = file.readline(_LINE_BYTES)
                yield None
            elif line.strip():
                yield line


def _checked(incident: Incident) -> Incident | None:
    """The incident, if its times are in UTC and in order, as ours are: others can't be compared."""
    moments = [m for m in (incident.since, incident.changed, incident.until) if m is not None]
    if any(moment.utcoffset() != timedelta(0) for moment in moments):
        return None
    return incident if incident.until is None or incident.since <= incident.until else None


def paired(there: Sequence[Incident], here: Sequence[Incident], until: datetime) -> list[Pair]:
    """Set the incidents of two runs beside each other.

    Two are the same trouble where endpoint and cause are the same and their times overlap. Each is
    in one pair at most; the greatest overlap is paired first, so the order of the sides is all one.

    Parameters
    ----------
    there, here : sequence of Incident
        Their ids are unique on each side.
    until : datetime
        An incident without an end is taken as firing up to this time.

    Returns
    -------
    list of Pair
        Each incident in exactly one, by their beginning.
    """
    of_there, of_here = _by_trouble(there), _by_trouble(here)
    candidates: list[tuple[timedelta, Incident, Incident]] = []
    for trouble, mine in of_here.items():
        others = of_there.get(trouble, ())
        candidates += ((overlap, b, a) for a in mine for overlap, b in _overlapping(a, others, until))
    # A key that knows no sides. By ids last, so that a list beside itself pairs entirely.
    candidates.sort(key=lambda c: (-c[0], max(c[1].since, c[2].since), sorted((c[1].id, c[2].id))))
    taken_there: set[str] = set()
    taken_here: set[str] = set()
    pairs = []
    for _, b, a in candidates:
        if b.id not in taken_there and a.id not in taken_here:
            taken_there.add(b.id)
            taken_here.add(a.id)
            pairs.append(Pair(b, a))
    pairs += (Pair(b, None) for b in there if b.id not in taken_there)
    pairs += (Pair(None, a) for a in here if a.id not in taken_here)
    return sorted(pairs, key=lambda p: (_since(p), p.either.endpoint, p.either.cause, p.here is None))


def _by_trouble(incidents: Iterable[Incident]) -> dict[tuple[str, Cause], list[Incident]]:
    groups: defaultdict[tuple[str, Cause], list[Incident]] = defaultdict(list)
    for incident in sorted(incidents, key=attrgetter("since")):
        groups[incident.endpoint, incident.cause].append(incident)
    return groups


def _overlapping(
    incident: Incident, others: Iterable[Incident], until: datetime
) -> Iterator[tuple[timedelta, Incident]]:
    """Those of others, by their beginning, that overlap with it; those that begin at once do, too."""
    end = _end(incident, until)
    for other in others:
        if other.since > end:
            return
        overlap = min(end, _end(other, until)) - max(incident.since, other.since)
        if overlap > timedelta(0) or incident.since == other.since:
            yield overlap, other


def _end(incident: Incident, until: datetime) -> datetime:
    return incident.until if incident.until is not None else max(until, incident.since)


def _since(pair: Pair) -> datetime:
    return min(i.since for i in pair if i is not None)


def compare(earlier: Earlier, here: Sequence[Incident], summary: Summary) -> Beside:
    """Set what fired in this replay beside what fired there, where this replay read anything.

    Parameters
    ----------
    earlier : Earlier
        What fired there.
    here : sequence of Incident
        Those that fired in this replay.
    summary : Summary
        Of this replay: which time and which endpoints it read.
    """
    begins = [i.since for i in here] + ([summary.first_window] if summary.first_window is not None else [])
    ends = [i.changed for i in here] + ([summary.last_window] if summary.last_window is not None else [])
    # Where nothing was read, no time was.
    first, last = min(begins, default=_NEVER), max(ends, default=_NEVER)
    inside = [i for i in earlier.fired if first <= i.since < last or (i.since < first and _end(i, last) > first)]
    read = {*summary.endpoints, *(i.endpoint for i in here)}
    there = [i for i in inside if i.endpoint in read]
    pairs = paired(there, here, last)
    return Beside(
        path=str(earlier.path),
        both=sum(p.there is not None and p.here is not None for p in pairs),
        only_there=sum(p.here is None for p in pairs),
        only_here=sum(p.there is None for p in pairs),
        outside=len(earlier.fired) - len(inside),
        elsewhere=len(inside) - len(there),
        torn=earlier.torn,
        rows=tuple(
            Row(endpoint=p.either.endpoint, cause=p.either.cause, there=_fired(p.there), here=_fired(p.here))
            for p in pairs
        ),
    )


def _fired(incident: Incident | None) -> Fired | None:
    if incident is None:
        return None
    return Fired(
        id=incident.id,
        since=incident.since,
        until=incident.until,
        severity=incident.severity,
        title=incident.title,
    )


def encode_beside(summary: Summary, beside: Beside) -> bytes:
    """The summary as indented JSON that ends in a newline, with one more key ``beside``."""
    keys: dict[str, msgspec.Raw] = msgspec.json.decode(summary.encode(), type=dict[str, msgspec.Raw])
    keys["beside"] = msgspec.Raw(msgspec.json.encode(beside))
    return msgspec.json.format(msgspec.json.encode(keys), indent=2) + b"\n"
