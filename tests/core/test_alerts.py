from collections.abc import Collection, Sequence
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.alerts import AlertBook, AlertBookState
from streamer.core.incident import AlertState, Incident, Severity, Verdict
from streamer.core.settings import AlertSpans
from streamer.core.types import Action, Cause, Finding, Index, Judge, Key, Notify, State
from streamer.core.words import INDEPENDENCE, text_of

MINUTE = 60_000
START = 1_767_603_600_000
SPANS = AlertSpans(hold=0, keep_firing=180, repeat=600)


def finding(
    minute: int, feature: str = "x", cause: Cause = Cause.MISSING, weight: float = 9.0, /, **more: object
) -> Finding:
    values: dict[str, object] = {
        "key": Key("e", "v", "1"),
        "rule": "missing",
        "cause": cause,
        "feature": feature,
        "state": State.BROKEN,
        "since_at": START + (minute - 1) * MINUTE,
        "until_at": START + minute * MINUTE,
        "live": 0.2,
        "expected": 0.01,
        "size": 0.19,
        "unit": "points",
        "weight": weight,
        "rows": 1000,
        "words": "without a usable value in 20 % of rows (baseline 1 %)",
    }
    return msgspec.convert({**values, **more}, Finding, from_attributes=True)


def step(
    book: AlertBook, minute: int, findings: Sequence[Finding] = (), judged: Collection[Cause] = tuple(Cause)
) -> list[Action]:
    return book.advance(START + minute * MINUTE, findings, [*product(judged, Judge)], assumes_independence=False)


def told(actions: list[Action]) -> list[str]:
    return [a.why for a in actions if isinstance(a, Notify)]


def incidents(actions: list[Action]) -> list[Incident]:
    return [a.document for a in actions if isinstance(a, Index) and isinstance(a.document, Incident)]


def test_a_broken_rule_fires_at_once_without_a_hold() -> None:
    actions = step(AlertBook("e", SPANS), 1, [finding(1)])
    assert told(actions) == ["firing"]
    (incident,) = incidents(actions)
    assert (incident.state, incident.revision, incident.severity) == (AlertState.FIRING, 1, Severity.WARNING)


def test_with_a_hold_it_is_pending_first_and_fires_when_it_lasts() -> None:
    book = AlertBook("e", msgspec.structs.replace(SPANS, hold=120))
    first = step(book, 1, [finding(1)])
    assert (told(first), incidents(first)[0].state) == ([], AlertState.PENDING)
    assert told(step(book, 2, [finding(2)])) == []
    assert told(step(book, 3, [finding(3)])) == ["firing"]


def test_what_passes_before_the_hold_is_over_wakes_nobody_and_is_closed_in_the_index() -> None:
    book = AlertBook("e", msgspec.structs.replace(SPANS, hold=120))
    step(book, 1, [finding(1)])
    after = step(book, 2)
    assert (told(after), incidents(after)[0].state) == ([], AlertState.RESOLVED)
    assert told(step(book, 3, [finding(3)])) == []


def test_it_resolves_when_it_has_been_away_for_keep_firing_and_not_before() -> None:
    book = AlertBook("e", SPANS)
    step(book, 1, [finding(1)])
    assert [told(step(book, minute)) for minute in (2, 3, 4)] == [[], [], ["resolved"]]


def test_a_flapping_rule_stays_one_incident() -> None:
    book = AlertBook("e", SPANS)
    ids = set()
    for minute in (1, 3, 5, 7):
        ids |= {i.id for i in incidents(step(book, minute, [finding(minute, "x", Cause.MISSING, 9.0 + minute)]))}
        step(book, minute + 1)
    assert len(ids) == 1


def test_the_same_trouble_later_is_another_incident_with_the_same_fingerprint() -> None:
    book = AlertBook("e", SPANS)
    first = incidents(step(book, 1, [finding(1)]))[0]
    step(book, 9)
    second = incidents(step(book, 10, [finding(10)]))[0]
    assert first.fingerprint == second.fingerprint
    assert first.id != second.id


def test_windows_that_could_not_be_judged_do_not_heal() -> None:
    book = AlertBook("e", SPANS)
    step(book, 1, [finding(1)])
    assert all(step(book, minute, judged=()) == [] for minute in range(2, 10))
    assert told(step(book, 10)) == ["resolved"]


def test_a_firing_alert_is_told_again_after_the_repeat_interval_and_not_before() -> None:
    book = AlertBook("e", SPANS)
    why = [told(step(book, minute, [finding(minute)])) for minute in range(1, 23)]
    assert [i + 1 for i, w in enumerate(why) if w] == [1, 11, 21]
    assert why[10] == ["repeat"]


