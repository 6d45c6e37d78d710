"""What operators' decisions change, what they leave alone, and that a restart makes no difference."""

from collections.abc import Collection, Iterable, Sequence
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.alerts import AlertBook
from streamer.core.decisions import (
    LINE_BYTES,
    Accept,
    Acknowledge,
    AddVersion,
    Decision,
    FalseAlarm,
    Mute,
    decode_decision,
    encode_decision,
)
from streamer.core.documents import encode
from streamer.core.engine import Engine
from streamer.core.errors import InvalidRecord, Reason
from streamer.core.incident import AlertState, Incident, Verdict
from streamer.core.mutes import MuteRule, muted_until
from streamer.core.settings import AlertSpans, EndpointSettings, EngineSettings, Rules, Spans, VersionSettings
from streamer.core.types import (
    Action,
    Cause,
    DecisionDocument,
    Effect,
    EndpointDocument,
    FeatureDocument,
    Finding,
    Index,
    Judge,
    Key,
    Notify,
    Reject,
    State,
)
from tests.strategies import NOW, START, baseline, batch, capture, number

MINUTE = 60_000
ALERTS = AlertSpans(hold=0, keep_firing=120, repeat=600)
HOW = EndpointSettings(
    name="e",
    spans=Spans(pane=10, window=60, offset=0, lateness=30),
    rules=Rules(minimum_rows=2, mean_shift=0.5, volume=False, silence=False, significant_deviations=1.0),
    alerts=ALERTS,
    burn_in_rows=6,
)
SETTINGS = EngineSettings(endpoints=(HOW,), learn_unknown=False, out_of_orderness_seconds=5)
BASELINES = {("e", ""): baseline()}


# An endpoint whose x and y drift in every minute they are told to.


def minute(n: int, value: str = "9.9,9.9,a", **more: str) -> bytes:
    """Ten records of a minute as one, of ten rows."""
    rows = "\n".join([value] * 10)
    return capture(rows, "\n".join(["5"] * 10), at=START + n * MINUTE, event_id=f"m{n}", endpoint="e", **more)


def engine(how: EngineSettings = SETTINGS) -> Engine:
    made = Engine(how, BASELINES)
    made.begin("shard-0")
    return made


def feed(to: Engine, minutes: Iterable[int], value: str = "9.9,9.9,a", **more: str) -> list[Action]:
    """Records of these minutes, each of which closes the one before."""
    return [a for n in minutes for a in to.ingest(batch(minute(n, value, **more), first=n), NOW)]


def decide(on: Engine, decision: Decision) -> list[Action]:
    return on.decide_on(decision)


def incidents(actions: Iterable[Action], cause: Cause = Cause.DRIFT) -> list[Incident]:
    found = [a.document for a in actions if isinstance(a, Index) and isinstance(a.document, Incident)]
    return [incident for incident in found if incident.cause is cause]


def told(actions: Iterable[Action]) -> list[str]:
    return [a.why for a in actions if isinstance(a, Notify)]


def audit(actions: Iterable[Action]) -> list[DecisionDocument]:
    return [a.document for a in actions if isinstance(a, Index) and isinstance(a.document, DecisionDocument)]


def windows(actions: Iterable[Action]) -> list[EndpointDocument]:
    return [a.document for a in actions if isinstance(a, Index) and isinstance(a.document, EndpointDocument)]


def signed(n: int = 0) -> dict[str, object]:
    return {"id": f"decision-{n}", "made_at": START, "by": "ada", "note": "known"}


def acknowledge(incident: str, n: int = 0) -> Decision:
    return msgspec.convert({**signed(n), "decision": "acknowledge", "incident": incident}, Acknowledge)


def refute(incident: str, n: int = 0) -> Decision:
    return msgspec.convert({**signed(n), "decision": "false-alarm", "incident": incident}, FalseAlarm)


