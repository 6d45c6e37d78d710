"""Captures as SageMaker writes them, and as records of a stream: pure, standard library only.

The capture's fields are those of SageMaker data capture, event version 0 (Amazon SageMaker
Developer Guide, "Data capture for real-time endpoint"); the envelope is ours, as
``core.decode.capture`` reads it.
"""

import gzip
import json
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

# What a stream takes unless it is told otherwise; the partition key counts.
RECORD_BYTES: Final = 2**20
# As core.decode.names has it: what the reader refuses must not be sent.
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,255}")
_KEY_CHARACTERS: Final = 256
_CSV: Final = frozenset({"text/csv"})
_JSON: Final = frozenset({"application/json", "application/jsonlines", "application/x-ndjson"})


class TooLarge(ValueError):
    """A capture that fits into no record, compressed or not; the text says how large it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose captures they are.

    Parameters
    ----------
    endpoint, variant : str
        Names of both.
    model_version : str
        Version of the model, if it is known.

    Raises
    ------
    ValueError
        A name is one that the reader refuses, or both together are too long for a partition key.

    Examples
    --------
    >>> Origin(endpoint="churn", variant="AllTraffic").partition_key
    'churn/AllTraffic'
    """

    endpoint: str
    variant: str
    model_version: str = ""

    def __post_init__(self) -> None:
        given = {"endpoint": self.endpoint, "variant": self.variant}
        if self.model_version:
            given["model version"] = self.model_version
        for what, name in given.items():
            if not NAME.fullmatch(name):
                raise ValueError(f"{what}: expected 1 to 256 of letters, digits and . _ : -, found {name[:300]!r}")
        if len(self.partition_key) > _KEY_CHARACTERS:
            raise ValueError(f"endpoint and variant: {_KEY_CHARACTERS - 1} characters at most, both together")

    @property
    def partition_key(self) -> str:
        """One key per variant, so that repeated captures meet in one shard, where they are found."""
        return f"{self.endpoint}/{self.variant}"


class Payload(NamedTuple):
    """One side of a request.

    Attributes
    ----------
    data : bytes or str
        The body as it was received or sent.
    content_type : str or None
        Its ``Content-Type``; ``None`` where there was none.
    """

    data: bytes | str
    content_type: str | None = None


class Record(NamedTuple):
    """What goes into a stream.

    Attributes
    ----------
    data : bytes
        The record itself.
    partition_key : str
        Decides its shard.
    """

    data: bytes
    partition_key: str

    @property
    def size(self) -> int:
        """Bytes as the service counts them."""
        return len(self.data) + len(self.partition_key.encode())


def capture_line(
    request: Payload | None,
    response: Payload | None,
    *,
    event_id: str,
    inferred_at: datetime,
    inference_id: str | None = None,
    custom_attributes: Sequence[str] = (),
) -> bytes:
    """One request as SageMaker captures it.

    Parameters
    ----------
    request, response : Payload or None
        What came in and what went out; ``None`` for a side that is not captured.
    event_id : str
        Its identity: captures of the same id are one.
    inferred_at : datetime
        When it was answered, with its time zone.
    inference_id : str, optional
        The caller's own id, by which ground truth is joined.
    custom_attributes : sequence of str
        The caller's attributes.

    Returns
    -------
    bytes
        One line of JSON in ASCII, no newline. CSV and JSON stand in it as text, all else as BASE64.

    Raises
    ------
    ValueError
        Both sides are missing, the id is empty, or the time has no zone.
    """
    if request is None and response is None:
        raise ValueError("a capture has a request, a response or both")
    if not event_id or inferred_at.tzinfo is None:
        raise ValueError("a capture has an event id, and a time with its zone")
    sides: dict[str, object] = {}
    if request is not None:
        sides["endpointInput"] = _side(request, "INPUT")
    if response is not None:
        sides["endpointOutput"] = _side(response, "OUTPUT")
    metadata: dict[str, object] = {"eventId": event_id}
    if inference_id is not None:
        metadata["inferenceId"] = inference_id
    metadata["inferenceTime"] = f"{inferred_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if custom_attributes:
        metadata["customAttributes"] = list(custom_attributes)
    capture = {"captureData": sides, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(capture, separators=(",", ":")).encode("ascii")


def record_of(line: bytes, origin: Origin, *, most_bytes: int = RECORD_BYTES) -> Record:
    """A line of a capture file as a record of a stream.

    A JSON object is wrapped in an envelope that names its origin; what is no JSON object, or is in an
    envelope already, is left as it is, for the reader to judge. The partition key names endpoint and
    variant in any case. A line that is too large is compressed, without an envelope.

    Parameters
    ----------
    line : bytes
        Without its newline.
    origin : Origin
        Whose it is.
    most_bytes : int
        Largest record the stream takes, key included.

    Raises
    ------
    TooLarge
        It does not fit, even compressed.

    Examples
    --------
    >>> record_of(b'{"captureData":{}}', Origin(endpoint="churn", variant="A", model_version="7")).data
    b'{"endpoint":"churn","variant":"A","modelVersion":"7","capture":{"captureData":{}}}'
    >>> record_of(b"junk", Origin(endpoint="churn", variant="A"))
    Record(data=b'junk', partition_key='churn/A')
    """
    room = most_bytes - len(origin.partition_key)
    if len(line) <= room:
        wrapped = _in_envelope(line, origin)
        return Record(wrapped if len(wrapped) <= room else line, origin.partition_key)
    # Without a time in it, the same line always gives the same bytes.
    compressed = gzip.compress(line, mtime=0)
    if len(compressed) > room:
        raise TooLarge(f"a capture of {len(line)} bytes, {len(compressed)} compressed: {room} at most")
    return Record(compressed, origin.partition_key)


def _in_envelope(line: bytes, origin: Origin) -> bytes:
    try:
        # Decoded first: given bytes, json would take UTF-16, too.
        found = json.loads(line.decode())
    except (ValueError, RecursionError):
        return line
    if not isinstance(found, dict) or "capture" in found:
        return line
    names = {"endpoint": origin.endpoint, "variant": origin.variant}
    if origin.model_version:
        names["modelVersion"] = origin.model_version
    # The line is kept to the byte: numbers and escapes are the endpoint's own.
    return b'%s,"capture":%s}' % (json.dumps(names, separators=(",", ":")).encode()[:-1], line.strip())


def _side(payload: Payload, mode: str) -> dict[str, object]:
    raw = payload.data.encode() if isinstance(payload.data, str) else payload.data
    media_type = (payload.content_type or "").partition(";")[0].strip().lower()
    encoding = "CSV" if media_type in _CSV else "JSON" if media_type in _JSON else "BASE64"
    text = ""
    if encoding != "BASE64":
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            encoding = "BASE64"
    if encoding == "BASE64":
        text = b64encode(raw).decode("ascii")
    return {"observedContentType": payload.content_type, "mode": mode, "data": text, "encoding": encoding}
