"""Every series: fed by difference, bounded in number, there from the start, and explained."""

from collections.abc import Iterable, Mapping

import pytest
from prometheus_client import CollectorRegistry

from streamer.core.engine import Engine
from streamer.core.errors import (
    Absent,
    Denied,
    ExpiredIterator,
    NeedsPerson,
    Reason,
    Retryable,
    StorageFull,
    Throttled,
    Unavailable,
)
from streamer.core.eventtime import as_datetime
from streamer.core.incident import AlertState, Fingerprint, Incident, Severity
from streamer.core.manifest import Saved
from streamer.core.settings import AlertSpans, EndpointSettings, EngineSettings, Rules, Spans
from streamer.core.totals import Totals
from streamer.core.types import (
    Action,
    Cause,
    DeadLetter,
    Index,
    Notify,
    Reject,
    Retrain,
    RetrainingReason,
    RetrainingRequest,
)
from streamer.metrics import PARTS, Metrics
from tests.strategies import NOW, START, baseline, batch, capture

SINKS = ("sns", "sqlite")


class Scrape:
    """Metrics of a registry of their own."""

    def __init__(self, *, endpoints: Iterable[str] = (), most_endpoints: int = 100, most_shards: int = 100) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(
            self.registry,
            version="1.2.3",
            sinks=SINKS,
            endpoints=tuple(endpoints),
            most_endpoints=most_endpoints,
            most_shards=most_shards,
        )

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"streamer_{name}", labels)

    def labels(self, name: str, label: str) -> set[str]:
        return {
            sample.labels[label]
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == f"streamer_{name}"
        }

    @property
    def series(self) -> int:
        return sum(len(family.samples) for family in self.registry.collect())


def engine(*names: str, hold: int = 0) -> Engine:
    spans = Spans(pane=10, window=60, offset=0, lateness=30)
    rules = Rules(minimum_rows=2, wild_rows=1)
    endpoints = tuple(
        EndpointSettings(name=n, spans=spans, rules=rules, alerts=AlertSpans(hold=hold, keep_firing=600, repeat=0))
        for n in names
    )
    settings = EngineSettings(endpoints=endpoints, out_of_orderness_seconds=5, learn_unknown=False)
    return Engine(settings, {(n, ""): baseline() for n in names})


def feed(of: Engine, endpoint: str, data: str, *seconds: int) -> list[Action]:
    records = [capture(data, at=START + s * 1000, event_id=f"{data}-{s}", endpoint=endpoint) for s in seconds]
    return of.ingest(batch(*records), NOW)


def broken(*names: str, hold: int = 0) -> Engine:
    """An engine in whose endpoints wild values make an incident."""
    made = engine(*names, hold=hold)
    for name in names:
        feed(made, name, "1e6,1e6,a", *range(0, 50))
    for name in names:
        feed(made, name, "1.5,2.5,a", 70)
    return made


def incident() -> Incident:
    return Incident(
        id="i",
        revision=1,
        fingerprint=Fingerprint("f"),
        endpoint="churn",
        cause=Cause.DRIFT,
        state=AlertState.FIRING,
        severity=Severity.WARNING,
        opened=as_datetime(START),
        since=as_datetime(START),
        changed=as_datetime(START),
        title="drift",
        text="drift",
    )


def request(reason: RetrainingReason) -> Retrain:
    return Retrain(
        RetrainingRequest(
            id="r",
            endpoint="churn",
            variant="v",
            model_version="1",
            baseline="b",
            reason=reason,
            words="",
            requested=as_datetime(START),
        )
    )


def test_totals_are_counted_by_difference() -> None:
    scrape = Scrape()
    scrape.metrics.note_totals(Totals(records=10, accepted=7, invalid={"not-json": 3}))
    scrape.metrics.note_totals(Totals(records=15, accepted=11, invalid={"not-json": 4}))
    assert scrape.value("records_received_total") == 15
    assert scrape.value("records_accepted_total") == 11
    assert scrape.value("records_invalid_total", reason="not-json") == 4


