"""One record's bytes to a capture: its two sides, its identity, its time.

The capture's fields are those of SageMaker data capture, event version 0 (Amazon SageMaker
Developer Guide, "Data capture for real-time endpoint"); the envelope is ours.
"""

import msgspec

from streamer.core.decode.unwrap import unwrap
from streamer.core.errors import InvalidRecord, Reason


class SidePayload(msgspec.Struct, gc=False):
    """What one side carried, as captured."""

    data: str | None = None
    encoding: str | None = None
    observedContentType: str | None = None


class CaptureData(msgspec.Struct, gc=False):
    """Both sides; either may be absent, by capture mode."""

    endpointInput: SidePayload | None = None
    endpointOutput: SidePayload | None = None


class EventMetadata(msgspec.Struct, gc=False):
    """Identity and time of one request."""

    eventId: str | None = None
    inferenceTime: str | None = None


class Capture(msgspec.Struct, gc=False):
    """One captured request; unknown fields are left alone."""

    captureData: CaptureData | None = None
    eventMetadata: EventMetadata | None = None


class Envelope(Capture, gc=False):
    """A capture, or one wrapped with the names it does not carry itself."""

    endpoint: str | None = None
    variant: str | None = None
    modelVersion: str | None = None
    capture: Capture | None = None


_DECODER = msgspec.json.Decoder(Envelope)
_ANYTHING = msgspec.json.Decoder()


def read_envelope(payload: bytes, record_bytes: int) -> Envelope:
    """Read one record.

    Parameters
    ----------
    payload : bytes
        The record as it stands in the stream.
    record_bytes : int
        Longest record accepted.

    Returns
    -------
    Envelope
        Bare captures have no names; wrapped ones have their capture's fields lifted up.

    Raises
    ------
    InvalidRecord
        Whatever the bytes are, nothing else is raised.
    """
    if len(payload) > record_bytes:
        raise InvalidRecord(Reason.RECORD_TOO_LARGE)
    try:
        envelope = _DECODER.decode(payload)
    except msgspec.ValidationError as error:
        raise InvalidRecord(_why_not(payload)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # A source unwraps what it can: one that is still wrapped says why it could not be.
        unwrap(payload)
        raise InvalidRecord(Reason.NOT_JSON) from error
    except RecursionError as error:
        raise InvalidRecord(Reason.TOO_DEEP) from error
    if envelope.capture is not None:
        envelope.captureData = envelope.capture.captureData
        envelope.eventMetadata = envelope.capture.eventMetadata
    if envelope.captureData is None:
        raise InvalidRecord(Reason.NOT_A_CAPTURE)
    return envelope


def _why_not(payload: bytes) -> Reason:
    """A wrong type may stand before the byte that is no JSON at all: say the graver one."""
    try:
        _ANYTHING.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Reason.NOT_JSON
    except RecursionError:
        return Reason.TOO_DEEP
    return Reason.NOT_A_CAPTURE
