"""Back-tests: what fired there is read from whatever holds it, and set beside what fired here."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.adapters.sqlite import SqliteSink
from streamer.app import backtest
from streamer.app.backtest import Earlier, Pair, compare, paired, read_earlier
from streamer.app.incidents import Incidents
from streamer.core.documents import encode_notification
from streamer.core.errors import SourceError
from streamer.core.eventtime import as_datetime
from streamer.core.incident import AlertState, Incident
from streamer.core.types import Action, Cause, Index
from streamer.summary import EndpointSummary, Records, RunNotes, SourceNotes, Summary
from tests.contract.documents import feature, incident, notify
from tests.strategies import START

HOUR = 3_600_000
END = as_datetime(START + 24 * HOUR)
_RECORDS = dict.fromkeys(("read", "accepted", "invalid", "duplicate", "late_revised", "late_dropped", "ignored"), 0)


def at(hour: float) -> datetime:
    return as_datetime(round(START + hour * HOUR))


def trouble(
    identity: str, since: float, until: float | None, *, endpoint: str = "churn", cause: Cause = Cause.DRIFT
) -> Incident:
    """One that fired from an hour to another."""
    return msgspec.structs.replace(
        incident(identity, endpoint=endpoint, state=AlertState.FIRING if until is None else AlertState.RESOLVED),
        cause=cause,
        since=at(since),
        until=None if until is None else at(until),
        changed=at(since if until is None else until),
    )


def ids(pairs: Sequence[Pair]) -> set[tuple[str, str]]:
    return {(p.there.id if p.there else "", p.here.id if p.here else "") for p in pairs}


def summary_from(first: float | None, last: float, *endpoints: str) -> Summary:
    """Of a replay that read a stretch of hours."""
    return Summary(
        records=Records(**_RECORDS, invalid_by_reason={}, accounted_for=True, partial=0, partial_by_reason={}),
        rows_in=0,
        rows_out=0,
        first_window=None if first is None else at(first),
        last_window=None if first is None else at(last),
        windows=0,
        incomplete_windows=0,
        documents={},
        notifications={},
        incidents={},
        dead_letters=0,
        retraining_requests=0,
        endpoints={name: EndpointSummary() for name in endpoints},
        source=SourceNotes(),
        run=RunNotes(streamer="0", started=at(0), wall_seconds=1, cpu_seconds=1, records_per_second=1),
    )


def write_index(path: Path, actions: Sequence[Action]) -> Path:
    async def write() -> None:
        sink = SqliteSink(path)
        await sink.deliver(actions)
        await sink.commit()
        await sink.close()

    asyncio.run(write())
    return path


def write_alerts(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


TOLD = encode_notification(notify("n1", incident("i1")))


@st.composite
def runs(draw: st.DrawFn) -> list[Incident]:
    """A run's incidents: of few endpoints and causes, overlapping in any way, and sharing ids with other runs."""
    found = []
    for number in draw(st.lists(st.integers(0, 9), unique=True, max_size=8)):
        since = draw(st.integers(0, 12))
        until = draw(st.none() | st.integers(since, 14))
        who, cause = draw(st.sampled_from("ab")), draw(st.sampled_from([Cause.DRIFT, Cause.WILD]))
        found.append(trouble(f"i{number}", since, until, endpoint=who, cause=cause))
    return found


@given(runs(), runs())
def test_each_incident_is_in_exactly_one_row(there: list[Incident], here: list[Incident]) -> None:
    pairs = paired(there, here, END)
    assert sorted(p.there.id for p in pairs if p.there) == sorted(i.id for i in there)
    assert sorted(p.here.id for p in pairs if p.here) == sorted(i.id for i in here)


@given(runs(), runs())
def test_the_sides_can_be_exchanged(there: list[Incident], here: list[Incident]) -> None:
    assert ids(paired(there, here, END)) == {(b, a) for a, b in ids(paired(here, there, END))}


@given(runs())
def test_a_run_beside_itself_pairs_entirely(run: list[Incident]) -> None:
    assert ids(paired(run, run[::-1], END)) == {(i.id, i.id) for i in run}


@given(runs(), runs())
def test_a_pair_has_one_endpoint_one_cause_and_a_common_time(there: list[Incident], here: list[Incident]) -> None:
    for b, a in paired(there, here, END):
        if a is not None and b is not None:
            assert (a.endpoint, a.cause) == (b.endpoint, b.cause)
            assert max(a.since, b.since) < min(a.until or END, b.until or END) or a.since == b.since


@given(runs(), runs())
def test_no_two_that_are_left_could_have_been_a_pair(there: list[Incident], here: list[Incident]) -> None:
    pairs = paired(there, here, END)
    left_there, left_here = [p.there for p in pairs if p.here is None], [p.here for p in pairs if p.there is None]
    again = paired([i for i in left_there if i], [i for i in left_here if i], END)
    assert all(p.there is None or p.here is None for p in again)


def test_the_greatest_overlap_is_paired_first() -> None:
    here = [trouble("short", 0, 2), trouble("long", 2, 9)]
    assert ids(paired([trouble("there", 1, 8)], here, END)) == {("there", "long"), ("", "short")}


def test_one_that_ends_where_the_other_begins_is_another_trouble() -> None:
    assert ids(paired([trouble("b", 0, 2)], [trouble("a", 2, 4)], END)) == {("b", ""), ("", "a")}


def test_one_still_firing_overlaps_with_all_that_follows() -> None:
    assert ids(paired([trouble("b", 0, None)], [trouble("a", 20, 21)], END)) == {("b", "a")}