def test_every_heading_of_the_totals_has_its_counter() -> None:
    scrape = Scrape()
    scrape.metrics.note_totals(
        Totals(
            records=28,
            accepted=1,
            invalid={"not-json": 2},
            duplicate=3,
            late_revised=4,
            late_dropped=5,
            ignored=6,
            partial={"bad-csv": 7},
            rows_in=8,
            rows_out=9,
        )
    )
    assert {
        "accepted": scrape.value("records_accepted_total"),
        "invalid": scrape.value("records_invalid_total", reason="not-json"),
        "duplicate": scrape.value("records_duplicate_total"),
        "revised": scrape.value("records_late_total", outcome="revised"),
        "dropped": scrape.value("records_late_total", outcome="dropped"),
        "ignored": scrape.value("records_ignored_total"),
        "partial": scrape.value("records_partial_total", reason="bad-csv"),
        "in": scrape.value("rows_folded_total", side="input"),
        "out": scrape.value("rows_folded_total", side="output"),
    } == dict(
        zip(
            ("accepted", "invalid", "duplicate", "revised", "dropped", "ignored", "partial", "in", "out"),
            range(1, 10),
            strict=True,
        )
    )


def test_the_totals_of_a_snapshot_are_not_counted_again() -> None:
    scrape = Scrape()
    scrape.metrics.resume(Totals(records=1_000_000))
    scrape.metrics.note_totals(Totals(records=1_000_001))
    assert scrape.value("records_received_total") == 1


def test_totals_that_were_counted_do_not_change_with_the_engine_that_goes_on_counting() -> None:
    scrape, totals = Scrape(), Totals(records=1, invalid={"not-json": 1})
    scrape.metrics.note_totals(totals)
    totals.invalid["not-json"] += 1
    scrape.metrics.note_totals(totals)
    assert scrape.value("records_invalid_total", reason="not-json") == 2


def test_lower_totals_without_a_resume_are_a_mistake() -> None:
    scrape = Scrape()
    scrape.metrics.note_totals(Totals(records=2))
    with pytest.raises(ValueError, match="non-negative"):
        scrape.metrics.note_totals(Totals(records=1))


def test_a_reason_that_is_not_known_any_more_counts_as_other() -> None:
    scrape = Scrape()
    scrape.metrics.note_totals(Totals(invalid={"of-an-older-version": 2}))
    assert scrape.value("records_invalid_total", reason="other") == 2


def test_every_reason_is_there_before_the_first_record() -> None:
    expected = {reason.value for reason in Reason} - {Reason.LATE} | {"other"}
    assert Scrape().labels("records_invalid_total", "reason") == expected


@pytest.mark.parametrize("name", ["actions_delivered_total", "actions_retried_total", "actions_refused_total"])
def test_every_sink_is_there_before_the_first_delivery(name: str) -> None:
    assert Scrape().labels(name, "sink") == set(SINKS)


def test_what_a_sink_did_is_counted() -> None:
    scrape = Scrape()
    scrape.metrics.note_retried("sns", 3)
    scrape.metrics.note_delivered("sns", 2, 0.02)
    scrape.metrics.note_refused("sns", 1)
    names = ("actions_delivered_total", "actions_retried_total", "actions_refused_total", "delivery_seconds_count")
    assert [scrape.value(name, sink="sns") for name in names] == [2, 3, 1, 1]


def test_a_batch_is_counted_in_bytes_and_timed() -> None:
    scrape = Scrape()
    scrape.metrics.note_batch(2_048, 0.03)
    assert (scrape.value("received_bytes_total"), scrape.value("batch_seconds_sum")) == (2_048, 0.03)


@pytest.mark.parametrize(("seconds", "at_most"), [(0.049, "0.05"), (0.051, "0.06")])
def test_a_step_on_either_side_of_fifty_milliseconds_is_told_apart(seconds: float, at_most: str) -> None:
    scrape = Scrape()
    scrape.metrics.note_step("decide", seconds)
    assert scrape.value("step_seconds_bucket", step="decide", le=at_most) == 1
    assert scrape.value("step_seconds_bucket", step="decide", le="0.05") == (seconds < 0.05)


