"""Forwarder: capture files that SageMaker writes to S3, into the stream, as an AWS Lambda function.

::

    S3 event ── names of objects ── lines, gzip undone ── envelope ── PutRecords
    (direct, or inside SQS,                              (streamer.producer)
     SNS, EventBridge)

Forwarding twice is harmless: captures have an ``eventId``, and the reader drops those it knows. So
whatever was not sent in the end is an error, and the whole event is tried again. What will never work
(an object of another layout, a line too large, a torn gzip file) is logged and counted instead.

It needs the standard library, botocore, which Lambda has, and ``streamer/producer/``.
"""

import json
import logging
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import cache
from itertools import chain
from random import Random
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

import botocore.exceptions as sdk
import botocore.session
from botocore.config import Config

from streamer.producer.capture import RECORD_BYTES, Origin, Record, TooLarge, record_of
from streamer.producer.put import KinesisClient, NotPut, Put, put_records

# As streamer.core.decode.names: <endpoint>/<variant>/yyyy/mm/dd/hh/<file>, whatever stands before.
_LAYOUT: Final = re.compile(r"(?:^|/)([^/]+)/([^/]+)/\d{4}/\d{2}/\d{2}/\d{2}/[^/]+$")
_VERSION_METADATA: Final = "model-version"
_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31
_PIECE_BYTES: Final = 2**16
# A capture holds two bodies of up to 6 MiB, BASE64 and escapes come on top.
LINE_BYTES: Final = 2**25
_CONNECT_SECONDS: Final = 3
_READ_SECONDS: Final = 10
# Kept for the call that may be under way, and the answer.
_RESERVE_SECONDS: Final = 15.0

_LOG: Final = logging.getLogger("forwarder")
_LOG.setLevel(logging.INFO)


class NotForwarded(Exception):
    """Something was not sent: the event must be tried again; the text says how much."""


class Object(NamedTuple):
    """An object that was created."""

    bucket: str
    key: str


@dataclass(kw_only=True)
class Counts:
    """What an event came to.

    Attributes
    ----------
    objects, records : int
        Objects sent whole, and records the stream took.
    repeated : int
        Times a record was sent again.
    skipped : int
        Objects of another layout, gone, or notices of something else.
    damaged : int
        Compressed objects that are torn: what can be read of them is sent.
    too_large : int
        Lines that fit into no record.
    failed : int
        Notices that must be tried again.
    """

    objects: int = 0
    records: int = 0
    repeated: int = 0
    skipped: int = 0
    damaged: int = 0
    too_large: int = 0
    failed: int = 0


