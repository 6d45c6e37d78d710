"""The promises of the engine: accounting, determinism, lateness, snapshots."""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.baseline.model import Baseline
from streamer.core.documents import encode
from streamer.core.engine import Engine
from streamer.core.errors import Reason
from streamer.core.schema import Side
from streamer.core.settings import DetectorSettings, EndpointSettings, EngineSettings, Rules, Spans, VersionSettings
from streamer.core.types import (
    Action,
    Batch,
    DeadLetter,
    EndpointDocument,
    FeatureDocument,
    Index,
    Notify,
    Reject,
    ShardId,
    State,
)
from tests.strategies import NOW, START, baseline, batch, capture, category, number

SPANS = Spans(pane=10, window=60, offset=0, lateness=30)
RULES = Rules(minimum_rows=2, psi=0.2, mean_shift=0.5)
TREES = DetectorSettings(
    name="trees",
    kind="half_space_trees",
    watches="rows",
    parameters={"window_size": 4, "calibration_rows": 3, "n_trees": 3, "height": 2, "quantile": 0.5, "least_rise": 0.1},
)


def detector(kind: str, feature: str, watches: str, **parameters: bool | float | str) -> DetectorSettings:
    return DetectorSettings(name=kind, kind=kind, feature=feature, watches=watches, parameters=parameters)


# All that are soon ready, so that there is a state to be lost.
DETECTORS = (
    detector("adwin", "x", "values", grace_period=1, clock=1, delta=0.9, min_window_length=1),
    detector("kswin", "y", "values", window_size=6, stat_size=3, alpha=0.3),
    detector("page_hinkley", "x", "mean", min_instances=2, threshold=0.2),
    detector("hddm_a", "y", "missing", drift_confidence=0.9),
    detector("hddm_w", "score", "mean", drift_confidence=0.9, lambda_val=0.5, two_sided_test=True),
    TREES,
)
KNOWN = EndpointSettings(name="known", spans=SPANS, rules=RULES, false_alarm_seconds=2_592_000, detectors=DETECTORS)
LEARNED = EndpointSettings(
    name="learned",
    spans=SPANS,
    rules=RULES,
    burn_in_rows=6,
    false_alarm_seconds=2_592_000,
    detectors=(detector("page_hinkley", "_c0", "values", min_instances=2, threshold=1.0), TREES),
)
SETTINGS = EngineSettings(endpoints=(KNOWN, LEARNED), unknown=LEARNED, out_of_orderness_seconds=5)
BASELINES = {("known", ""): baseline()}


class Outcome(NamedTuple):
    """What a run leaves behind: newest documents, alerts in order, letters in any order, totals."""

    documents: dict[str, bytes]
    alerts: list[bytes]
    letters: list[str]
    totals: str


def outcome(engine: Engine, actions: Iterable[Action]) -> Outcome:
    newest: dict[str, FeatureDocument | EndpointDocument] = {}
    alerts: list[bytes] = []
    letters: list[str] = []
    for action in actions:
        match action:
            case Index(FeatureDocument() | EndpointDocument() as document):
                if document.id not in newest or newest[document.id].revision <= document.revision:
                    newest[document.id] = document
            case Notify(identity, incident, why):
                alerts.append(identity.encode() + why.encode() + encode(incident))
            case Reject(letter):
                letters.append(letter.id)
    totals = json.dumps(
        {name: getattr(engine.totals, name) for name in engine.totals.__struct_fields__}, sort_keys=True
    )
    return Outcome({i: encode(d) for i, d in sorted(newest.items())}, alerts, sorted(letters), totals)


def run(batches: Sequence[Batch], shards: Sequence[str] = ("shard-0",), how: EngineSettings = SETTINGS) -> Outcome:
    engine = Engine(how, BASELINES)
    for shard in shards:
        engine.begin(shard)
    actions: list[Action] = []
    for records in batches:
        actions += engine.ingest(records, NOW)
    actions += engine.finish()
    assert engine.totals.accounted == engine.totals.records
    return outcome(engine, actions)


