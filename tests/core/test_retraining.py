from datetime import datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.eventtime import as_datetime
from streamer.core.incident import AlertState, Contribution, Fingerprint, Incident, Severity
from streamer.core.retraining import RetrainingBook, RetrainingState, Serving
from streamer.core.settings import RetrainingSettings
from streamer.core.types import Cause, RetrainingReason, RetrainingRequest, TimeRange

DAY = 86_400_000
START = 1_767_571_200_000
WEEK = RetrainingSettings(after=7 * 86_400, cool_down=28 * 86_400)
ORIGINAL = TimeRange(as_datetime(START - 30 * DAY), as_datetime(START - DAY))
SERVING = Serving("v", "1", "abc", ORIGINAL, START)


def day(n: int) -> datetime:
    return as_datetime(START + n * DAY)


def incident(since: int, state: AlertState = AlertState.FIRING, cause: Cause = Cause.DRIFT, until: int = 0) -> Incident:
    part = Contribution(
        feature="temp", variant="v", model_version="1", rule="psi", since=day(since), live=1.0, expected=0.0,
        size=1.0, unit="psi", weight=9.0, rows=100, words="moved",
    )  # fmt: skip
    return Incident(
        id=f"{cause}-{since}",
        revision=1,
        fingerprint=Fingerprint(cause),
        endpoint="e",
        cause=cause,
        state=state,
        severity=Severity.WARNING,
        opened=day(since),
        since=day(since),
        changed=day(since),
        until=day(until) if state is AlertState.RESOLVED else None,
        contributions=(part,),
        title="e: drift in temp",
        text="",
    )


def asked(book: RetrainingBook, n: int, *changed: Incident, serving: Serving = SERVING) -> list[RetrainingRequest]:
    book.note(changed)
    return [retrain.request for retrain in book.advance(START + n * DAY, serving)]


def test_a_drift_that_lasts_long_enough_asks_once() -> None:
    book = RetrainingBook("e", WEEK)
    found = [asked(book, 1, incident(0))] + [asked(book, n) for n in range(2, 30)]
    assert [n for n, requests in enumerate(found, 1) if requests] == [7]
    (request,) = found[6]
    assert (request.reason, request.incident, request.features) == (RetrainingReason.INCIDENT, "drift-0", ("temp",))
    assert (request.original, request.new) == (ORIGINAL, TimeRange(day(0), day(7)))


def test_a_drift_that_goes_on_asks_again_after_the_cool_down() -> None:
    book = RetrainingBook("e", WEEK)
    found = [asked(book, 1, incident(0))] + [asked(book, n) for n in range(2, 70)]
    assert [n for n, requests in enumerate(found, 1) if requests] == [7, 35, 63]
    assert len({r.id for requests in found for r in requests}) == 3


def test_a_drift_that_resolved_asks_for_nothing() -> None:
    book = RetrainingBook("e", WEEK)
    asked(book, 1, incident(0))
    asked(book, 6, incident(0, AlertState.RESOLVED, until=5))
    assert all(not asked(book, n) for n in range(7, 40))


def test_other_causes_ask_for_nothing() -> None:
    book = RetrainingBook("e", WEEK)
    asked(book, 1, *(incident(0, cause=cause) for cause in Cause if cause is not Cause.DRIFT))
    assert all(not asked(book, n) for n in range(2, 40))


def test_a_schedule_asks_at_its_interval_without_any_trouble() -> None:
    book = RetrainingBook("e", RetrainingSettings(every=10 * 86_400, cool_down=86_400))
    found = [asked(book, n) for n in range(1, 31)]
    assert [n for n, requests in enumerate(found, 1) if requests] == [10, 20, 30]
    assert found[9][0].reason is RetrainingReason.SCHEDULE


def test_stretches_with_a_fault_in_the_feed_are_left_out_open_ones_to_now() -> None:
    book = RetrainingBook("e", WEEK)
    asked(book, 1, incident(0), incident(1, cause=Cause.WILD), incident(2, cause=Cause.VOLUME))
    asked(book, 3, incident(1, AlertState.RESOLVED, Cause.WILD, until=3))
    asked(book, 5, incident(4, cause=Cause.MISSING))
    (request,) = asked(book, 7)
    assert request.leave_out == (TimeRange(day(1), day(3)), TimeRange(day(4), day(7)))


def test_a_pending_fault_that_never_fired_is_not_left_out() -> None:
    book = RetrainingBook("e", WEEK)
    asked(book, 1, incident(0), incident(1, AlertState.PENDING, Cause.WILD))
    asked(book, 2, incident(1, AlertState.RESOLVED, Cause.WILD, until=2))
    (request,) = asked(book, 7)
    assert request.leave_out == ()


def test_without_a_known_span_of_training_the_new_data_begin_with_the_first_window() -> None:
    book = RetrainingBook("e", WEEK)
    bare = Serving("v", "1", "abc", None, START)
    asked(book, 1, incident(0), serving=bare)
    (request,) = asked(book, 7, serving=bare)
    assert (request.original, request.new) == (None, TimeRange(day(0), day(7)))


def test_hundreds_of_faulty_stretches_stay_bounded_and_none_is_forgotten() -> None:
    book = RetrainingBook("e", WEEK)
    asked(book, 1, incident(0))
    book.state.drift = None
    for n in range(1, 500):
        asked(book, n, incident(n, cause=Cause.WILD))
        asked(book, n, incident(n, AlertState.RESOLVED, Cause.WILD, until=n + 1))
    assert len(book.state.closed) == 200
    assert book.state.closed[0][0] == START + DAY


@given(st.lists(st.sampled_from(["drift", "quiet", "nothing"]), max_size=80), st.integers(0, 80))
def test_restored_it_goes_on_as_if_never_stopped(played: list[str], stop: int) -> None:
    never, stopped = RetrainingBook("e", WEEK), RetrainingBook("e", WEEK)
    for n, what in enumerate(played, 1):
        changed = {"drift": [incident(n)], "quiet": [incident(n, AlertState.RESOLVED, until=n)], "nothing": []}[what]
        if n == stop:
            state = msgspec.json.decode(msgspec.json.encode(stopped.state), type=RetrainingState)
            stopped = RetrainingBook("e", WEEK)
            stopped.state = state
        assert asked(stopped, n, *changed) == asked(never, n, *changed)
