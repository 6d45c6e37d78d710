"""Mutated captures: whatever the bytes, every record is accounted for and nothing else is raised."""

import base64
import random
from collections.abc import Callable

import msgspec
import orjson

from streamer.bench.records import START_AT, baseline, captures
from streamer.core.engine import Engine
from streamer.core.settings import EndpointSettings, EngineSettings, Limits, Spans
from streamer.core.types import Batch, Reject, ShardId

_BATCH_RECORDS = 500
_FEATURES = 4
_SECONDS = 1_500
# Small, so that what exceeds them is quick to make. Event times can't run ahead, and what is late is read
# all the same: one damaged date would otherwise keep every later record from being looked into.
_LIMITS = Limits(record_bytes=16_384, payload_bytes=4_096, rows=100, features=50, future_seconds=30)
_SPANS = Spans(lateness=3_600)
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
    partial : dict of str to int
        Those one side of which was refused, by reason.
    dead_letters : int
        Letters written: refused records, late ones, and unreadable sides of accepted ones.
    """

    records: int
    accounted: int
    invalid: dict[str, int]
    partial: dict[str, int]
    dead_letters: int


_CELLS = (
    "", " ", "nan", "-0", "1e999", "-1e308", "9" * 400, "old", "1_0", "0x1f", "true", "\0", "\u2028", "\ufeff",
    "\uff11", '"', '"open', 'a"b', '"1"', '"a,b"', '"a\nb"', "1\r2", "[1]",
)  # fmt: skip
_DOCUMENTS = (
    '{"instances":[[%s]]}', '{"instances":[{"features":[%s]}]}', '[[%s],[%s]]', "[%s]", '{"predictions":[%s]}',
    '{"dataframe_split":{"columns":["x0","x1","x2","x3"],"data":[[%s]]}}', '{"data":{"names":["x0"],"ndarray":[[%s]]}}',
    '{"x0":[%s],"score":[%s]}', '{"x0":1,"score":0.5,"more":[%s]}', '{"X0":1,"rest":{"x0":[%s]}}',
    '{"x0":NaN,"x1":1e999}', '{"x0":"\\ud800","score":NaN}', '{"score":0.5}\n{"score":0.25}',
    '{"x0":1}\n{', "{", "null", "[]", "[[]]", '{"":{}}',
)  # fmt: skip
_NAMES = ("x0,x1,x2,x3\n", "score\n")


def mutated(payload: bytes, rng: random.Random) -> bytes:
    """One capture, damaged: its bytes, or what its payloads hold, so that every layer has its share."""
    if rng.random() < 0.3:
        return _damaged(payload, rng)
    record = orjson.loads(payload)
    capture = record.get("capture", record)
    # Otherwise it would be known already, and not looked into.
    capture["eventMetadata"]["eventId"] = f"{rng.getrandbits(64):x}"
    if rng.random() < 0.1:
        return rng.choice(_RECORDS)(record, rng)
    for side in capture["captureData"].values():
        if rng.random() < 0.7:
            side["data"], side["encoding"], side["observedContentType"] = rng.choice(_PAYLOADS)(side["data"], rng)
    return orjson.dumps(record)


def _damaged(payload: bytes, rng: random.Random) -> bytes:
    """One to four times bytes cut, repeated, swapped or put in."""
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


# Data, encoding and content type of one side.
_Side = tuple[str | None, str | None, str | None]


def _csv_cell(data: str, rng: random.Random) -> _Side:
    cells = data.split(",")
    cells[rng.randrange(len(cells))] = rng.choice(_CELLS)
    return ",".join(cells), "CSV", "text/csv"


def _csv_shape(data: str, rng: random.Random) -> _Side:
    shapes = (
        data.rpartition(",")[0],
        f"{data},1",
        f"{rng.choice(_NAMES)}{data}",
        "\n".join([data] * rng.choice((2, 50, 101))),
        f"{data}\r\n\r\n{data}",
        "\n" * 200,
        ",".join("1" * 60),
        "1," * 3_000,
        data.replace(",", ";"),
    )
    return rng.choice(shapes), "CSV", "text/csv"


def _json(data: str, rng: random.Random) -> _Side:
    text = rng.choice(_DOCUMENTS).replace("%s", data)
    at = rng.randrange(len(text) + 1)
    match rng.randrange(6):
        case 0:
            text = text[:at]
        case 1:
            text = text[:at] + rng.choice(("{", "]", ",", '"', "NaN", "9" * 400, "null", "\\u", "[[")) + text[at:]
        case 2:
            depth = rng.choice((3, 70, 1_100))
            text = "[" * depth + text + "]" * depth
        case _:
            # As it is: a layout of its own.
            pass
    return text, "JSON", rng.choice(("application/json", "application/jsonlines", None))


def _encoded(data: str, rng: random.Random) -> _Side:
    inner = rng.choice((_csv_cell, _csv_shape, _json))(data, rng)[0] or ""
    content = inner.encode()
    if rng.random() < 0.2:
        content += rng.choice((b"\xff", b"\0", b"\x93NUMPY\x01"))
    text = base64.b64encode(content).decode()
    if rng.random() < 0.2:
        text = text[:-1] + rng.choice(("!", "\u00e9", ""))
    return text, "BASE64", rng.choice((None, "text/csv", "application/json", "application/x-npy"))


def _no_side(data: str, rng: random.Random) -> _Side:
    return rng.choice(((None, "CSV", None), ("", "CSV", None), (data, "XML", None), (data, None, "text/csv")))


_PAYLOADS: tuple[Callable[[str, random.Random], _Side], ...] = (_csv_cell, _csv_shape, _json, _encoded, _no_side)

_Record = dict[str, dict[str, object]]


def _timeless(record: _Record, rng: random.Random) -> bytes:
    time = rng.choice(
        (None, "", "now", "2026-13-01T00:00:00Z", "2031-01-05T00:00:00Z", "1969-01-05T00:00:00Z", "2" * 99)
    )
    return orjson.dumps(record | {"eventMetadata": {"inferenceTime": time}})


def _misnamed(record: _Record, rng: random.Random) -> bytes:
    return orjson.dumps({"endpoint": rng.choice(("a b", "../x", "k" * 300, "")), "capture": record})


def _sideless(record: _Record, rng: random.Random) -> bytes:
    return orjson.dumps(record | {"captureData": rng.choice(({}, None, [], {"endpointInput": 1}))})


def _wrapped(record: _Record, rng: random.Random) -> bytes:
    text = orjson.dumps(record)
    deep = b'{"a":' + b"[" * 2_000 + b"]" * 2_000 + b"}"
    return rng.choice((text + b" " * 20_000, b"\x1f\x8b" + text[:50], deep, b"[" + text + b"]"))


_RECORDS: tuple[Callable[[_Record, random.Random], bytes], ...] = (_timeless, _misnamed, _sideless, _wrapped)


def measure(records: int, seed: int = 5) -> Hostile:
    """Throw mutated captures at an engine with a baseline and one that learns."""
    rng = random.Random(seed)
    good = captures(_SECONDS, _FEATURES, seed, per_second=1)
    endpoints = tuple(EndpointSettings(name=name, spans=_SPANS) for name in ("known", "learned"))
    engine = Engine(EngineSettings(endpoints=endpoints, limits=_LIMITS), {("known", ""): baseline(_FEATURES, seed)})
    letters = 0
    for first in range(0, records, _BATCH_RECORDS):
        count = min(_BATCH_RECORDS, records - first)
        second = first * _SECONDS // records
        near = good[second : second + 20]
        payloads = [mutated(rng.choice(near), rng) for _ in range(count)]
        positions = [f"{first + i:09d}" for i in range(count)]
        keys = rng.choices(("known/AllTraffic", "learned/AllTraffic", "?"), (60, 35, 5), k=count)
        now = START_AT + (second + 20) * 1000
        actions = engine.ingest(Batch(ShardId("shard-0"), payloads, positions, keys), now)
        letters += sum(isinstance(action, Reject) for action in actions)
    letters += sum(isinstance(action, Reject) for action in engine.finish())
    totals = engine.totals
    return Hostile(
        records=totals.records,
        accounted=totals.accounted,
        invalid=dict(sorted(totals.invalid.items())),
        partial=dict(sorted(totals.partial.items())),
        dead_letters=letters,
    )