def mute(until: int, cause: Cause | None = None, feature: str | None = None, n: int = 0, endpoint: str = "e") -> Mute:
    about = {"endpoint": endpoint, "cause": cause, "feature": feature, "until_at": START + until * MINUTE}
    return msgspec.convert({**signed(n), "decision": "mute", **about}, Mute)


def accept(start: int, n: int = 0) -> Accept:
    return msgspec.convert(
        {**signed(n), "decision": "accept", "endpoint": "e", "from_at": START + start * MINUTE}, Accept
    )


def add_version(version: str, start: int, n: int = 0, path: str = "", identity: str = "") -> AddVersion:
    about = {"endpoint": "e", "version": version, "from_at": START + start * MINUTE}
    return msgspec.convert(
        {**signed(n), "decision": "add-version", **about, "baseline": path, "baseline_id": identity}, AddVersion
    )


def firing(of: Engine) -> str:
    """Id of the drift that fires after three minutes."""
    incident = incidents(feed(of, range(4)))[-1]
    assert incident.state is AlertState.FIRING
    return incident.id


# Bytes.


@pytest.mark.parametrize(
    "decision", [acknowledge("i"), refute("i"), mute(5, Cause.DRIFT, "x"), accept(3), add_version("2", 3, 0, "p", "b")]
)
def test_a_decision_is_read_as_it_was_written(decision: Decision) -> None:
    line = encode_decision(decision)
    assert b"\n" not in line
    assert decode_decision(line) == decision


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b"junk", Reason.NOT_JSON, id="no JSON"),
        pytest.param(b"\xff", Reason.NOT_JSON, id="no text"),
        pytest.param(b'{"id":' * 9_999, Reason.NOT_JSON, id="too deep"),
        pytest.param(b'{"decision":"shrug"}', Reason.BAD_LAYOUT, id="a kind that is not known"),
        pytest.param(b'{"decision":"acknowledge"}', Reason.BAD_LAYOUT, id="fields that are missing"),
        pytest.param(encode_decision(acknowledge("i"))[:-1] + b',"more":1}', Reason.BAD_LAYOUT, id="one too many"),
        pytest.param(
            encode_decision(acknowledge("i")).replace(b'"format":1', b'"format":2'),
            Reason.BAD_LAYOUT,
            id="a newer format",
        ),
        pytest.param(b" " * (LINE_BYTES + 1), Reason.RECORD_TOO_LARGE, id="too long"),
    ],
)
def test_a_line_that_is_no_decision_is_refused_with_its_reason(line: bytes, reason: Reason) -> None:
    with pytest.raises(InvalidRecord) as caught:
        decode_decision(line)
    assert caught.value.reason is reason


@given(st.binary(max_size=200))
def test_any_bytes_are_a_decision_or_an_invalid_record(line: bytes) -> None:
    try:
        decode_decision(line)
    except InvalidRecord as error:
        assert error.reason in Reason  # noqa: PT017 - either outcome is right


# The audit trail.


def test_every_decision_leaves_a_document_that_says_who_what_and_what_became_of_it() -> None:
    of = engine()
    (document,) = audit(decide(of, acknowledge(firing(of))))
    assert (document.by, document.note, document.decision) == ("ada", "known", "acknowledge")
    assert (document.effect, document.endpoint) == (Effect.APPLIED, "e")
    assert document.taken is not None


def test_before_any_record_a_decision_is_taken_at_no_time() -> None:
    (document,) = audit(decide(engine(), mute(5)))
    assert (document.effect, document.taken) == (Effect.APPLIED, None)


def test_a_decision_that_is_read_twice_is_taken_once() -> None:
    of = engine()
    assert decide(of, mute(5)) != []
    assert decide(of, mute(5)) == []


def test_no_engine_knows_an_incident_that_never_was() -> None:
    assert audit(decide(engine(), acknowledge("f" * 32)))[0].effect is Effect.NO_INCIDENT


def test_an_incident_that_is_over_is_told_apart_from_one_that_never_was() -> None:
    of = engine()
    identity = firing(of)
    feed(of, range(4, 12), "5,5,a")
    assert audit(decide(of, refute(identity)))[0].effect is Effect.RESOLVED