def documents(batches: Sequence[Batch], how: EngineSettings = SETTINGS) -> list[dict[str, object]]:
    return [json.loads(text) for text in run(batches, how=how).documents.values()]


def record(seconds: int, event_id: str, data: str = "1,2,a", endpoint: str = "known", **more: str) -> bytes:
    return capture(data, at=START + seconds * 1000, event_id=event_id, endpoint=endpoint, **more)


def endpoint_windows(found: list[dict[str, object]], endpoint: str = "known") -> list[dict[str, object]]:
    mine = [d for d in found if d["kind"] == "endpoint" and d["endpoint"] == endpoint]
    return sorted(mine, key=lambda d: str(d["window_start"]))


def test_a_window_is_written_once_per_feature_and_once_for_the_endpoint() -> None:
    found = documents([batch(record(0, "a"), record(1, "b"), record(70, "c"))])
    first = [d for d in found if d["window_start"] == "2026-01-05T09:00:00Z"]
    assert sorted(str(d.get("feature", "")) for d in first) == ["", "k", "score", "x", "y"]
    window = endpoint_windows(found)[0]
    assert (window["records"], window["rows"], window["complete"]) == (2, 2, True)


def test_the_last_window_of_a_replay_is_marked_incomplete() -> None:
    found = endpoint_windows(documents([batch(record(0, "a"), record(70, "b"))]))
    assert [d["complete"] for d in found] == [True, False]


def test_a_known_endpoint_closes_empty_windows_too() -> None:
    found = endpoint_windows(documents([batch(record(0, "a"), record(250, "b"))]))
    assert [d["records"] for d in found] == [1, 0, 0, 0, 1]


def test_years_without_a_record_do_not_make_a_document_for_every_window() -> None:
    found = endpoint_windows(documents([batch(record(0, "a"), record(86_400 * 300, "b"))]))
    assert len(found) < 1_010
    assert sum(int(str(d["skipped_windows"])) for d in found) + len(found) == 86_400 * 300 // 60 + 1


def test_a_late_record_revises_the_window_and_is_no_part_of_what_was_decided() -> None:
    found = endpoint_windows(documents([batch(record(0, "a"), record(70, "b"), record(50, "late"))]))
    assert (found[0]["records"], found[0]["late"], found[0]["revision"]) == (1, 1, 2)


def test_a_record_later_than_the_lateness_is_counted_and_dead_lettered() -> None:
    engine = Engine(SETTINGS, BASELINES)
    actions = engine.ingest(batch(record(0, "a"), record(200, "b"), record(1, "gone")), NOW)
    letters = [a.letter for a in actions if isinstance(a, Reject)]
    assert [(letter.reason, letter.position) for letter in letters] == [(Reason.LATE, "00000002")]
    assert engine.totals.late_dropped == 1


def test_a_repeated_record_counts_once() -> None:
    engine = Engine(SETTINGS, BASELINES)
    engine.ingest(batch(record(0, "a"), record(0, "a")), NOW)
    engine.ingest(batch(record(0, "a"), first=2), NOW)
    assert (engine.totals.accepted, engine.totals.duplicate) == (1, 2)


def test_one_unreadable_side_leaves_the_other_and_is_told() -> None:
    engine = Engine(SETTINGS, BASELINES)
    payload = capture("1,2,a", "0.5,0.6", at=START, endpoint="known")
    actions = engine.ingest(batch(payload), NOW)
    letters = [a.letter for a in actions if isinstance(a, Reject)]
    assert [(letter.reason, letter.side) for letter in letters] == [(Reason.COLUMN_COUNT, "output")]
    assert (engine.totals.accepted, engine.totals.partial) == (1, {"column-count": 1})


def test_a_record_with_no_readable_side_is_invalid_and_has_one_letter() -> None:
    engine = Engine(SETTINGS, BASELINES)
    actions = engine.ingest(batch(capture("1,2", "0.5,0.6", at=START, endpoint="known")), NOW)
    assert [a.letter.side for a in actions if isinstance(a, Reject)] == [None]
    assert engine.totals.invalid == {"column-count": 1}