def test_no_repeat_is_told_when_it_is_switched_off() -> None:
    book = AlertBook("e", msgspec.structs.replace(SPANS, repeat=0))
    why = [told(step(book, minute, [finding(minute)])) for minute in range(1, 100)]
    assert why[1:] == [[]] * 98


def test_features_of_one_cause_are_one_incident_heaviest_first() -> None:
    book = AlertBook("e", SPANS)
    (incident,) = incidents(step(book, 1, [finding(1, "a", Cause.MISSING, 6.0), finding(1, "b", Cause.MISSING, 8.0)]))
    assert [c.feature for c in incident.contributions] == ["b", "a"]
    assert incident.title == "e: missing values in b and 1 more"


def test_causes_are_incidents_of_their_own() -> None:
    actions = step(AlertBook("e", SPANS), 1, [finding(1), finding(1, "x", Cause.WILD)])
    assert [i.cause for i in incidents(actions)] == [Cause.MISSING, Cause.WILD]


def test_a_features_worst_window_is_kept_with_its_first_time() -> None:
    book = AlertBook("e", SPANS)
    step(book, 1, [finding(1, "x", Cause.MISSING, 6.0)])
    (incident,) = incidents(step(book, 2, [finding(2, "x", Cause.MISSING, 9.0)]))
    assert step(book, 3, [finding(3, "x", Cause.MISSING, 5.0)]) == []
    (contribution,) = incident.contributions
    assert (contribution.weight, contribution.since, incident.revision) == (9.0, incident.since, 2)


def test_becoming_critical_is_told() -> None:
    book = AlertBook("e", SPANS)
    step(book, 1, [finding(1)])
    actions = step(book, 2, [finding(2, "x", Cause.MISSING, 12.0, live=0.9)])
    assert told(actions) == ["changed"]
    assert incidents(actions)[0].severity is Severity.CRITICAL


def test_findings_that_are_not_broken_start_nothing() -> None:
    assert step(AlertBook("e", SPANS), 1, [finding(1, state=State.NOT_ENOUGH), finding(1, state=State.SMALL)]) == []


def test_the_text_says_what_since_when_and_how_much() -> None:
    (incident,) = incidents(step(AlertBook("churn", SPANS), 1, [finding(1)]))
    assert incident.text.splitlines() == [
        "churn: missing values in x",
        "firing, warning, since 5 Jan 2026 09:00 UTC",
        "- x: without a usable value in 20 % of rows (baseline 1 %), since 5 Jan 2026 09:00 UTC",
    ]


def test_the_text_of_a_resolved_one_says_from_when_to_when() -> None:
    book = AlertBook("e", SPANS)
    step(book, 1, [finding(1)])
    (incident,) = incidents(step(book, 4))
    assert incident.text.splitlines()[1] == "resolved: 5 Jan 2026 09:00 UTC to 5 Jan 2026 09:01 UTC"


def test_the_text_names_variants_only_when_there_are_several_and_counts_what_it_does_not_list() -> None:
    found = [finding(1, f"f{i}", Cause.MISSING, 20.0 - i, key=Key("e", "ab"[i % 2], "1")) for i in range(8)]
    (incident,) = incidents(step(AlertBook("e", SPANS), 1, found))
    lines = incident.text.splitlines()
    assert lines[2].endswith("[variant a, version 1]")
    assert lines[-1] == "- and 3 more"


def test_the_text_says_when_records_are_taken_as_independent() -> None:
    actions = AlertBook("e", SPANS).advance(START, [finding(1)], (), assumes_independence=True)
    assert incidents(actions)[0].text.endswith(INDEPENDENCE)


@pytest.mark.parametrize(
    ("cause", "more", "title"),
    [
        (Cause.VOLUME, {"size": 0.5, "expected": 100.0}, "e: traffic -50 % against the past weeks"),
        (Cause.VOLUME, {"size": 500.0, "expected": 0.0}, "e: traffic where there used to be none"),
        (Cause.SILENCE, {}, "e: no traffic"),
        (Cause.UNREADABLE, {"live": 0.31}, "e: 31 % of records can't be read"),
        (Cause.DRIFT, {}, "e: drift in x"),
    ],
)
def test_the_title_says_the_trouble_in_a_line(cause: Cause, more: dict[str, object], title: str) -> None:
    (incident,) = incidents(step(AlertBook("e", SPANS), 1, [finding(1, "x", cause, **more)]))
    assert incident.title == title


@pytest.mark.parametrize(
    ("cause", "more", "severity"),
    [
        (Cause.SILENCE, {}, Severity.CRITICAL),
        (Cause.VOLUME, {"size": 0.4}, Severity.CRITICAL),
        (Cause.VOLUME, {"size": 0.8}, Severity.WARNING),
        (Cause.VOLUME, {"size": 3.0}, Severity.CRITICAL),
        (Cause.UNREADABLE, {"live": 0.6}, Severity.CRITICAL),
        (Cause.WILD, {"live": 500.0}, Severity.WARNING),
    ],
)
def test_it_is_critical_where_the_model_gets_nothing_useful(
    cause: Cause, more: dict[str, object], severity: Severity
) -> None:
    (incident,) = incidents(step(AlertBook("e", SPANS), 1, [finding(1, "x", cause, **more)]))
    assert incident.severity is severity