def test_an_endpoint_that_is_not_watched_has_nothing_to_mute() -> None:
    (document,) = audit(decide(engine(), mute(5, endpoint="other")))
    assert (document.effect, document.endpoint) == (Effect.NO_ENDPOINT, "other")


# Acknowledging.


def test_an_acknowledged_incident_says_by_whom_in_a_new_revision() -> None:
    of = engine()
    before = incidents(feed(of, range(4)))[-1]
    (after,) = incidents(decide(of, acknowledge(before.id)))
    assert (after.acknowledged_by, after.revision) == ("ada", before.revision + 1)


def test_an_acknowledged_incident_is_not_repeated() -> None:
    of = engine()
    decide(of, acknowledge(firing(of)))
    assert told(feed(of, range(4, 40))) == []


def test_an_acknowledged_incident_is_told_when_it_resolves() -> None:
    of = engine()
    decide(of, acknowledge(firing(of)))
    assert told(feed(of, range(4, 12), "5,5,a")) == ["resolved"]


# A book by itself: what an engine's rules make hard to show.


def finding(n: int, feature: str = "x", cause: Cause = Cause.MISSING, **more: object) -> Finding:
    values: dict[str, object] = {
        "key": Key("e", "v", "1"),
        "rule": "missing",
        "cause": cause,
        "feature": feature,
        "state": State.BROKEN,
        "since_at": START + (n - 1) * MINUTE,
        "until_at": START + n * MINUTE,
        "live": 0.2,
        "expected": 0.01,
        "size": 0.19,
        "unit": "points",
        "weight": 9.0,
        "rows": 1000,
        "words": "without a usable value in 20 % of rows",
    }
    return msgspec.convert({**values, **more}, Finding, from_attributes=True)


def step(
    book: AlertBook, n: int, findings: Sequence[Finding] = (), judged: Collection[Cause] = tuple(Cause)
) -> list[Action]:
    return book.advance(START + n * MINUTE, findings, [*product(judged, Judge)], assumes_independence=False)


def rule(until: int, cause: Cause | None = None, feature: str | None = None) -> MuteRule:
    return MuteRule(cause, feature, START + until * MINUTE)


def opened(book: AlertBook, actions: Iterable[Action], cause: Cause = Cause.MISSING) -> str:
    identity = incidents(actions, cause)[-1].id
    assert book.find(identity) is not None
    return identity


def test_an_acknowledged_incident_that_gets_graver_is_told_again() -> None:
    book = AlertBook("e", ALERTS)
    found = book.find(opened(book, step(book, 1, [finding(1)])))
    assert found is not None
    book.acknowledge(found, "ada", START + MINUTE)
    assert told(step(book, 2, [finding(2, live=0.9, weight=20.0)])) == ["changed"]


def test_an_acknowledgement_ends_with_its_incident() -> None:
    book = AlertBook("e", ALERTS)
    found = book.find(opened(book, step(book, 1, [finding(1)])))
    assert found is not None
    book.acknowledge(found, "ada", START + MINUTE)
    for n in range(2, 5):
        step(book, n)
    assert incidents(step(book, 5, [finding(5)]), Cause.MISSING)[-1].acknowledged_by is None


def refuted(book: AlertBook, n: int) -> list[Action]:
    found = book.find(opened(book, step(book, n, [finding(n)])))
    assert found is not None
    return book.refute(found, START + n * MINUTE)


def test_a_false_alarm_is_resolved_at_once_with_the_verdict() -> None:
    actions = refuted(AlertBook("e", ALERTS), 1)
    (incident,) = incidents(actions, Cause.MISSING)
    assert (incident.state, incident.verdict, told(actions)) == (AlertState.RESOLVED, Verdict.FALSE_ALARM, ["resolved"])


def test_while_a_refuted_condition_goes_on_nothing_new_fires() -> None:
    book = AlertBook("e", ALERTS)
    refuted(book, 1)
    assert [step(book, n, [finding(n)]) for n in range(2, 50)] == [[]] * 48