def test_a_letter_says_where_and_never_what() -> None:
    engine = Engine(SETTINGS, BASELINES)
    (action,) = engine.ingest(batch(b"canary-4711"), NOW)
    assert isinstance(action, Reject)
    assert isinstance(action.letter, DeadLetter)
    assert b"canary" not in encode(action.letter)
    assert action.letter.size_bytes == 11


def test_unreadable_records_count_in_the_window_their_shard_stood_in() -> None:
    found = endpoint_windows(
        documents([batch(record(0, "a"), b"junk", record(70, "b"), keys=["known/AllTraffic"] * 3)])
    )
    assert [d["invalid"] for d in found] == [1, 0]


def test_unreadable_records_are_held_against_nobody_the_configuration_does_not_name() -> None:
    found = documents(
        [batch(b"junk", record(0, "a", endpoint="stranger"), b"junk", record(70, "b"), keys=["stranger/V"] * 4)]
    )
    assert [d["invalid"] for d in endpoint_windows(found, "stranger")] == [0]


def test_unreadable_records_are_held_against_the_endpoint_of_records_that_name_none() -> None:
    good = [capture("1", None, at=START + s * 1000, event_id=str(s)) for s in (0, 70)]
    found = documents([batch(good[0], b"junk", good[1])], EngineSettings(endpoint="only"))
    assert [d["invalid"] for d in endpoint_windows(found, "only")] == [1]


def test_an_endpoint_that_is_not_configured_is_ignored_when_told_so() -> None:
    how = EngineSettings(endpoints=(KNOWN,), learn_unknown=False)
    engine = Engine(how, BASELINES)
    engine.ingest(batch(record(0, "a", endpoint="stranger")), NOW)
    assert (engine.totals.ignored, engine.endpoints) == (1, {})


def test_more_endpoints_than_allowed_are_ignored_but_configured_ones_never() -> None:
    how = EngineSettings(endpoints=(KNOWN,), max_endpoints=2)
    engine = Engine(how, BASELINES)
    engine.ingest(batch(*(record(0, "a", endpoint=name) for name in ("one", "two", "known"))), NOW)
    assert (engine.totals.ignored, sorted(engine.endpoints)) == (1, ["known", "one"])


def test_who_is_watched_besides_does_not_depend_on_whether_a_configured_endpoint_came_first() -> None:
    how = EngineSettings(endpoints=(KNOWN, LEARNED), max_endpoints=3)
    names = ("one", "known", "two", "learned")
    for order in (names, ("known", "learned", "one", "two")):
        engine = Engine(how, BASELINES)
        for i, name in enumerate(order):
            engine.ingest(batch(record(0, "a", endpoint=name), first=i), NOW)
        assert sorted(engine.endpoints) == ["known", "learned", "one"]
    engine = Engine.restore(how, BASELINES, engine.snapshot())
    engine.ingest(batch(record(0, "b", endpoint="two"), first=9), NOW)
    assert "two" not in engine.endpoints


def test_more_variants_and_versions_than_allowed_are_ignored() -> None:
    how = EngineSettings(endpoints=(KNOWN,), max_tracks=2)
    engine = Engine(how, BASELINES)
    engine.ingest(batch(*(record(0, "a", modelVersion=str(i)) for i in range(5))), NOW)
    assert engine.totals.ignored == 3


def test_a_configured_version_is_stamped_from_its_time_on() -> None:
    versions = (VersionSettings(id="1", from_at=START), VersionSettings(id="2", from_at=START + 60_000))
    how = EngineSettings(endpoints=(EndpointSettings(name="known", spans=SPANS, rules=RULES, versions=versions),))
    found = endpoint_windows(
        documents([batch(record(0, "a"), record(65, "b"), record(66, "c", modelVersion="x"))], how)
    )
    assert sorted({(d["window_start"], d["model_version"]) for d in found if d["records"]}) == [
        ("2026-01-05T09:00:00Z", "1"),
        ("2026-01-05T09:01:00Z", "2"),
        ("2026-01-05T09:01:00Z", "x"),
    ]


