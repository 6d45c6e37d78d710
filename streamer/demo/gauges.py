"""Gauges: what the service says of itself at ``/metrics``, as far as the demo shows it."""

from collections.abc import Iterable
from math import isnan
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from streamer.core.eventtime import as_datetime


class Gauges(NamedTuple):
    """One look at the service.

    Attributes
    ----------
    received, accepted, invalid, duplicate, late, ignored : int
        Records, by what became of them.
    lag_seconds : float
        Of the shard that is furthest behind.
    watermark_at : int or None
        Milliseconds since the epoch; ``None`` before any.
    windows : int
        Closed and judged.
    firing : int
        Incidents.
    outbox_bytes, snapshot : int
        What waits for the sinks; number of the last snapshot.
    """

    received: int = 0
    accepted: int = 0
    invalid: int = 0
    duplicate: int = 0
    late: int = 0
    ignored: int = 0
    lag_seconds: float = 0.0
    watermark_at: int | None = None
    windows: int = 0
    firing: int = 0
    outbox_bytes: int = 0
    snapshot: int = 0

    def words(self) -> str:
        """How far it has come, in a few words."""
        day = "" if self.watermark_at is None else f"{as_datetime(self.watermark_at):%Y-%m-%d}, "
        return (
            f"{day}{self.received:,} records, {self.lag_seconds:.1f} s behind, {self.windows:,} windows, "
            f"{self.firing} firing"
        )

    def sentence(self) -> str:
        """What became of every record."""
        return (
            f"{self.received:,} records, every one accounted for: {self.accepted:,} accepted, "
            f"{self.invalid:,} invalid, {self.duplicate:,} duplicate, {self.late:,} late, {self.ignored:,} ignored."
        )


def read_gauges(text: str) -> Gauges:
    """Read the text of ``/metrics``."""
    samples: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name.removeprefix("streamer_"), []).append((sample.labels, sample.value))

    def values(name: str) -> Iterable[float]:
        return (value for _, value in samples.get(name, ()))

    watermark = next(iter(values("watermark_timestamp_seconds")), float("nan"))
    return Gauges(
        received=int(sum(values("records_received_total"))),
        accepted=int(sum(values("records_accepted_total"))),
        invalid=int(sum(values("records_invalid_total"))),
        duplicate=int(sum(values("records_duplicate_total"))),
        late=int(sum(values("records_late_total"))),
        ignored=int(sum(values("records_ignored_total"))),
        lag_seconds=max(values("shard_lag_seconds"), default=0.0),
        watermark_at=None if isnan(watermark) else round(watermark * 1000),
        windows=int(sum(values("windows_decided_total"))),
        firing=int(sum(v for labels, v in samples.get("alerts", ()) if labels.get("state") == "firing")),
        outbox_bytes=int(sum(values("outbox_bytes"))),
        snapshot=int(sum(values("snapshot_number"))),
    )