class Forwarder:
    """Reads objects and puts their lines.

    Parameters
    ----------
    s3 : botocore client
        Of S3.
    kinesis : KinesisClient
        Of Kinesis, without retries of its own.
    stream : str
        Name or ARN.
    model_version : str
        Version of the model, where an object's metadata (``model-version``) name none.
    record_bytes : int
        Largest record the stream takes.
    wait : callable, optional
        Waits for so many seconds between attempts.
    chance : random.Random, optional
        Source of the jitter.
    """

    def __init__(
        self,
        s3: Any,
        kinesis: KinesisClient,
        stream: str,
        *,
        model_version: str = "",
        record_bytes: int = RECORD_BYTES,
        wait: Callable[[float], object] | None = None,
        chance: Random | None = None,
    ) -> None:
        self._s3 = s3
        self._kinesis = kinesis
        self._stream = stream
        self._model_version = model_version
        self._record_bytes = record_bytes
        self._wait = wait
        self._chance = chance

    def forward(self, event: Mapping[str, Any], seconds_left: Callable[[], float]) -> dict[str, object]:
        """Send what the objects of an event hold.

        Parameters
        ----------
        event : mapping
            As Lambda gives it.
        seconds_left : callable
            Time left for it.

        Returns
        -------
        dict
            ``Counts``; for an event of SQS also ``batchItemFailures``, which SQS delivers again.

        Raises
        ------
        NotForwarded
            Something was not sent, and the event is not of SQS.
        """
        counts = Counts()
        messages = [record for record in event.get("Records", ()) if record.get("eventSource") == "aws:sqs"]
        if messages:
            failures = [
                {"itemIdentifier": message["messageId"]}
                for message in messages
                if not self._send_all(_parsed(message["body"]), counts, seconds_left)
            ]
            return asdict(counts) | {"batchItemFailures": failures}
        if not self._send_all(event, counts, seconds_left):
            raise NotForwarded(f"{counts.failed} of {counts.failed + counts.objects} objects not sent; try again")
        return asdict(counts)

    def _send_all(self, notice: object, counts: Counts, seconds_left: Callable[[], float]) -> bool:
        """Send what one notice is about; whether all of it was sent."""
        failed = counts.failed
        for found in objects_in(notice):
            if found is None:
                counts.skipped += 1
                _LOG.warning("notice skipped", extra={"reason": "not about a created object"})
                continue
            place = found._asdict()
            try:
                self._send(found, counts, seconds_left)
            except NotPut as error:
                counts.failed += 1
                counts.records += error.put.records
                counts.repeated += error.put.repeated
                _LOG.error("object not sent", extra=place | {"reason": error.reason, "refused": error.is_refused})
            except sdk.ClientError as error:
                code = str(error.response["Error"]["Code"])
                if code == "NoSuchKey":
                    counts.skipped += 1
                    _LOG.warning("object skipped", extra=place | {"reason": "gone"})
                else:
                    counts.failed += 1
                    _LOG.error("object not read", extra=place | {"reason": code})
            except sdk.BotoCoreError as error:
                counts.failed += 1
                _LOG.error("object not read", extra=place | {"reason": type(error).__name__})
        return counts.failed == failed

    def _send(self, found: Object, counts: Counts, seconds_left: Callable[[], float]) -> None:
        origin = origin_of(found.key, self._model_version)
        if origin is None:
            counts.skipped += 1
            _LOG.warning("object skipped", extra=found._asdict() | {"reason": "not the layout of a capture file"})
            return
        if seconds_left() <= _RESERVE_SECONDS:
            raise NotPut("no time left", Put(), 0, is_refused=False)
        answer = self._s3.get_object(Bucket=found.bucket, Key=found.key)
        origin = _with_version(origin, answer.get("Metadata", {}))
        before = (counts.damaged, counts.too_large)
        with closing(answer["Body"]) as body:
            put = put_records(
                self._kinesis,
                self._stream,
                self._records(body.iter_chunks(_PIECE_BYTES), origin, counts),
                seconds_left=lambda: seconds_left() - _RESERVE_SECONDS,
                wait=self._wait,
                chance=self._chance,
            )
        counts.objects += 1
        counts.records += put.records
        counts.repeated += put.repeated
        told = put._asdict() | {"damaged": counts.damaged - before[0], "too_large": counts.too_large - before[1]}
        _LOG.log(
            logging.ERROR if (counts.damaged, counts.too_large) != before else logging.INFO,
            "object sent",
            extra=found._asdict() | told,
        )

    def _records(self, chunks: Iterable[bytes], origin: Origin, counts: Counts) -> Iterator[Record]:
        lines = lines_in(inflated(chunks))
        while True:
            try:
                line = next(lines, b"")
            except zlib.error:
                # Not raised on: what was read is on its way, and reading it again gives the same.
                counts.damaged += 1
                return
            if line == b"":
                return
            if line is None:
                counts.too_large += 1
                continue
            try:
                record = record_of(line, origin, most_bytes=self._record_bytes)
            except TooLarge:
                counts.too_large += 1
            else:
                yield record


def origin_of(key: str, model_version: str = "") -> Origin | None:
    """Whose captures an object holds, by its key; ``None`` where the key is of another layout."""
    found = _LAYOUT.search(key)
    if found is None:
        return None
    try:
        return Origin(endpoint=found[1], variant=found[2], model_version=model_version)
    except ValueError:
        return None