def test_a_short_break_does_not_free_a_refuted_condition() -> None:
    book = AlertBook("e", ALERTS)
    refuted(book, 1)
    step(book, 2)
    assert step(book, 3, [finding(3)]) == []


def test_windows_that_could_not_be_judged_are_no_break() -> None:
    book = AlertBook("e", ALERTS)
    refuted(book, 1)
    for n in range(2, 20):
        step(book, n, judged=())
    assert step(book, 20, [finding(20)]) == []


def test_after_a_break_of_keep_firing_a_refuted_condition_fires_again_as_another_incident() -> None:
    book = AlertBook("e", ALERTS)
    (before,) = incidents(refuted(book, 1), Cause.MISSING)
    step(book, 2)
    step(book, 3)
    actions = step(book, 4, [finding(4)])
    assert told(actions) == ["firing"]
    assert incidents(actions, Cause.MISSING)[0].id != before.id


def test_other_causes_fire_while_one_is_held_back() -> None:
    book = AlertBook("e", ALERTS)
    refuted(book, 1)
    assert told(step(book, 2, [finding(2), finding(2, cause=Cause.DRIFT)])) == ["firing"]


def test_a_muted_incident_is_made_and_kept_and_told_to_nobody() -> None:
    book = AlertBook("e", ALERTS)
    book.mute(rule(10), START)
    actions = [step(book, n, [finding(n)]) for n in range(1, 10)]
    assert incidents(actions[0], Cause.MISSING)[0].state is AlertState.FIRING
    assert incidents(actions[0], Cause.MISSING)[0].muted_until is not None
    assert [told(a) for a in actions] == [[]] * 9


def test_what_still_fires_when_a_mute_ends_is_told_then() -> None:
    book = AlertBook("e", ALERTS)
    book.mute(rule(10), START)
    for n in range(1, 10):
        step(book, n, [finding(n)])
    assert told(step(book, 10, [finding(10)])) == ["firing"]


def test_what_is_over_when_a_mute_ends_is_never_told() -> None:
    book = AlertBook("e", ALERTS)
    book.mute(rule(10), START)
    step(book, 1, [finding(1)])
    assert [told(step(book, n)) for n in range(2, 20)] == [[]] * 18


def test_what_was_told_before_a_mute_is_told_again_after_it() -> None:
    book = AlertBook("e", ALERTS)
    step(book, 1, [finding(1)])
    actions = book.mute(rule(5), START + MINUTE)
    assert actions is not None
    assert incidents(actions, Cause.MISSING)[0].muted_until is not None
    assert [told(step(book, n, [finding(n)])) for n in (2, 3, 4, 5, 6)] == [[], [], [], ["repeat"], []]


def test_what_got_graver_in_a_mute_is_told_as_changed_even_if_acknowledged() -> None:
    book = AlertBook("e", ALERTS)
    found = book.find(opened(book, step(book, 1, [finding(1)])))
    assert found is not None
    book.acknowledge(found, "ada", START + MINUTE)
    book.mute(rule(4), START + MINUTE)
    assert told(step(book, 2, [finding(2, live=0.9, weight=20.0)])) == []
    assert [told(step(book, n, [finding(n)])) for n in (3, 4)] == [[], ["changed"]]


def test_an_acknowledged_incident_that_did_not_change_is_not_told_after_a_mute() -> None:
    book = AlertBook("e", ALERTS)
    found = book.find(opened(book, step(book, 1, [finding(1)])))
    assert found is not None
    book.acknowledge(found, "ada", START + MINUTE)
    book.mute(rule(3), START + MINUTE)
    assert [told(step(book, n, [finding(n)])) for n in range(2, 20)] == [[]] * 18


def test_a_mute_of_one_feature_ends_when_another_joins_the_incident() -> None:
    book = AlertBook("e", ALERTS)
    book.mute(rule(100, feature="x"), START)
    assert told(step(book, 1, [finding(1)])) == []
    assert told(step(book, 2, [finding(2), finding(2, "y")])) == ["firing"]


