"""Puts captures into a stream, for those who have them: containers that serve a model, and the forwarder.

::

    request, response ── capture_line ──┐
                                        ├── record_of ── put_records ── PutRecords
    line of a capture file ─────────────┘   (envelope)   (retries)
                                             CaptureWriter: both, from a thread of its own

In a container, beside the model::

    origin = Origin(endpoint="churn", variant="AllTraffic")
    writer = CaptureWriter(boto3.client("kinesis"), "inference-captures", origin)
    ...
    writer.write(Payload(body, "text/csv"), Payload(answer, "text/csv"), inferred_at=datetime.now(UTC))
    ...
    writer.close()

It needs the standard library and botocore, and nothing of the rest of this package: a container may hold these
files alone, under the same name.
"""

from streamer.producer.capture import RECORD_BYTES, Origin, Payload, Record, TooLarge, capture_line, record_of
from streamer.producer.put import NotPut, Put, put_records
from streamer.producer.writer import CaptureWriter, Written

__all__ = [
    "RECORD_BYTES",
    "CaptureWriter",
    "NotPut",
    "Origin",
    "Payload",
    "Put",
    "Record",
    "TooLarge",
    "Written",
    "capture_line",
    "put_records",
    "record_of",
]
