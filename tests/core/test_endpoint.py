"""What becomes of an endpoint over many windows: silence, unreadable traffic, sleeping versions."""

import json
from collections.abc import Iterable

import msgspec

from streamer.core.engine import Engine
from streamer.core.outbox import encode_actions
from streamer.core.settings import EndpointSettings, EngineSettings, Rules, Spans
from streamer.core.types import Action, Cause, EndpointDocument, Index, Notify
from tests.strategies import NOW, START, baseline, batch, capture

SPANS = Spans(pane=10, window=60, offset=0, lateness=30)
ONE = EndpointSettings(name="one", spans=SPANS, rules=Rules(minimum_rows=5))
OTHER = EndpointSettings(name="other", spans=SPANS, rules=Rules(minimum_rows=5))
SETTINGS = EngineSettings(endpoints=(ONE, OTHER))


def record(seconds: int, event_id: str, endpoint: str = "one", data: str = "1,2,a", **more: str) -> bytes:
    return capture(data, at=START + seconds * 1000, event_id=f"{endpoint}-{event_id}", endpoint=endpoint, **more)


def run(records: Iterable[bytes], settings: EngineSettings = SETTINGS, size: int = 100) -> tuple[Engine, list[Action]]:
    engine = Engine(settings, {(e.name, ""): baseline() for e in settings.endpoints})
    actions: list[Action] = []
    payloads = list(records)
    for first in range(0, len(payloads), size):
        keys = ["one/AllTraffic"] * len(payloads[first : first + size])
        actions += engine.ingest(batch(*payloads[first : first + size], first=first, keys=keys), NOW)
    actions += engine.finish()
    assert engine.totals.accounted == engine.totals.records
    return engine, actions


def told(actions: list[Action]) -> list[tuple[Cause, str]]:
    return [(a.incident.cause, a.why) for a in actions if isinstance(a, Notify)]


def windows(actions: list[Action], endpoint: str = "one") -> list[EndpointDocument]:
    found: dict[str, EndpointDocument] = {}
    for a in actions:
        if isinstance(a, Index) and isinstance(a.document, EndpointDocument) and a.document.endpoint == endpoint:
            found[a.document.id] = a.document
    return sorted(found.values(), key=lambda d: (d.window_start, d.model_version))


def steady(first: int, last: int, endpoint: str = "one", step: int = 5, **more: str) -> list[bytes]:
    return [record(s, str(s), endpoint, **more) for s in range(first, last, step)]


def test_an_endpoint_of_which_nothing_can_be_read_says_so_without_ever_having_a_row() -> None:
    both = [capture("1,2", "1,2", at=START + s * 1000, event_id=str(s), endpoint="one") for s in range(0, 300, 5)]
    _, actions = run(both + steady(300, 420, "other"))
    assert told(actions)[0] == (Cause.UNREADABLE, "firing")


def test_an_endpoint_whose_inputs_gained_a_column_says_so_while_scores_still_come() -> None:
    wider = [record(s, str(s), data="1,2,a,9") for s in range(300, 600, 5)]
    _, actions = run(steady(0, 300) + wider + steady(600, 660))
    assert told(actions)[0] == (Cause.UNREADABLE, "firing")


def test_bytes_that_name_no_endpoint_count_against_the_one_their_key_names() -> None:
    mixed = [r for s in range(0, 300, 5) for r in (record(s, str(s)), b"junk", b"more junk")]
    _, actions = run(mixed + steady(300, 400))
    assert told(actions)[0] == (Cause.UNREADABLE, "firing")


def test_one_endpoint_that_falls_silent_is_told_while_another_goes_on() -> None:
    both = sorted(
        steady(0, 3600) + steady(0, 7200, "other"),
        key=lambda r: json.loads(r)["capture"]["eventMetadata"]["inferenceTime"],
    )
    _, actions = run(both)
    silent = [a.incident for a in actions if isinstance(a, Notify)]
    assert [(i.endpoint, i.cause) for i in silent] == [("one", Cause.SILENCE)]
    assert silent[0].since.isoformat() == "2026-01-05T10:00:00+00:00"


def test_silence_ends_when_traffic_comes_back() -> None:
    actions = run(steady(0, 3600) + steady(4800, 7200))[1]
    assert told(actions) == [(Cause.SILENCE, "firing"), (Cause.SILENCE, "resolved")]


def test_a_missing_feature_is_told_once_and_resolved_once() -> None:
    gap = [record(s, str(s), data=",2,a") for s in range(600, 900, 5)]
    actions = run(steady(0, 600) + gap + steady(900, 3000))[1]
    assert told(actions) == [(Cause.MISSING, "firing"), (Cause.MISSING, "resolved")]


def test_a_version_that_gave_way_sleeps_and_its_waking_says_how_much_it_slept() -> None:
    first = steady(0, 120, modelVersion="1")
    second = steady(120, 1200, modelVersion="2")
    back = steady(1200, 1320, modelVersion="1")
    found = [d for d in windows(run(first + second + back)[1]) if d.model_version == "1"]
    assert [d.records for d in found] == [12, 12, 0, 0, 0, 12, 12]
    assert [d.skipped_windows for d in found] == [0, 0, 0, 0, 0, 15, 0]