def test_a_mute_of_one_cause_leaves_the_others() -> None:
    book = AlertBook("e", ALERTS)
    book.mute(rule(100, Cause.DRIFT), START)
    actions = step(book, 1, [finding(1), finding(1, cause=Cause.DRIFT)])
    assert [a.incident.cause for a in actions if isinstance(a, Notify)] == [Cause.MISSING]


def test_a_mute_into_the_past_lifts_the_one_of_the_same_scope() -> None:
    book = AlertBook("e", ALERTS)
    book.mute(rule(100), START)
    step(book, 1, [finding(1)])
    assert book.mute(rule(0), START + MINUTE) == []
    assert told(step(book, 2, [finding(2)])) == ["firing"]


def test_a_mute_into_the_past_without_one_to_lift_is_over() -> None:
    of = engine()
    firing(of)
    assert audit(decide(of, mute(1)))[0].effect is Effect.OVER


@pytest.mark.parametrize(
    ("rules", "features", "until"),
    [
        pytest.param([], ["x"], 0, id="without a mute"),
        pytest.param([rule(1), rule(2)], [], START + 2 * MINUTE, id="the longest counts"),
        pytest.param([rule(1, Cause.WILD)], [], 0, id="of another cause"),
        pytest.param([rule(1, feature="x")], [""], 0, id="the endpoint as a whole is no feature"),
        pytest.param([rule(1, feature="x"), rule(2, feature="y")], ["x", "y"], START + MINUTE, id="the first to end"),
        pytest.param(
            [rule(3), rule(1, feature="x")], ["x", "y"], START + 3 * MINUTE, id="all of it longer than a part"
        ),
        pytest.param([rule(1), rule(3, feature="x")], ["x"], START + 3 * MINUTE, id="a part longer than all of it"),
    ],
)
def test_how_long_nobody_is_told_follows_from_the_mutes(rules: list[MuteRule], features: list[str], until: int) -> None:
    assert muted_until(rules, Cause.DRIFT, features) == until


# The model is asked for no retraining because of what was refuted.


def retrained(decision: bool) -> bool:
    retraining = msgspec.structs.replace(HOW.retraining, after=300)
    how = msgspec.structs.replace(SETTINGS, endpoints=(msgspec.structs.replace(HOW, retraining=retraining),))
    of = engine(how)
    identity = firing(of)
    if decision:
        decide(of, refute(identity))
    return any(type(action).__name__ == "Retrain" for action in feed(of, range(4, 20)))


@pytest.mark.parametrize(("decision", "expected"), [(False, True), (True, False)])
def test_no_retraining_is_asked_for_what_was_a_false_alarm(decision: bool, expected: bool) -> None:
    assert retrained(decision) is expected


def test_what_was_no_fault_of_the_feed_is_not_left_out_of_a_retraining() -> None:
    of = engine()
    found = incidents(feed(of, range(4), ",5,a"), Cause.MISSING)[-1]
    assert Cause.MISSING in of.endpoints["e"].retraining.state.open
    decide(of, refute(found.id))
    assert Cause.MISSING not in of.endpoints["e"].retraining.state.open


# Accepting a new normal.


def test_an_open_drift_is_resolved_when_the_new_normal_is_accepted() -> None:
    of = engine()
    firing(of)
    actions = decide(of, accept(3))
    assert [(i.state, i.verdict) for i in incidents(actions)] == [(AlertState.RESOLVED, Verdict.NEW_NORMAL)]


def test_the_new_normal_begins_with_the_first_window_that_has_no_record_yet() -> None:
    of = engine()
    feed(of, range(4))
    (document,) = audit(decide(of, accept(0)))
    assert document.begins is not None
    assert document.begins.timestamp() * 1000 == START + 4 * MINUTE


