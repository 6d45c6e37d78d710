"""Mutated captures: whatever the bytes, every record is accounted for and nothing else is raised."""

import random

import msgspec

from streamer.bench.records import START_AT, baseline, captures
from streamer.core.engine import Engine
from streamer.core.settings import EndpointSettings, EngineSettings
from streamer.core.types import Batch, Reject, ShardId

_NOW = START_AT + 365 * 86_400_000
_BATCH_RECORDS = 500
_FEATURES = 4
# What breaks parsers: openers, quotes, constants, controls, surrogate escapes, bytes that are no UTF-8.
_POISON = (
    b"[" * 300, b"{", b"}", b"]", b'"', b"\\", b"\\ud800", b"NaN", b"Infinity", b"-", b"1e999", b"9" * 400,
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\n", b"\r", b",", b"null", b"true", b"\xf0\x9f\x98\x80", b"",
)  # fmt: skip
_SWAPS = (
    (b'"CSV"', b'"JSON"'), (b'"CSV"', b'"BASE64"'), (b'"CSV"', b"null"), (b'"captureData"', b'"capture"'),
    (b"text/csv", b"application/jsonlines"), (b"Z", b"+99:99"), (b"2026-", b"2031-"), (b"2026-", b"1969-"),
)  # fmt: skip


class Hostile(msgspec.Struct, frozen=True, kw_only=True):
    """What became of hostile records.

    Attributes
    ----------
    records : int
        Mutated captures read.
    accounted : int
        Sum of all headings; equal to ``records``.
    invalid : dict of str to int
        Refused ones, by reason.
    dead_letters : int
        Letters written: refused records, late ones, and unreadable sides of accepted ones.
    """

    records: int
    accounted: int
    invalid: dict[str, int]
    dead_letters: int


def mutated(payload: bytes, rng: random.Random) -> bytes:
    """One capture, damaged one to four times: bytes cut, repeated, swapped or put in."""
    data = bytearray(payload)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0:
                del data[at:]
            case 1:
                data[at : at + rng.randrange(8)] = rng.choice(_POISON)
            case 2:
                data[at:at] = data[at : at + rng.randrange(200)]
            case 3:
                data[at:at] = rng.randbytes(rng.randrange(8))
            case 4:
                old, new = rng.choice(_SWAPS)
                data = bytearray(bytes(data).replace(old, new, 1))
            case _:
                del data[at : at + rng.randrange(20)]
    return bytes(data)


def measure(records: int, seed: int = 5) -> Hostile:
    """Throw mutated captures at an engine with a baseline and one that learns."""
    rng = random.Random(seed)
    good = captures(200, _FEATURES, seed)
    settings = EngineSettings(endpoints=(EndpointSettings(name="known"),))
    engine = Engine(settings, {("known", ""): baseline(_FEATURES, seed)})
    letters = 0
    for first in range(0, records, _BATCH_RECORDS):
        count = min(_BATCH_RECORDS, records - first)
        payloads = [mutated(rng.choice(good), rng) for _ in range(count)]
        positions = [f"{first + i:09d}" for i in range(count)]
        keys = [rng.choice(("known/AllTraffic", "learned/AllTraffic", "?")) for _ in range(count)]
        actions = engine.ingest(Batch(ShardId("shard-0"), payloads, positions, keys), _NOW)
        letters += sum(isinstance(action, Reject) for action in actions)
    letters += sum(isinstance(action, Reject) for action in engine.finish())
    totals = engine.totals
    return Hostile(
        records=totals.records,
        accounted=totals.accounted,
        invalid=dict(sorted(totals.invalid.items())),
        dead_letters=letters,
    )
