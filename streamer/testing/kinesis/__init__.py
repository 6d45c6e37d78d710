"""A Kinesis emulator: real clients talk to it over loopback, tests look inside and let things go wrong.

::

    shard ── stream ── account ──┐
    limits, place, requests ─────┼── writing, reading, listing, shaping ── emulator ── server
    rejection, answers, faults ──┘   (one function per call)              (pure)      (HTTP, admin)

In a test, in the process of the test::

    kinesis = Kinesis(clock)
    kinesis.create_stream("captures", shards=4)
    async with serve(kinesis) as server:
        client = session.create_client("kinesis", endpoint_url=server.url, ...)
        kinesis.faults.arm(Throttle(3, operation="GetRecords"), kinesis.now())
        kinesis.split("captures", "shardId-000000000001")

As a process of its own, controlled through the paths of ``admin``::

    python -m streamer.testing.kinesis --port 0 --streams captures:4
    {"url":"http://127.0.0.1:40123"}

Like the service: routing by MD5 or explicit hash key; sequence numbers of 56 digits, increasing over
all shards of a stream; closed shards, their children and the shard filters; iterators that expire;
retention that trims; rates per shard; the error codes. Resharding and creation take no time unless
``Limits.transition_seconds`` says so. Time is the clock's: with a clock that is moved by hand
nothing here waits.

Unlike the service: any credentials do; streams are provisioned and not encrypted; there is no
enhanced fan-out and no CBOR; ShardIterator and NextToken can be read by whoever wants to.

Nothing is stored on disk, and what is put is kept in memory until it is older than the retention.
"""

from streamer.testing.kinesis.emulator import Answer, Kinesis
from streamer.testing.kinesis.faults import (
    AnyFault,
    Deny,
    EmptyRead,
    EndWithoutChildren,
    ExpireIterator,
    FailEntries,
    HideReshard,
    Missing,
    Redeliver,
    Reset,
    Script,
    Stall,
    Throttle,
    Truncate,
    Unavailable,
)
from streamer.testing.kinesis.limits import Limits
from streamer.testing.kinesis.rejection import Rejection
from streamer.testing.kinesis.server import KinesisServer, serve
from streamer.testing.kinesis.shard import Record, Shard
from streamer.testing.kinesis.stream import Stream

__all__ = [
    "Answer",
    "AnyFault",
    "Deny",
    "EmptyRead",
    "EndWithoutChildren",
    "ExpireIterator",
    "FailEntries",
    "HideReshard",
    "Kinesis",
    "KinesisServer",
    "Limits",
    "Missing",
    "Record",
    "Redeliver",
    "Rejection",
    "Reset",
    "Script",
    "Shard",
    "Stall",
    "Stream",
    "Throttle",
    "Truncate",
    "Unavailable",
    "serve",
]