def test_a_new_normal_may_begin_later() -> None:
    of = engine()
    feed(of, range(4))
    (document,) = audit(decide(of, accept(10)))
    assert document.begins is not None
    assert document.begins.timestamp() * 1000 == START + 10 * MINUTE


def test_after_the_boundary_a_baseline_is_learned_and_what_was_drift_is_none() -> None:
    of = engine()
    feed(of, range(4))
    decide(of, accept(3))
    later = feed(of, range(4, 30))
    assert told(later) == []
    states = {d.window_start.minute: d.state for d in windows(later)}
    assert (states[3], states[4]) == (State.BROKEN, State.LEARNING)
    assert State.LEARNING not in [states[n] for n in range(6, 28)]


def test_what_drifts_from_the_new_normal_fires() -> None:
    of = engine()
    feed(of, range(4))
    decide(of, accept(3))
    for n in range(4, 12):
        feed(of, [n], ("9,9,a\n9.5,9.5,a\n9.2,9.9,b" * 1))
    assert "firing" in told(feed(of, range(12, 16), "1,1,a"))


def test_until_the_boundary_the_old_baseline_judges_and_drift_is_held_back() -> None:
    of = engine()
    feed(of, range(4))
    decide(of, accept(10))
    later = feed(of, range(4, 11))
    assert told(later) == []
    assert {d.state for d in windows(later)} == {State.BROKEN}


def test_a_late_record_revises_a_window_of_before_under_its_old_baseline() -> None:
    of = engine()
    feed(of, range(4))
    decide(of, accept(3))
    since, until = (START + 4 * MINUTE + seconds * 1000 for seconds in (-10, 6))
    first = of.ingest(batch(capture("5,5,a", "5", at=until, event_id="on", endpoint="e"), first=50), NOW)
    late = capture("9.9,9.9,a", "5", at=since, event_id="late", endpoint="e")
    later = of.ingest(batch(late, first=100), NOW) + feed(of, range(5, 8))
    revised = [d for d in windows(first + later) if d.window_start.minute == 3]
    assert len({d.id for d in revised}) == 1
    assert (revised[-1].late, revised[-1].revision) == (1, revised[0].revision + 1)


def test_an_ended_generation_is_let_go() -> None:
    of = engine()
    feed(of, range(4))
    decide(of, accept(3))
    feed(of, range(4, 10))
    assert [track.begins_at for track in of.endpoints["e"].tracks.values()] == [START + 4 * MINUTE]


def test_a_new_normal_accepted_before_another_one_begins_comes_first() -> None:
    of = engine()
    feed(of, range(4))
    decide(of, accept(20, 0))
    decide(of, accept(10, 1))
    tracks = of.endpoints["e"].tracks.values()
    spans = [((t.begins_at - START) // MINUTE, (t.ends_at - START) // MINUTE) for t in tracks if t.begins_at]
    assert (spans[0], spans[1][0]) == ((10, 20), 20)
    assert [d.records for d in windows(feed(of, range(4, 30)))] == [1] * 26


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3 * 60), st.sampled_from("ab")), max_size=40), st.integers(1, 7))
def test_what_is_learned_after_the_boundary_does_not_depend_on_batches(
    records: list[tuple[int, str]], size: int
) -> None:
    lines = [
        capture(f"{seconds % 9},{n % 7},a", "5", at=START + 3 * MINUTE + seconds * 1000, event_id=f"r{n}", endpoint="e")
        for n, (seconds, _) in enumerate(records)
    ]

    def outcome(batches: list[tuple[str, list[int]]]) -> dict[str, bytes]:
        of = engine()
        of.begin("b")
        feed(of, range(4))
        decide(of, accept(3))
        actions: list[Action] = []
        for shard, mine in batches:
            actions += of.ingest(batch(*(lines[i] for i in mine), shard=shard, first=100 + mine[0]), NOW)
        newest = [a.document for a in [*actions, *of.finish()] if isinstance(a, Index)]
        return {d.id: msgspec.json.encode(d) for d in newest if not isinstance(d, Incident)}

    shards = {shard: [i for i, (_, of) in enumerate(records) if of == shard] for shard in "ab"}
    whole = [("shard-0" if s == "a" else s, mine) for s, mine in shards.items() if mine]
    pieces = [(s, mine[i : i + size]) for s, mine in whole for i in range(0, len(mine), size)]
    pieces.sort(key=lambda piece: piece[1])
    assert outcome(whole) == outcome(pieces)