def test_without_a_baseline_one_is_learned_at_a_windows_end_and_the_state_says_so() -> None:
    records = [record(i * 10, str(i), f"{i % 5},{i % 3},{'ab'[i % 2]}", "learned") for i in range(20)]
    found = documents([batch(*records)])
    windows = endpoint_windows(found, "learned")
    assert [d["state"] == State.LEARNING for d in windows] == [True, False, False, False]
    learned = {d["feature"] for d in found if d["kind"] == "feature" and d["endpoint"] == "learned"}
    assert learned == {"_c0", "_c1", "_c2", "output_0"}


def test_late_rows_around_the_end_of_a_burn_in_are_held_against_what_was_learned_whatever_the_batches() -> None:
    def one(seconds: int, event_id: str) -> bytes:
        return record(seconds, event_id, f"{seconds % 5},{seconds % 3},a", "learned")

    records = [one(s, str(s)) for s in range(90)] + [one(61, "late"), one(130, "z")]
    together = documents([batch(*records)])
    apart = documents([batch(payload, first=i) for i, payload in enumerate(records)])
    assert together == apart
    second = [d for d in together if d["window_start"] == "2026-01-05T09:01:00Z" and d["kind"] == "feature"]
    assert {d["rows"] for d in second if d["endpoint"] == "learned"} == {31}


def test_values_far_outside_the_baseline_raise_an_alert() -> None:
    wild = [record(i, str(i), "900,2,a") for i in range(30)]
    found = run([batch(*wild, record(70, "z"))])
    assert any(b"wild" in alert for alert in found.alerts)


# Records of three shards: (seconds, identity, which kind of record), over many windows or around the end of a burn-in.
events = st.one_of(
    st.lists(
        st.tuples(st.integers(0, 900), st.integers(0, 30), st.sampled_from("nnnnnnwlljtpovvsxqrh")),
        min_size=1,
        max_size=40,
    ),
    # Enough to learn from in the first window, and what may be late in the next.
    st.lists(st.tuples(st.integers(50, 150), st.integers(0, 30), st.sampled_from("lllllqsxjyzrrhh")), max_size=25).map(
        lambda more: [(i * 9, i, "l") for i in range(6)] + more
    ),
)


def made(seconds: int, identity: int, kind: str) -> bytes:
    name = f"{seconds}-{identity}"
    match kind:
        case "w":
            return record(seconds, name, "900,2,zz")
        case "l":
            return record(seconds, name, f"{identity % 4},{identity},{'ab'[identity % 2]}", "learned")
        case "j" | "x":
            return b"junk %d" % identity
        case "s":
            return record(seconds, name, f"{identity % 3},{identity},x", "stranger")
        case "y":
            return json.dumps({"endpoint": "stranger" if identity % 2 else "learned", "capture": {}}).encode()
        case "z":
            return record(seconds, name, endpoint="learned").replace(b"2026-01", b"2026-13")
        case "q":
            return record(seconds, name, '"', "learned")
        case "r":
            # Other shapes than are learned: fewer cells, more, names, an empty row.
            shapes = ("1,2", "1,2,a,4", '[{"_c0": 1, "other": 2}]', "[{}]", "_c0,_c1,_c2\n1,2,a")
            data = shapes[identity % 5]
            return record(seconds, name, data, "learned", encoding="JSON" if data[0] == "[" else "CSV")
        case "h":
            at = START + seconds * 1000
            return capture("1,2,a", "1,2" if identity % 2 else '"', at=at, event_id=name, endpoint="learned")
        case "t":
            return record(seconds, name, "1,2\n3,4,a")
        case "p":
            return capture("1,2,a", "1,2,3", at=START + seconds * 1000, event_id=name, endpoint="known")
        case "v":
            return record(seconds, name, modelVersion="2" if seconds < 450 else "3")
        case "o":
            return record(10**9, name)
        case _:
            return record(seconds, name, f"{identity % 10},{identity % 7},a\n{identity % 3},,b")


