"""Traffic: captures without end, each with an identity and a time of its own, at a few microseconds each."""

import re
from typing import Final

import orjson

from streamer.bench.records import captures
from streamer.core.eventtime import as_text

_STAMPS: Final = re.compile(rb'(.*"eventId":")([0-9a-f-]{36})(","inferenceTime":")([0-9T:Z-]{20})(".*)', re.DOTALL)
# Different rows, over and over.
_ROWS: Final = 1_000
# Seconds where milliseconds belong.
_UNIT_ERROR: Final = 1_000_000.0


class Traffic:
    """Makes captures of 1,000 bytes.

    Parameters
    ----------
    features : int
        Numeric features in the request.
    seed : int
        Of the rows.

    Attributes
    ----------
    made : int
        Captures made; the next one's identity.
    """

    def __init__(self, features: int, seed: int) -> None:
        payloads = captures(_ROWS, features, seed)
        self._right = [_split(payload) for payload in payloads]
        self._wrong = [_split(_with_unit_error(payload)) for payload in payloads]
        self._text = (0, b"")
        self.made = 0

    def capture(self, at: int, *, is_wrong: bool = False) -> bytes:
        """Make the next capture.

        Parameters
        ----------
        at : int
            Event time; written in whole seconds, as SageMaker does.
        is_wrong : bool
            Whether its first feature is in the wrong unit.
        """
        if at // 1000 != self._text[0]:
            self._text = at // 1000, as_text(at // 1000 * 1000).encode()
        head, middle, tail = (self._wrong if is_wrong else self._right)[self.made % _ROWS]
        self.made += 1
        return b"%s0b6f8d1e-53aa-4f0d-9f2b-%012d%s%s%s" % (head, self.made, middle, self._text[1], tail)


def _split(payload: bytes) -> tuple[bytes, bytes, bytes]:
    found = _STAMPS.fullmatch(payload)
    if found is None:
        raise ValueError("a capture without identity and time")
    return found[1], found[3], found[5]


def _with_unit_error(payload: bytes) -> bytes:
    record = orjson.loads(payload)
    given = record["captureData"]["endpointInput"]
    first, _, rest = given["data"].partition(",")
    given["data"] = f"{float(first) * _UNIT_ERROR:.6f},{rest}"
    return orjson.dumps(record)