# Versions.


def test_an_added_version_is_stamped_from_the_first_window_on_that_has_no_record_yet() -> None:
    of = engine()
    feed(of, range(4), "5,5,a")
    decide(of, add_version("2", 0))
    found = [(d.window_start.minute, d.model_version) for d in windows(feed(of, range(4, 8), "5,5,a")) if d.records]
    assert found == [(2, ""), (3, ""), (4, "2"), (5, "2")]


def test_an_added_version_is_held_against_its_own_baseline() -> None:
    own = baseline(number("x"))
    of = engine()
    feed(of, range(4), "5,5,a")
    of.decide_on(add_version("2", 4, 0, "somewhere", own.id), own)
    assert [d.baseline for d in windows(feed(of, range(4, 7), "5")) if d.model_version == "2"][-1] == own.id


@pytest.mark.parametrize("found", [None, baseline(number("other"))])
def test_a_version_is_not_added_with_another_baseline_than_was_meant(found: object) -> None:
    of = engine()
    given = found if found is None else baseline(number("other"))
    actions = of.decide_on(add_version("2", 4, 0, "somewhere", baseline().id), given)
    assert audit(actions)[0].effect is Effect.NO_BASELINE


def test_a_version_that_records_named_already_is_known() -> None:
    of = engine()
    feed(of, range(2), modelVersion="7")
    assert audit(decide(of, add_version("7", 0)))[0].effect is Effect.KNOWN


def test_a_configured_version_is_known() -> None:
    how = msgspec.structs.replace(HOW, versions=(VersionSettings(id="1", from_at=START),))
    of = engine(msgspec.structs.replace(SETTINGS, endpoints=(how,)))
    assert audit(decide(of, add_version("1", 0)))[0].effect is Effect.KNOWN


def test_a_version_that_is_configured_by_now_holds_as_it_is_configured() -> None:
    of = engine()
    feed(of, range(2), "5,5,a")
    decide(of, add_version("2", 5))
    how = msgspec.structs.replace(HOW, versions=(VersionSettings(id="2", from_at=START + 9 * MINUTE),))
    again = Engine.restore(msgspec.structs.replace(SETTINGS, endpoints=(how,)), BASELINES, of.snapshot())
    assert again.endpoints["e"].tracks.versions == how.versions


def test_a_version_after_a_new_normal_is_held_against_its_own_baseline() -> None:
    own = baseline(number("x"))
    of = engine()
    feed(of, range(4))
    decide(of, accept(3))
    of.decide_on(add_version("2", 6, 1, "somewhere", own.id), own)
    found = windows(feed(of, range(4, 10), "5"))
    assert {d.baseline for d in found if d.model_version == "2"} == {own.id}


def test_a_version_without_a_baseline_learns_the_new_normal() -> None:
    of = engine()
    feed(of, range(4))
    decide(of, accept(3))
    decide(of, add_version("2", 6, 1))
    first = next(d for d in windows(feed(of, range(4, 10))) if d.model_version == "2")
    assert first.state is State.LEARNING


@pytest.mark.parametrize(("asleep", "ignored"), [(False, 1), (True, 0)])
def test_a_key_that_sleeps_makes_room_for_another(asleep: bool, ignored: int) -> None:
    of = engine(msgspec.structs.replace(SETTINGS, max_tracks=2))
    feed(of, range(1), modelVersion="1")
    feed(of, range(1, 12) if asleep else range(1, 2), modelVersion="2")
    feed(of, [12], modelVersion="3")
    assert of.totals.ignored == ignored


# Decisions between windows, a stop anywhere.

