"""The document on how the service stands."""

import json

import jsonschema

from streamer.core.documents import encode, json_schema
from streamer.core.eventtime import as_datetime
from streamer.core.operations import OperationsDocument, operations_document
from streamer.core.totals import Totals
from tests.strategies import NOW, START

TOTALS = Totals(
    records=20,
    accepted=10,
    invalid={"not-json": 3, "bad-layout": 2},
    late_revised=2,
    late_dropped=3,
    rows_in=9,
    rows_out=8,
)


def stood(
    instance: str = "a", at: int = NOW, watermark_at: int | None = START, lag: dict[str, float] | None = None
) -> OperationsDocument:
    return operations_document(
        instance,
        at,
        TOTALS,
        {"s1": 1.0, "s2": 7.25} if lag is None else lag,
        watermark_at=watermark_at,
        endpoints=2,
        outbox_bytes=9,
        snapshot_age_seconds=1.00049,
        sinks_in_trouble=["sns"],
    )


def test_it_has_the_worst_lag_and_every_heading_once() -> None:
    document = stood()
    assert (document.shards, document.lag_seconds, document.snapshot_age_seconds) == (2, 7.25, 1.0)
    assert (document.records, document.rows, document.invalid, document.late) == (20, 9, 5, 5)
    assert (document.noted, document.watermark) == (as_datetime(NOW), as_datetime(START))
    assert (stood(lag={}).lag_seconds, stood(watermark_at=None).watermark) == (0.0, None)


def test_one_is_told_from_another_by_time_and_instance() -> None:
    assert len({stood().id, stood("b").id, stood(at=NOW + 60_000).id, stood().id}) == 3


def test_it_keeps_to_the_published_schema() -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(encode(stood())))