windows = st.lists(
    st.tuples(st.sampled_from(["broken", "quiet", "unjudged"]), st.sampled_from("ab"), st.integers(1, 20)), max_size=60
)


def play(book: AlertBook, played: list[tuple[str, str, int]], first: int) -> list[Action]:
    actions: list[Action] = []
    for minute, (what, feature, weight) in enumerate(played, first):
        found = [finding(minute, feature, Cause.MISSING, float(weight))] if what == "broken" else []
        actions += step(book, minute, found, judged=() if what == "unjudged" else tuple(Cause))
    return actions


@given(windows, st.integers(0, 240))
def test_between_two_tellings_lies_the_repeat_interval_and_every_firing_one_resolves(
    played: list[tuple[str, str, int]], hold: int
) -> None:
    book = AlertBook("e", msgspec.structs.replace(SPANS, hold=hold))
    actions = play(book, played, 1) + [a for m in range(len(played) + 1, len(played) + 10) for a in step(book, m)]
    state: dict[str, str] = {}
    last: dict[str, float] = {}
    for action in actions:
        if not isinstance(action, Notify):
            continue
        incident = action.incident
        at = incident.changed.timestamp()
        if action.why == "firing":
            assert incident.id not in state
        if action.why == "repeat":
            assert at - last[incident.id] >= 600
        state[incident.id], last[incident.id] = action.why, at
    assert all(why == "resolved" for why in state.values())
    revisions: dict[str, int] = {}
    for incident in incidents(actions):
        assert incident.revision == revisions.get(incident.id, 0) + 1
        revisions[incident.id] = incident.revision


@given(windows, windows)
def test_restored_it_goes_on_as_if_never_stopped(
    before: list[tuple[str, str, int]], after: list[tuple[str, str, int]]
) -> None:
    never, stopped = AlertBook("e", SPANS), AlertBook("e", SPANS)
    play(never, before, 1)
    play(stopped, before, 1)
    state = msgspec.json.decode(msgspec.json.encode(stopped.to_state()), type=AlertBookState)
    restored = AlertBook.from_state(state, SPANS)
    assert play(restored, after, len(before) + 1) == play(never, after, len(before) + 1)


def test_the_text_says_what_an_operator_decided() -> None:
    (incident,) = incidents(step(AlertBook("e", SPANS), 1, [finding(1)]))
    noted = msgspec.structs.replace(incident, acknowledged_by="ada", muted_until=incident.changed)
    lines = text_of(noted).splitlines()
    assert lines[-2:] == [
        "Acknowledged by ada: it is not repeated unless it gets graver.",
        "Muted until 5 Jan 2026 09:01 UTC.",
    ]
    assert "An operator's word: false alarm." in text_of(msgspec.structs.replace(incident, verdict=Verdict.FALSE_ALARM))


def test_what_is_as_large_and_not_proven_neither_starts_an_incident_nor_ends_one() -> None:
    book = AlertBook("e", SPANS)
    assert step(book, 1, [finding(1, state=State.NOT_ENOUGH)]) == []
    step(book, 2, [finding(2)])
    assert all(step(book, minute, [finding(minute, state=State.NOT_ENOUGH)]) == [] for minute in range(3, 11))
    assert told(step(book, 11)) == ["resolved"]


def test_who_found_nothing_himself_does_not_end_what_another_found() -> None:
    book = AlertBook("e", SPANS)
    step(book, 1, [finding(1, "x", Cause.DRIFT)])
    for minute in range(2, 20):
        actions = book.advance(START + minute * MINUTE, [], [(Cause.DRIFT, Judge.EVIDENCE)], assumes_independence=False)
        assert told(actions) in ([], ["repeat"])
    assert told(book.advance(START + 20 * MINUTE, [], [(Cause.DRIFT, Judge.RULES)], assumes_independence=False)) == [
        "resolved"
    ]


def test_what_rules_and_detectors_both_found_is_over_when_both_find_nothing_more() -> None:
    book = AlertBook("e", SPANS)
    step(book, 1, [finding(1, "x"), finding(1, "y", judge=Judge.EVIDENCE)])
    quiet = START + 10 * MINUTE
    assert book.advance(quiet, [], [(Cause.MISSING, Judge.RULES)], assumes_independence=False) == []
    both = [(Cause.MISSING, judge) for judge in Judge]
    assert told(book.advance(quiet, [], both, assumes_independence=False)) == ["resolved"]