@st.composite
def interleavings(draw: st.DrawFn) -> tuple[list[Batch], list[Batch]]:
    """The same records of three shards twice: in two interleavings and with two sets of batch bounds."""
    spread = draw(st.sampled_from([9, 31]))
    shards = {}
    for name in "abc":
        several = sorted(draw(events), key=lambda e: e[0] + e[1] % spread)
        # Junk says by its partition key alone whom it is from.
        shards[name] = [(made(*e), "stranger/V" if e[2] == "x" else "known/AllTraffic") for e in several]
    return _shuffled(draw, shards), _shuffled(draw, shards)


def _shuffled(draw: st.DrawFn, shards: dict[str, list[tuple[bytes, str]]]) -> list[Batch]:
    at = dict.fromkeys(shards, 0)
    batches = []
    while any(at[name] < len(shards[name]) for name in shards):
        name = draw(st.sampled_from([n for n in shards if at[n] < len(shards[n])]))
        size = draw(st.sampled_from([1, 2, 3, 5, 12, 40]))
        mine = shards[name][at[name] : at[name] + size]
        batches.append(
            batch(*(payload for payload, _ in mine), shard=name, first=at[name], keys=[key for _, key in mine])
        )
        at[name] += len(mine)
    return batches


@settings(max_examples=60, deadline=None)
@given(interleavings())
def test_any_interleaving_of_shards_and_any_batch_bounds_give_the_same_bytes(
    pair: tuple[list[Batch], list[Batch]],
) -> None:
    one, other = pair
    assert run(one, "abc") == run(other, "abc")


@settings(max_examples=60, deadline=None)
@given(interleavings(), st.integers(0, 30))
def test_stopped_anywhere_and_restored_it_is_as_if_never_stopped(
    pair: tuple[list[Batch], list[Batch]], stop: int
) -> None:
    batches = pair[0]
    engine = Engine(SETTINGS, BASELINES)
    for shard in "abc":
        engine.begin(shard)
    actions: list[Action] = []
    for i, records in enumerate(batches):
        if i == stop % len(batches):
            blobs = engine.snapshot()
            engine = Engine.restore(SETTINGS, BASELINES, blobs)
            assert engine.snapshot() == blobs
        actions += engine.ingest(records, NOW)
    actions += engine.finish()
    assert outcome(engine, actions) == run(batches, "abc")


def changed(how: EngineSettings, known: dict[tuple[str, str], Baseline]) -> tuple[Engine, list[dict[str, object]]]:
    """A run that is stopped in its second window and goes on under another configuration."""
    engine = Engine(SETTINGS, BASELINES)
    actions = engine.ingest(batch(*(record(s, str(s)) for s in range(0, 100, 5))), NOW)
    engine = Engine.restore(how, known, engine.snapshot())
    actions += engine.ingest(batch(*(record(s, str(s)) for s in range(100, 250, 5)), first=20), NOW)
    actions += engine.finish()
    assert engine.totals.accounted == engine.totals.records == 50
    return engine, [json.loads(text) for text in outcome(engine, actions).documents.values()]


def test_another_baseline_is_judged_by_from_the_next_window_on_and_no_record_is_lost() -> None:
    other = baseline(number("x"), number("y"), category("k", "abcd"), number("score", Side.OUTPUT))
    engine, found = changed(SETTINGS, {("known", ""): other})
    windows = endpoint_windows(found)
    assert [d["records"] for d in windows] == [12, 12, 12, 12, 2]
    assert [d["baseline"] for d in windows] == [baseline().id, "", other.id, other.id, other.id]
    assert windows[1]["state"] == State.LEARNING
    (said,) = engine.endpoints["known"].restarted
    assert said == "variant AllTraffic has another baseline: it is judged from 2026-01-05T09:02:00Z on"
    assert engine.endpoints["known"].tracks.values()[0].since_at == START + 120_000