def test_a_sleeping_version_makes_room_for_a_new_one_and_an_open_one_does_not() -> None:
    two = msgspec.structs.replace(SETTINGS, max_tracks=2)
    changing = [r for v in range(6) for r in steady(v * 600, v * 600 + 600, modelVersion=str(v))]
    engine, _ = run(changing, two, size=5)
    assert engine.totals.ignored == 0
    at_once = [record(0, str(v), modelVersion=str(v)) for v in range(6)]
    engine, _ = run(at_once, two)
    assert engine.totals.ignored == 4


def test_an_endpoint_that_slept_for_months_wakes_with_its_history() -> None:
    actions = run(steady(0, 120) + steady(86_400 * 90, 86_400 * 90 + 120))[1]
    found = windows(actions)
    assert sum(d.skipped_windows for d in found) + len(found) == 86_400 * 90 // 60 + 2
    assert len(found) == 1_004


def test_documents_never_hold_what_a_record_held() -> None:
    canary = "cañary-4711"
    text = [
        capture(f"1.2345678,2,{canary}", at=START + s * 1000, event_id=f"{canary}-{s}", endpoint="one")
        for s in range(300)
    ]
    _, actions = run([*text, *steady(300, 400), canary.encode()])
    written = encode_actions(actions).decode()
    assert canary not in written
    assert "1.2345678" not in written


def numbered(first: int, last: int, low: int) -> list[bytes]:
    """A value in turn from ten that the baseline has, or from its upper half alone."""
    return [
        record(s, str(s), data=f"{low + s % (10 - low)}.5,{s % 10}.5,{'abc'[s % 3]}", output=f"{s % 10}.5")
        for s in range(first, last)
    ]


def test_a_drift_is_told_within_the_budget_of_false_alarms_and_names_its_feature() -> None:
    watched = msgspec.structs.replace(ONE, false_alarm_seconds=2_592_000)
    settings = msgspec.structs.replace(SETTINGS, endpoints=(watched,))
    _, actions = run(numbered(0, 1_200, 0) + numbered(1_200, 2_400, 5), settings)
    told_of = [a.incident for a in actions if isinstance(a, Notify)]
    assert [i.cause for i in told_of] == [Cause.DRIFT]
    (found,) = told_of[0].contributions
    assert (found.feature, found.rule) == ("x", "evidence")
    assert "mean +0." in found.words or "mean +1." in found.words
    assert abs(found.since.timestamp() * 1000 - (START + 1_200_000)) <= 120_000


def test_every_window_says_how_much_of_the_budget_evidence_has_used() -> None:
    actions = run(numbered(0, 1_200, 0) + numbered(1_200, 2_400, 5), watched())[1]
    opened_at = min(a.incident.opened.timestamp() for a in actions if isinstance(a, Notify))
    used = [(w.window_end.timestamp() >= opened_at, w.budget_used) for w in windows(actions) if w.complete]
    assert [told for told, part in used] == [part is not None and part >= 1.0 for _, part in used]
    assert {told for told, _ in used} == {False, True}


def test_drift_is_not_looked_for_where_nobody_asks() -> None:
    actions = run(numbered(0, 1_200, 0) + numbered(1_200, 2_400, 5))[1]
    assert told(actions) == []
    assert {w.budget_used for w in windows(actions)} == {None}


def test_steady_traffic_raises_nothing_within_the_budget() -> None:
    watched = msgspec.structs.replace(ONE, false_alarm_seconds=2_592_000)
    assert told(run(numbered(0, 3_600, 0), msgspec.structs.replace(SETTINGS, endpoints=(watched,)))[1]) == []


def watched(**rules: bool) -> EngineSettings:
    one = msgspec.structs.replace(ONE, false_alarm_seconds=2_592_000, rules=msgspec.structs.replace(ONE.rules, **rules))
    return msgspec.structs.replace(SETTINGS, endpoints=(one,))


def test_an_alarm_does_not_wait_for_its_window_and_its_document_has_it() -> None:
    strange = [
        record(s, str(s), data=f"{1 + s % 9}e6,{s % 10}.5,{'abc'[s % 3]}", output=f"{s % 10}.5")
        for s in range(1_201, 1_260)
    ]
    engine = Engine(watched(wild=False), {("one", ""): baseline()})
    usual = numbered(0, 1_200, 0)
    assert told(engine.ingest(batch(*usual, keys=["one/AllTraffic"] * len(usual)), NOW)) == []
    later = engine.ingest(batch(*strange, first=1_200, keys=["one/AllTraffic"] * len(strange)), NOW)
    alarm = next(a.incident for a in later if isinstance(a, Notify))
    assert alarm.cause is Cause.WILD
    assert START + 1_200_000 < alarm.changed.timestamp() * 1000 < START + 1_260_000
    window = windows(later + engine.ingest(batch(record(1_300, "z"), first=2_000, keys=["one/x"]), NOW))[-1]
    assert window.features_broken == ("x",)


def test_missing_values_that_evidence_found_are_over_where_the_rule_is_switched_off() -> None:
    gap = [record(s, str(s), data=f",{s % 10}.5,{'abc'[s % 3]}", output=f"{s % 10}.5") for s in range(1_200, 1_500)]
    actions = run(numbered(0, 1_200, 0) + gap + numbered(1_500, 5_400, 0), watched(missing=False))[1]
    assert told(actions) == [(Cause.MISSING, "firing"), (Cause.MISSING, "resolved")]
