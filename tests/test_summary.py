"""What a run comes to, counted from what is delivered."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from streamer.core.incident import AlertState, Fingerprint, Incident, Severity
from streamer.core.totals import Totals
from streamer.core.types import Action, Cause, EndpointDocument, Index, Notify, State
from streamer.summary import Names, SourceNotes, Stopwatch, Summary, Tally, summarise
from streamer.testing.memory import ManualClock

NINE = datetime(2026, 1, 5, 9, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)


def window(number: int, *, revision: int = 1, state: State = State.OK, complete: bool = True) -> Index:
    """The document of one window of ``churn``."""
    start = NINE + number * FIVE_MINUTES
    return Index(
        EndpointDocument(
            id=f"w{number}",
            revision=revision,
            endpoint="churn",
            variant="AllTraffic",
            model_version="",
            baseline="b1",
            window_start=start,
            window_end=start + FIVE_MINUTES,
            state=state,
            complete=complete,
            records=1,
            rows=1,
            invalid=0,
            partial=0,
            late=0,
            duplicates=0,
        )
    )


def incident(name: str, state: AlertState) -> Incident:
    """One revision of an incident."""
    return Incident(
        id=name,
        revision=1,
        fingerprint=Fingerprint("f"),
        endpoint="churn",
        cause=Cause.WILD,
        state=state,
        severity=Severity.WARNING,
        opened=NINE,
        since=NINE,
        changed=NINE,
        title="",
        text="",
    )


def summary_of(actions: list[Action], totals: Totals | None = None) -> Summary:
    """Summary of a run that delivered these."""
    tally = Tally()
    asyncio.run(tally.deliver(actions))
    given = totals if totals is not None else Totals()
    return summarise(given, tally, SourceNotes(), Stopwatch(ManualClock(0)).stop(given.records))


def test_a_window_that_is_revised_counts_once() -> None:
    summary = summary_of([window(0), window(1), window(0, revision=2), window(2)])
    assert (summary.windows, summary.documents) == (3, {"endpoint": 4})


def test_it_spans_the_first_window_to_the_end_of_the_last() -> None:
    summary = summary_of([window(0), window(11)])
    assert (summary.first_window, summary.last_window) == (NINE, NINE + timedelta(hours=1))


def test_windows_are_counted_by_state_and_open_ones_apart() -> None:
    summary = summary_of([window(0), window(1, state=State.BROKEN), window(2, complete=False)])
    endpoint = summary.endpoints["churn"]
    assert (endpoint.windows, endpoint.incomplete, summary.incomplete_windows) == (3, 1, 1)
    assert endpoint.states == {State.OK: 1, State.BROKEN: 1}


@pytest.mark.parametrize(
    ("states", "how"),
    [
        ([AlertState.PENDING], "pending"),
        ([AlertState.PENDING, AlertState.FIRING], "firing"),
        ([AlertState.FIRING, AlertState.RESOLVED], "resolved"),
        ([AlertState.PENDING, AlertState.RESOLVED], "passed"),
        ([AlertState.RESOLVED], "passed"),
    ],
)
def test_an_incident_is_counted_by_how_it_ended(states: list[AlertState], how: str) -> None:
    summary = summary_of([Index(incident("i", state)) for state in states])
    assert summary.incidents == {"wild values": {how: 1}}


def test_notifications_are_counted_by_why() -> None:
    told = incident("i", AlertState.FIRING)
    summary = summary_of([Notify("1", told, "firing"), Notify("2", told, "repeat"), Notify("3", told, "repeat")])
    assert summary.notifications == {"firing": 1, "repeat": 2}


def test_reasons_are_in_order_of_their_names() -> None:
    totals = Totals(records=3, invalid={"too-deep": 1, "bad-csv": 2})
    assert list(summary_of([], totals).records.invalid_by_reason) == ["bad-csv", "too-deep"]


def test_headings_that_do_not_add_up_are_said() -> None:
    assert not summary_of([], Totals(records=3, accepted=2)).records.accounted_for


def test_of_many_names_the_first_hundred_are_given() -> None:
    names = Names.of([str(i) for i in range(250)])
    assert (names.count, len(names.first)) == (250, 100)
