"""What the demo reads of /metrics: names that the service really has."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, generate_latest

from streamer.core.totals import Totals
from streamer.demo.gauges import Gauges, read_gauges
from streamer.metrics import Metrics


def test_a_service_that_has_read_nothing_shows_zeros_and_no_watermark() -> None:
    registry = CollectorRegistry()
    Metrics(registry, version="0", sinks=["sns"])
    assert read_gauges(generate_latest(registry).decode()) == Gauges()


def test_counts_are_read_by_their_names() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry, version="0", sinks=["sns"])
    metrics.note_totals(
        Totals(
            records=21,
            accepted=6,
            duplicate=5,
            late_revised=1,
            late_dropped=3,
            ignored=2,
            invalid={"malformed-json": 4},
        )
    )
    metrics.note_lag({"a": 1.5, "b": 0.5})
    metrics.note_outbox(7, 100)
    found = read_gauges(generate_latest(registry).decode())
    assert (found.received, found.accepted, found.invalid, found.duplicate) == (21, 6, 4, 5)
    assert (found.late, found.ignored, found.lag_seconds, found.outbox_bytes) == (4, 2, 1.5, 7)


def test_words_begin_with_the_day_once_there_is_one() -> None:
    at = round(datetime(2013, 2, 8, 9, tzinfo=UTC).timestamp() * 1000)
    assert Gauges(received=1_000).words() == "1,000 records, 0.0 s behind, 0 windows, 0 firing"
    assert Gauges(watermark_at=at).words().startswith("2013-02-08, ")