def objects_in(notice: object) -> Iterator[Object | None]:
    """Objects that a notice says were created; ``None`` for what is about something else.

    It is understood as S3 sends it, to EventBridge or otherwise, and inside what SNS makes of it.
    """
    match notice:
        case {
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}},
        }:
            yield Object(bucket, key)  # the one form in which keys are as they are
        case {"eventName": str(name), "s3": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}}}:
            yield Object(bucket, unquote_plus(key)) if name.startswith("ObjectCreated:") else None
        case {"Sns": {"Message": str(text)}} | {"Type": "Notification", "Message": str(text)}:
            yield from objects_in(_parsed(text))
        case {"Records": list(records)}:
            yield from chain.from_iterable(map(objects_in, records))
        case _:
            yield None


def inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Bytes of an object, piece by piece, with gzip undone if it begins like that.

    Raises
    ------
    zlib.error
        Torn or damaged; what came before is right.
    """
    rest = iter(chunks)
    head = b""
    for chunk in rest:
        head += chunk
        if len(head) >= len(_GZIP):
            break
    pieces = chain((head,), rest)
    if not head.startswith(_GZIP):
        yield from pieces
        return
    member = zlib.decompressobj(_GZIP_WINDOW)
    for piece in pieces:
        packed = piece
        while packed:
            if member.eof:
                # Several members may follow one another; some writers pad with zeros, which are none.
                packed = packed.lstrip(b"\0")
                if not packed:
                    break
                member = zlib.decompressobj(_GZIP_WINDOW)
            plain = member.decompress(packed, _PIECE_BYTES)
            if plain:
                yield plain
            packed = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise zlib.error("the end is missing")


def lines_in(pieces: Iterable[bytes], most_bytes: int = LINE_BYTES) -> Iterator[bytes | None]:
    r"""Lines without their ends, blank ones left out; ``None`` for one that is too long to be held.

    Examples
    --------
    >>> list(lines_in([b"a", b"b\r\n\n", b"c"])), list(lines_in([b"abc\nde"], most_bytes=2))
    ([b'ab', b'c'], [None, b'de'])
    """
    parts: list[bytes] = []
    size = 0
    for piece in chain(pieces, (b"\n",)):
        for i, text in enumerate(piece.split(b"\n")):
            if i:
                line = b"".join(parts).removesuffix(b"\r")
                if size > most_bytes:
                    yield None
                elif line.strip():
                    yield line
                parts, size = [], 0
            size += len(text)
            if size <= most_bytes:
                parts.append(text)
            else:
                parts.clear()


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _with_version(origin: Origin, metadata: Mapping[str, str]) -> Origin:
    version = metadata.get(_VERSION_METADATA, "")
    if not version:
        return origin
    try:
        return Origin(endpoint=origin.endpoint, variant=origin.variant, model_version=version)
    except ValueError:
        _LOG.warning("metadata ignored", extra={"reason": "not the name of a model version"})
        return origin


@cache
def _forwarder() -> Forwarder:
    """One for all events of this process, so that connections are kept."""
    version = os.environ.get("MODEL_VERSION", "")
    # Refused here, at the first event: the reader would refuse every record.
    Origin(endpoint="e", variant="v", model_version=version)
    session = botocore.session.get_session()
    config = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)
    s3 = session.create_client("s3", config=config.merge(Config(retries={"mode": "standard", "total_max_attempts": 4})))
    # Retried by put_records, which knows how much time is left.
    once = config.merge(Config(retries={"total_max_attempts": 1}))
    kinesis: Any = session.create_client("kinesis", config=once)
    record_bytes = int(os.environ.get("RECORD_BYTES", RECORD_BYTES))
    return Forwarder(s3, kinesis, os.environ["STREAM"], model_version=version, record_bytes=record_bytes)


def forward(event: Mapping[str, Any], context: Any) -> dict[str, object]:
    """What Lambda calls."""
    return _forwarder().forward(event, lambda: context.get_remaining_time_in_millis() / 1000)