def test_a_baseline_taken_away_is_learned_anew() -> None:
    engine, found = changed(SETTINGS, {})
    assert [d["records"] for d in endpoint_windows(found)] == [12, 12, 12, 12, 2]
    assert len(engine.endpoints["known"].restarted) == 1


def test_other_spans_begin_anew_and_say_so() -> None:
    longer = msgspec.structs.replace(KNOWN, spans=Spans(pane=20, window=120, offset=0, lateness=30))
    how = msgspec.structs.replace(SETTINGS, endpoints=(longer, LEARNED))
    engine, found = changed(how, BASELINES)
    assert engine.endpoints["known"].restarted == (
        "its panes or windows have another length: everything is summarised anew",
    )
    judged = [d for d in endpoint_windows(found) if d["baseline"] and str(d["window_end"]) > "2026-01-05T09:02:00Z"]
    assert {str(d["window_start"]) for d in judged} == {"2026-01-05T09:02:00Z", "2026-01-05T09:04:00Z"}


def test_other_rules_and_lateness_restart_nothing() -> None:
    stricter = msgspec.structs.replace(KNOWN, rules=Rules(), spans=msgspec.structs.replace(SPANS, lateness=10))
    how = msgspec.structs.replace(SETTINGS, endpoints=(stricter, LEARNED))
    engine, found = changed(how, BASELINES)
    assert engine.endpoints["known"].restarted == ()
    assert all(d["baseline"] for d in endpoint_windows(found))


def test_a_snapshot_taken_in_slices_shows_the_moment_it_began() -> None:
    one = EndpointSettings(name="one", spans=SPANS, rules=RULES)
    other = EndpointSettings(name="other", spans=SPANS, rules=RULES)
    how = EngineSettings(endpoints=(one, other))
    known = {("one", ""): baseline(), ("other", ""): baseline()}
    engine = Engine(how, known)
    engine.ingest(batch(record(0, "a", endpoint="one"), record(0, "b", endpoint="other")), NOW)
    expected = engine.snapshot()
    engine.change(["one", "other"])
    freezing = engine.freeze()
    assert not freezing.advance(1)
    engine.ingest(batch(record(200, "c", endpoint="one"), record(200, "d", endpoint="other"), first=2), NOW)
    assert freezing.advance(9)
    assert freezing.chunks == expected
    assert engine.freeze().unchanged == frozenset()


def test_a_snapshot_holds_only_what_changed_since_the_last() -> None:
    engine = Engine(SETTINGS, BASELINES)
    engine.ingest(batch(record(0, "a"), record(0, "b", endpoint="learned")), NOW)
    assert engine.freeze().advance(9)
    engine.ingest(batch(record(1, "c"), first=2), NOW)
    freezing = engine.freeze()
    freezing.advance(9)
    assert sorted(freezing.chunks) == ["endpoint/known", "stream"]
    assert freezing.unchanged == {"endpoint/learned"}
    engine.change(["learned"])
    assert engine.freeze().unchanged == {"endpoint/known"}


def test_an_idle_shard_lets_the_last_window_close() -> None:
    engine = Engine(SETTINGS, BASELINES)
    now = START + 1_000
    engine.ingest(batch(record(0, "a"), record(1, "b")), now)
    closed: list[Action] = []
    for _ in range(20):
        now += 10_000
        closed += engine.empty(ShardId("shard-0"), now)
    assert any(isinstance(a, Index) and isinstance(a.document, EndpointDocument) for a in closed)


def test_another_budget_begins_the_evidence_anew_and_says_so() -> None:
    asked = msgspec.structs.replace(KNOWN, false_alarm_seconds=86_400)
    engine, found = changed(msgspec.structs.replace(SETTINGS, endpoints=(asked, LEARNED)), BASELINES)
    (said,) = engine.endpoints["known"].restarted
    assert "evidence of drift begins anew" in said
    assert [d["records"] for d in endpoint_windows(found)] == [12, 12, 12, 12, 2]