def test_decided_actions_are_counted_by_kind() -> None:
    scrape = Scrape()
    letter = DeadLetter(id="l", shard="s", position="1", reason=Reason.NOT_JSON, sha256="0", size_bytes=1)
    scrape.metrics.note_decided(
        [
            Index(incident()),
            Notify("n", incident(), "firing"),
            Notify("m", incident(), "resolved"),
            Reject(letter),
            request(RetrainingReason.SCHEDULE),
        ]
    )
    assert scrape.value("documents_decided_total") == 1
    assert scrape.value("notifications_decided_total", why="firing") == 1
    assert scrape.value("notifications_decided_total", why="resolved") == 1
    assert scrape.value("notifications_decided_total", why="repeat") == 0
    assert scrape.value("dead_letters_total") == 1
    assert scrape.value("retraining_requests_total", reason="schedule") == 1


def test_windows_decided_are_counted_and_open_ones_are_not() -> None:
    scrape, made = Scrape(), engine("churn")
    scrape.metrics.note_decided(feed(made, "churn", "1.5,2.5,a", 0, 30, 70))
    assert scrape.value("windows_decided_total") == 1
    scrape.metrics.note_decided(made.finish())
    assert scrape.value("windows_decided_total") == 1


def test_before_any_record_the_watermark_is_not_a_number() -> None:
    scrape = Scrape()
    scrape.metrics.note_engine(engine("churn"))
    found = scrape.value("watermark_timestamp_seconds")
    assert found is not None
    assert found != found


def test_the_watermark_is_shown_in_unix_seconds() -> None:
    scrape, made = Scrape(), engine("churn")
    feed(made, "churn", "1.5,2.5,a", 30)
    scrape.metrics.note_engine(made)
    assert scrape.value("watermark_timestamp_seconds") == START / 1000 + 25


def test_endpoints_and_open_panes_are_shown() -> None:
    scrape, made = Scrape(), engine("churn", "fraud")
    feed(made, "churn", "1.5,2.5,a", 30, 31, 45)
    feed(made, "fraud", "1.5,2.5,a", 45)
    scrape.metrics.note_engine(made)
    assert (scrape.value("endpoints"), scrape.value("panes_open")) == (2, 2)


@pytest.mark.parametrize(("hold", "pending", "firing"), [(0, 0, 1), (3600, 1, 0)])
def test_open_incidents_are_shown_by_state(hold: int, pending: int, firing: int) -> None:
    scrape = Scrape(endpoints=["churn"])
    scrape.metrics.note_engine(broken("churn", hold=hold))
    assert scrape.value("alerts", endpoint="churn", state="pending") == pending
    assert scrape.value("alerts", endpoint="churn", state="firing") == firing


def test_an_incident_that_is_over_is_not_shown_any_more() -> None:
    scrape, made = Scrape(), broken("churn")
    scrape.metrics.note_engine(made)
    assert scrape.value("alerts", endpoint="churn", state="firing") == 1
    feed(made, "churn", "1.5,2.5,a", *range(80, 900, 5))
    scrape.metrics.note_engine(made)
    assert scrape.value("alerts", endpoint="churn", state="firing") == 0


def test_configured_endpoints_have_series_from_the_start() -> None:
    scrape = Scrape(endpoints=["churn", "fraud"])
    assert scrape.labels("alerts", "endpoint") == {"churn", "fraud", "other"}


def test_endpoints_beyond_the_limit_share_one_label() -> None:
    scrape = Scrape(most_endpoints=2)
    scrape.metrics.note_engine(broken("a", "b", "c", "d"))
    assert scrape.labels("alerts", "endpoint") == {"a", "b", "other"}
    assert scrape.value("alerts", endpoint="other", state="firing") == 2


def test_an_endpoint_called_other_does_not_widen_the_limit() -> None:
    scrape = Scrape(most_endpoints=1)
    scrape.metrics.note_engine(broken("other", "a", "b"))
    assert scrape.labels("alerts", "endpoint") == {"a", "other"}
    assert scrape.value("alerts", endpoint="other", state="firing") == 2


def test_the_lag_of_open_shards_is_shown_and_of_ended_ones_is_not() -> None:
    scrape = Scrape()
    scrape.metrics.note_lag({"shard-1": 3.5, "shard-2": 0.0})
    scrape.metrics.note_lag({"shard-2": 1.0, "shard-3": 2.0})
    assert scrape.labels("shard_lag_seconds", "shard") == {"shard-2", "shard-3", "other"}
    assert scrape.value("shard_lag_seconds", shard="shard-2") == 1.0


