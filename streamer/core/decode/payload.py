"""One side's payload to text and a format: encodings undone, BASE64 sniffed."""

import re
from enum import Enum

import pybase64

from streamer.core.decode.capture import SidePayload
from streamer.core.errors import InvalidRecord, Reason

# A byte order mark may stand first, whatever the encoding.
_OPENS_JSON = re.compile(r"\ufeff?\s*[\[{]")


class Format(Enum):
    """How the text of a payload is laid out."""

    CSV = "csv"
    JSON = "json"
    JSON_LINES = "jsonlines"


def text_of(payload: SidePayload, payload_bytes: int) -> tuple[str, Format]:
    """Undo a payload's encoding.

    Parameters
    ----------
    payload : SidePayload
        As captured.
    payload_bytes : int
        Largest decoded payload accepted.

    Raises
    ------
    InvalidRecord
        With the reason; nothing else is raised.
    """
    data = payload.data
    if data is None:
        raise InvalidRecord(Reason.NO_PAYLOAD)
    if len(data) > payload_bytes + payload_bytes // 2:
        raise InvalidRecord(Reason.PAYLOAD_TOO_LARGE)
    content = (payload.observedContentType or "").lower()
    match (payload.encoding or "").upper():
        case "CSV":
            form = Format.CSV
        case "JSON":
            form = Format.JSON_LINES if "jsonlines" in content or "ndjson" in content else Format.JSON
        case "BASE64":
            data = _from_base64(data)
            form = _sniff(data, content)
        case _:
            raise InvalidRecord(Reason.BAD_ENCODING)
    data = data.removeprefix("\ufeff")
    if len(data) > payload_bytes:
        raise InvalidRecord(Reason.PAYLOAD_TOO_LARGE)
    if not data or data.isspace():
        raise InvalidRecord(Reason.EMPTY_PAYLOAD)
    return data, form


def _from_base64(data: str) -> str:
    try:
        decoded = pybase64.b64decode(data.encode("ascii"), validate=True)
    except (ValueError, UnicodeEncodeError) as error:
        raise InvalidRecord(Reason.BAD_BASE64) from error
    try:
        text = decoded.decode()
    except UnicodeDecodeError as error:
        raise InvalidRecord(Reason.NOT_TEXT) from error
    if "\0" in text:
        raise InvalidRecord(Reason.NOT_TEXT)
    return text


def _sniff(text: str, content: str) -> Format:
    """The content type decides where it says anything; else the first character does."""
    if "jsonlines" in content or "ndjson" in content:
        return Format.JSON_LINES
    if "json" in content:
        return Format.JSON
    if "csv" in content:
        return Format.CSV
    return Format.JSON if _OPENS_JSON.match(text) else Format.CSV