def test_the_newest_revision_of_each_alert_counts(tmp_path: Path) -> None:
    over = incident("i1", 3, state=AlertState.RESOLVED)
    path = write_alerts(tmp_path / "a", encode_notification(notify("n2", over, "resolved")), TOLD)
    assert read_earlier(path).fired == [over]


def test_a_folder_stands_for_its_alerts(tmp_path: Path) -> None:
    write_alerts(tmp_path / "alerts.jsonl", TOLD)
    assert read_earlier(tmp_path) == Earlier(tmp_path / "alerts.jsonl", [incident("i1")], 0)


@pytest.mark.parametrize(
    "line",
    [
        TOLD[: len(TOLD) // 2],
        b"\xff\x00",
        b"[" * 100_000,
        TOLD.replace(b"Z", b""),
        TOLD.replace(b"Z", b"+05:00"),
        b" " * (backtest._LINE_BYTES * 2),
    ],
    ids=["torn", "bytes", "deep", "no zone", "another zone", "long"],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_line_that_is_no_notification_is_counted(tmp_path: Path, line: bytes, *, is_first: bool) -> None:
    lines = [line, TOLD] if is_first else [TOLD, line]
    found = read_earlier(write_alerts(tmp_path / "a", *lines))
    assert ([i.id for i in found.fired], found.torn) == (["i1"], 1)


def test_a_run_without_alerts_is_an_empty_file(tmp_path: Path) -> None:
    assert read_earlier(write_alerts(tmp_path / "a")).fired == []


def test_the_index_has_those_that_fire_and_those_that_were_told(tmp_path: Path) -> None:
    over = incident("told", 3, state=AlertState.RESOLVED)
    passed = incident("passed", 3, state=AlertState.RESOLVED)
    pending = incident("pending", state=AlertState.PENDING)
    actions = [Index(i) for i in (incident("firing"), over, passed, pending)]
    path = write_index(tmp_path / "x", [*actions, feature(), notify("n", over, "resolved")])
    assert {i.id for i in read_earlier(path).fired} == {"firing", "told"}


def test_a_row_of_the_index_that_is_no_incident_is_counted(tmp_path: Path) -> None:
    path = write_index(tmp_path / "x", [Index(incident("i1")), Index(incident("i2"))])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE documents SET body = substr(body, 1, 50) WHERE id = 'i1'")
    found = read_earlier(path)
    assert ([i.id for i in found.fired], found.torn) == (["i2"], 1)


def test_reading_the_index_leaves_it_as_it_is(tmp_path: Path) -> None:
    path = write_index(tmp_path / "x", [Index(incident())])
    before = path.read_bytes()
    read_earlier(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("pragma", "said"), [("application_id = 7", "another program"), ("user_version = 9", "format 9, expected 1")]
)
def test_a_foreign_database_is_refused(tmp_path: Path, pragma: str, said: str) -> None:
    path = write_index(tmp_path / "x", [])
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA {pragma}")
    with pytest.raises(SourceError, match=said):
        read_earlier(path)


@pytest.mark.parametrize(
    "content", [b"a,b\n1,2\n", b'{"kind":"feature"}\n' * 2_000, b"SQLite format 3\0 and no more"], ids=str
)
def test_a_file_that_is_neither_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(SourceError):
        read_earlier(tmp_path / "a")


@pytest.mark.parametrize("name", ["", "none", "\0"])
def test_what_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="there is no file"):
        read_earlier(tmp_path / name)


def test_more_incidents_than_anyone_compares_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest, "MOST", 2)
    path = write_index(tmp_path / "x", [Index(incident(f"i{n}")) for n in range(3)])
    with pytest.raises(SourceError, match="more than 2 incidents"):
        read_earlier(path)


def test_only_incidents_of_the_time_that_was_read_count(tmp_path: Path) -> None:
    there = [trouble("before", 0, 1), trouble("into", 0, 3), trouble("in", 3, 4), trouble("after", 9, None)]
    found = compare(Earlier(tmp_path, there, 0), [], summary_from(2, 9, "churn"))
    assert ([row.there.id for row in found.rows if row.there], found.outside) == (["into", "in"], 2)


def test_incidents_of_endpoints_that_were_not_read_are_left_out(tmp_path: Path) -> None:
    there = [trouble("mine", 3, 4), trouble("theirs", 3, 4, endpoint="fraud")]
    found = compare(Earlier(tmp_path, there, 0), [], summary_from(2, 9, "churn"))
    assert ([row.there.id for row in found.rows if row.there], found.elsewhere) == (["mine"], 1)


def test_where_nothing_was_read_everything_lies_outside(tmp_path: Path) -> None:
    found = compare(Earlier(tmp_path, [trouble("b", 3, None)], 0), [], summary_from(None, 0))
    assert (found.outside, found.rows) == (1, ())


def test_the_time_that_was_read_reaches_as_far_as_what_fired_in_it(tmp_path: Path) -> None:
    run = [trouble("i", 1, 12)]
    found = compare(Earlier(tmp_path, run, 0), run, summary_from(2, 9, "churn"))
    assert (found.both, found.outside) == (1, 0)


async def test_an_incident_that_passed_while_pending_did_not_fire() -> None:
    incidents = Incidents()
    passed = [Index(incident("p", 1, state=AlertState.PENDING)), Index(incident("p", 2, state=AlertState.RESOLVED))]
    fired = [Index(incident("f", 1)), Index(incident("f", 2, state=AlertState.RESOLVED))]
    await incidents.deliver([*passed, *fired])
    assert [i.id for i in incidents.fired] == ["f"]