OWN = baseline(number("x"), number("y"))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("records"), st.sampled_from("dnmv"), st.integers(0, 1)),
        st.tuples(
            st.sampled_from(["ack", "refute", "mute", "accept", "version"]), st.integers(-3, 6), st.integers(0, 2)
        ),
    ),
    min_size=2,
    max_size=40,
)


class Walk:
    """Carries out steps on an engine, at one minute after the other."""

    def __init__(self) -> None:
        self.engine = engine()
        self.actions: list[Action] = []
        self.minute = 0
        self.last = "f" * 32

    def step(self, n: int, step: tuple[str, str, int] | tuple[str, int, int]) -> None:
        what, argument, choice = step
        if what == "records":
            self.records(str(argument), choice)
        else:
            decision = self.decision(n, what, int(argument), choice)
            self.actions += self.engine.decide_on(decision, OWN if choice else None)
        self.last = next((i.id for i in reversed(incidents(self.actions))), self.last)

    def records(self, kind: str, skew: int) -> None:
        value = {"d": "9.9,9.9,a", "n": "5,5,a", "m": ",5,a", "v": "1,1,b"}[kind]
        lines = [minute(self.minute, value, **({"modelVersion": "7"} if kind == "v" else {}))]
        if skew and self.minute:
            at = START + self.minute * MINUTE - 7_000
            lines.append(capture(value, "5", at=at, event_id=f"late{self.minute}", endpoint="e"))
        self.actions += self.engine.ingest(batch(*lines, first=self.minute * 2), NOW)
        self.minute += 1

    def decision(self, n: int, what: str, minutes: int, choice: int) -> Decision:
        match what:
            case "ack":
                return acknowledge(self.last, n)
            case "refute":
                return refute(self.last, n)
            case "mute":
                return mute(
                    self.minute + minutes, [None, Cause.DRIFT, Cause.MISSING][choice], [None, "x"][choice % 2], n
                )
            case "accept":
                return accept(max(self.minute + minutes, 0), n)
            case _:
                path, identity = ("somewhere", OWN.id) if choice else ("", "")
                return add_version(str(7 + choice), max(self.minute + minutes, 0), n, path, identity)

    def restart(self) -> None:
        chunks = self.engine.snapshot()
        self.engine = Engine.restore(SETTINGS, BASELINES, chunks)
        assert self.engine.snapshot() == chunks

    def outcome(self) -> list[bytes]:
        lines = []
        for action in [*self.actions, *self.engine.finish()]:
            match action:
                case Index(DecisionDocument() as document):
                    lines.append(msgspec.json.encode(document))
                case Index(FeatureDocument() | EndpointDocument() | Incident() as document):
                    lines.append(encode(document))
                case Notify(identity, incident, why):
                    lines.append(identity.encode() + why.encode() + encode(incident))
                case Reject(letter):
                    lines.append(encode(letter))
        return lines


@settings(max_examples=60, deadline=None)
@given(steps, st.lists(st.integers(0, 39), max_size=3))
def test_decisions_between_windows_stopped_anywhere_are_as_if_never_stopped(
    several: list[tuple[str, str, int] | tuple[str, int, int]], stops: list[int]
) -> None:
    never, stopped = Walk(), Walk()
    for n, one in enumerate(several):
        never.step(n, one)
        if n in stops:
            stopped.restart()
        stopped.step(n, one)
    totals = stopped.engine.totals
    assert stopped.outcome() == never.outcome()
    assert totals.accounted == totals.records


@settings(max_examples=40, deadline=None)
@given(steps)
def test_whatever_is_decided_no_record_is_lost_from_the_windows(
    several: list[tuple[str, str, int] | tuple[str, int, int]],
) -> None:
    walk = Walk()
    for n, one in enumerate(several):
        walk.step(n, one)
    walk.actions += walk.engine.finish()
    newest = {d.id: d for d in windows(walk.actions)}
    accepted = walk.engine.totals.accepted + walk.engine.totals.late_revised
    assert sum(d.records + d.late for d in newest.values()) == accepted
