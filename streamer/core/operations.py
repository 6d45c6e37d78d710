"""Operations: how the service itself stands, as a document beside those of the traffic.

It comes from a wall clock and from what happens to be going on, so it is no part of what a replay
makes again: it never goes through the outbox or a snapshot.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from streamer.core.eventtime import as_datetime
from streamer.core.identity import hash_of
from streamer.core.totals import Totals


class OperationsDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="operations"):
    """How one running service stands at one time.

    Attributes
    ----------
    id : str
        Hash of ``instance`` and ``noted``.
    revision : int
        Always 1: it is written once.
    instance : str
        Which process, as its machine or container is called.
    noted : datetime
        Wall-clock time.
    watermark : datetime or None
        Event time up to which everything is decided; ``None`` before any record.
    endpoints, shards : int
        Endpoints watched, and shards read.
    lag_seconds : float
        How far reading is behind the newest record of the shard that is worst; 0 without shards.
    records, rows, invalid, late : int
        Read since the service's first start, whatever process read them; rows of the longer side.
    outbox_bytes : int
        Decided, and not yet taken by every sink.
    snapshot_age_seconds : float
        Since the last snapshot became durable, or since the start: so much is read again after a crash.
    sinks_in_trouble : tuple of str
        Names of those that take nothing now.
    """

    id: str
    revision: int = 1
    instance: str
    noted: datetime
    watermark: datetime | None
    endpoints: int
    shards: int
    lag_seconds: float
    records: int
    rows: int
    invalid: int
    late: int
    outbox_bytes: int
    snapshot_age_seconds: float
    sinks_in_trouble: tuple[str, ...] = ()


def operations_document(
    instance: str,
    at: int,
    totals: Totals,
    lag_seconds: Mapping[str, float],
    *,
    watermark_at: int | None,
    endpoints: int,
    outbox_bytes: int,
    snapshot_age_seconds: float,
    sinks_in_trouble: Iterable[str],
) -> OperationsDocument:
    """Document of how a service stands.

    Parameters
    ----------
    instance : str
        Which process.
    at : int
        Wall-clock time, milliseconds since the epoch.
    totals : Totals
        Of the engine.
    lag_seconds : mapping of str to float
        Of every shard that is read.
    watermark_at : int or None
        Milliseconds since the epoch; ``None`` before any record.
    endpoints, outbox_bytes, snapshot_age_seconds, sinks_in_trouble
        As the document has them.
    """
    return OperationsDocument(
        id=hash_of("operations", instance, str(at)),
        instance=instance,
        noted=as_datetime(at),
        watermark=None if watermark_at is None else as_datetime(watermark_at),
        endpoints=endpoints,
        shards=len(lag_seconds),
        lag_seconds=round(max(lag_seconds.values(), default=0.0), 3),
        records=totals.records,
        rows=max(totals.rows_in, totals.rows_out),
        invalid=sum(totals.invalid.values()),
        late=totals.late,
        outbox_bytes=outbox_bytes,
        snapshot_age_seconds=round(snapshot_age_seconds, 3),
        sinks_in_trouble=tuple(sinks_in_trouble),
    )