@pytest.mark.parametrize("name", ["shard-9", "other"])
def test_shards_beyond_the_limit_show_the_worst_of_them(name: str) -> None:
    scrape = Scrape(most_shards=2)
    scrape.metrics.note_lag({"shard-1": 1.0, "shard-2": 2.0, "shard-3": 7.0, name: 5.0})
    assert scrape.labels("shard_lag_seconds", "shard") == {"shard-1", "shard-2", "other"}
    assert scrape.value("shard_lag_seconds", shard="other") == 7.0


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Throttled(""), "throttled"),
        (Unavailable(""), "unavailable"),
        (ExpiredIterator(""), "expired-iterator"),
        (Denied(""), "denied"),
        (Absent(""), "absent"),
        (StorageFull(""), "storage-full"),
        (NeedsPerson(""), "other"),
        (Retryable(""), "other"),
    ],
)
def test_a_failed_read_is_counted_by_what_came_back(error: Retryable, why: str) -> None:
    scrape = Scrape()
    scrape.metrics.note_source_retry(error)
    assert scrape.value("source_retries_total", why=why) == 1


def test_a_snapshot_says_when_how_large_and_which() -> None:
    scrape = Scrape()
    scrape.metrics.note_snapshot(
        Saved(number=7, chunks_written=2, bytes_written=100), at=START, size_bytes=900, seconds=0.2
    )
    names = ("timestamp_seconds", "bytes", "written_bytes_total", "number", "seconds_count")
    assert [scrape.value(f"snapshot_{name}") for name in names] == [START / 1000, 900, 100, 7, 1]


def test_a_snapshot_that_failed_is_counted() -> None:
    scrape = Scrape()
    scrape.metrics.note_snapshot_failed()
    assert scrape.value("snapshots_failed_total") == 1


def test_the_outbox_is_shown_with_its_limit() -> None:
    scrape = Scrape()
    scrape.metrics.note_outbox(10, 100)
    assert (scrape.value("outbox_bytes"), scrape.value("outbox_limit_bytes")) == (10, 100)


def test_the_loop_is_shown_late_and_standing_still() -> None:
    scrape = Scrape()
    scrape.metrics.note_loop_lag(0.07)
    scrape.metrics.note_stalled(True)
    assert (scrape.value("loop_lag_seconds_sum"), scrape.value("loop_stalled")) == (0.07, 1)
    scrape.metrics.note_stalled(False)
    assert scrape.value("loop_stalled") == 0


@pytest.mark.parametrize(
    ("troubles", "expected"),
    [
        ({}, {}),
        ({"sinks": ["sns is down", "sqlite is full"], "source": []}, {"sinks": 2}),
        ({"weather": ["rain"]}, {"other": 1}),
    ],
)
def test_reasons_for_not_being_ready_are_counted_by_part(
    troubles: Mapping[str, list[str]], expected: Mapping[str, int]
) -> None:
    scrape = Scrape()
    scrape.metrics.note_troubles({"loop": ["stands still"]})
    scrape.metrics.note_troubles(troubles)
    parts = (*PARTS, "other")
    assert {part: scrape.value("troubles", part=part) for part in parts} == dict.fromkeys(parts, 0) | dict(expected)


def test_the_version_is_shown() -> None:
    assert Scrape().labels("build_info", "version") == {"1.2.3"}


def test_the_number_of_series_is_bounded_whatever_comes() -> None:
    scrape = Scrape(most_endpoints=10, most_shards=10)
    scrape.metrics.note_engine(broken(*(f"endpoint-{n}" for n in range(30))))
    scrape.metrics.note_lag({f"shard-{n}": 1.0 for n in range(30)})
    once = scrape.series
    scrape.metrics.note_engine(broken(*(f"other-{n}" for n in range(30))))
    scrape.metrics.note_lag({f"shard-{n}": 1.0 for n in range(100, 130)})
    assert scrape.series == once
    assert once < 450


def test_every_series_is_explained_in_a_sentence() -> None:
    families = [f for f in Scrape().registry.collect() if f.name.startswith("streamer_")]
    assert len(families) > 30
    assert [f.name for f in families if len(f.documentation.split()) < 4 or not f.documentation.endswith(".")] == []


def test_the_memory_of_the_process_is_shown() -> None:
    assert Scrape().registry.get_sample_value("process_resident_memory_bytes")
